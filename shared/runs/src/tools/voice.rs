//! A spoken text: by a voice of ours, or by one like in a recording whose speaker agreed to it.

use super::field::{Choice, Kind, Words};
use super::material::about;
use super::{Cases, Field, Limits, Materials, Pace, Sources, Values, Wish};
use crate::pricing::Case;
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId, UploadId};
use providers::{LANGUAGES, Measure, Request, SpeechRequest, VOICES, Voice};

/// Shorter recordings don't tell enough of a voice, and longer ones are more than its providers read.
const RECORDING_SECONDS: std::ops::RangeInclusive<u32> = 3..=60;

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    text: Private<String>,
    language: &'static str,
    voice: &'static str,
    recording: Option<UploadId>,
}

impl Wish for Wanted {
    const PACE: Pace = Pace::Waited;
    const FAMILY: FileFamily = FileFamily::Audio;

    fn fields() -> Vec<Field> {
        let languages = LANGUAGES.iter().map(|of| Choice::new(of.code, of.title_en, of.title_vi)).collect();
        let voices = VOICES.iter().map(|of| Choice::new(of.name, of.title_en, of.title_vi)).collect();
        vec![
            Field::new("text", Words("What is to be said", "Nội dung cần đọc"), Kind::Words).required().with_help(
                "It is spoken as it stands. A longer text costs more; the price is shown before you run it.",
                "Nội dung được đọc đúng như đã viết. Nội dung dài hơn sẽ đắt hơn; giá được hiện trước khi chạy.",
            ),
            Field::new("language", Words("Language", "Ngôn ngữ"), Kind::Choice(languages)),
            Field::new("voice", Words("Voice", "Giọng đọc"), Kind::Choice(voices)),
            Field::new(
                "recording",
                Words("A voice like in this recording", "Giọng giống trong bản ghi này"),
                Kind::Upload(FileFamily::Audio),
            )
            .with_help(
                "A recording that you have uploaded, of 3 to 60 seconds, of one person who agrees to it.",
                "Một bản ghi âm bạn đã tải lên, dài 3 đến 60 giây, của một người đã đồng ý.",
            ),
            Field::new("consent", Words("The speaker agrees", "Người nói đồng ý"), Kind::Statement).with_help(
                "Needed with a recording: the person who is heard in it has agreed that their voice is used so. It is kept with the run.",
                "Bắt buộc khi dùng bản ghi: người được nghe trong đó đã đồng ý cho dùng giọng của mình. Điều này được lưu cùng lần chạy.",
            ),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        let recording = values.upload("recording");
        if recording.is_some() && !values.is_stated("consent") {
            return Err(about(
                "consent",
                "send true if the person who is heard in the recording has agreed; without that it is not used",
                "hãy gửi true nếu người trong bản ghi đã đồng ý; nếu không, bản ghi sẽ không được dùng",
            ));
        }
        Ok(Wanted {
            text: values.text("text").cloned().unwrap_or_else(|| Private::new(String::new())),
            language: values.word("language").unwrap_or("vi"),
            voice: values.word("voice").unwrap_or_default(),
            recording,
        })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Speech { chars: 1 }]
    }

    fn cases(row: &PriceRow) -> Cases {
        let case = |chars: u64| (Case::CharsMax(chars), row.units_of(chars), Measure::Speech { chars });
        row.stretches(row.prompt_chars_max.into()).map(case).collect()
    }

    fn units(&self, row: &PriceRow, _: &Materials) -> u64 {
        row.units_of(self.chars())
    }

    fn measure(&self, _: u32, _: &Materials) -> Measure {
        Measure::Speech { chars: self.chars() }
    }

    fn check(&self, _: &PriceRow, materials: &Materials, _: &Limits) -> Vec<FieldError> {
        let Some(id) = self.recording else { return Vec::new() };
        match materials.seconds(id) {
            Some(seconds) if RECORDING_SECONDS.contains(&seconds) => Vec::new(),
            _ => vec![about(
                "recording",
                "upload a recording of 3 to 60 seconds",
                "hãy tải lên một bản ghi dài 3 đến 60 giây",
            )],
        }
    }

    fn request(&self, _: RunId, _: u32, sources: &Sources) -> Option<Request> {
        let voice = match self.recording {
            None => Voice::Named(self.voice.to_owned()),
            Some(id) => Voice::Recorded(sources.get(id)?),
        };
        let (text, language) = (self.text.clone(), self.language.to_owned());
        Some(Request::Speech(SpeechRequest { text, language, voice }))
    }
}

impl Wanted {
    fn chars(&self) -> u64 {
        self.text.expose().chars().count() as u64
    }
}
