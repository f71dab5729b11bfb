//! What is said: in a YouTube video, by its captions, or in a recording, by a model that listens.

use super::field::{Kind, Words};
use super::material::about;
use super::{Cases, Field, Limits, Materials, Pace, Sources, Values, Wish};
use crate::pricing::Case;
use crate::youtube::VideoAddress;
use crate::{FieldError, PriceRow};
use media::{FileFamily, UploadFacts};
use primitives::{RunId, UploadId};
use providers::{CaptionsRequest, Hearable, HearingRequest, Measure, Request};

/// The variant that reads captions, and the one that listens.
const CAPTIONS: &str = "captions";
const HEARING: &str = "whisper";

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    of: Spoken,
    /// ISO 639-1
    language: Option<String>,
}

#[derive(Debug, Clone)]
enum Spoken {
    Video(VideoAddress),
    Recording(UploadId),
}

impl Wish for Wanted {
    const PACE: Pace = Pace::Waited;
    const FAMILY: FileFamily = FileFamily::Text;
    const PICKS_OPTION: bool = true;

    fn fields() -> Vec<Field> {
        vec![
            Field::new("url", Words("YouTube address", "Địa chỉ YouTube"), Kind::Line(200)).with_help(
                "Of a video that has captions. Send this or a recording.",
                "Của một video có phụ đề. Hãy gửi địa chỉ này hoặc một bản ghi.",
            ),
            Field::new("recording", Words("Recording", "Bản ghi"), Kind::Upload(FileFamily::Audio))
                .with_help(
                    "A sound that you have uploaded: MP3, WAV, M4A, FLAC, Ogg or WebM.",
                    "Một tệp âm thanh bạn đã tải lên: MP3, WAV, M4A, FLAC, Ogg hoặc WebM.",
                ),
            Field::new("language", Words("Language", "Ngôn ngữ"), Kind::Line(2)).with_help(
                "Two letters, such as vi or en; left out: the video's own, or the one that is heard.",
                "Hai chữ cái, như vi hoặc en; bỏ trống: ngôn ngữ của video, hoặc ngôn ngữ nghe được.",
            ),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        let language = match values.text("language").map(|text| text.expose().as_str()) {
            None => None,
            Some(code) if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                Some(code.to_owned())
            }
            Some(_) => {
                return Err(about(
                    "language",
                    "send two small letters, such as vi or en, or leave it out",
                    "hãy gửi hai chữ cái thường, như vi hoặc en, hoặc bỏ trống",
                ));
            }
        };
        let of = match (values.text("url"), values.upload("recording")) {
            (Some(url), None) => Spoken::Video(VideoAddress::of(url.expose()).ok_or_else(|| {
                about(
                    "url",
                    "send the address of a YouTube video, such as https://www.youtube.com/watch?v=…",
                    "hãy gửi địa chỉ một video YouTube, như https://www.youtube.com/watch?v=…",
                )
            })?),
            (None, Some(recording)) => Spoken::Recording(recording),
            _ => {
                return Err(about(
                    "url",
                    "send either a YouTube address or a recording",
                    "hãy gửi hoặc một địa chỉ YouTube, hoặc một bản ghi",
                ));
            }
        };
        Ok(Wanted { of, language })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Captions, Measure::Hearing { seconds: 1 }]
    }

    fn cases(row: &PriceRow) -> Cases {
        if row.option == CAPTIONS {
            return vec![(Case::Any, 1, Measure::Captions)];
        }
        let case = |seconds: u64| {
            let measure = Measure::Hearing { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) };
            (Case::SecondsMax(seconds), row.units_of(seconds), measure)
        };
        row.stretches(row.amount_max.unwrap_or(3_600).into()).map(case).collect()
    }

    fn units(&self, row: &PriceRow, materials: &Materials) -> u64 {
        match self.of {
            Spoken::Video(_) => 1,
            Spoken::Recording(id) => row.units_of(materials.seconds(id).unwrap_or(u32::MAX).into()),
        }
    }

    fn measure(&self, _: u32, materials: &Materials) -> Measure {
        match self.of {
            Spoken::Video(_) => Measure::Captions,
            Spoken::Recording(id) => Measure::Hearing { seconds: materials.seconds(id).unwrap_or(u32::MAX) },
        }
    }

    fn own_option(&self) -> Option<&'static str> {
        Some(match self.of {
            Spoken::Video(_) => CAPTIONS,
            Spoken::Recording(_) => HEARING,
        })
    }

    fn check(&self, row: &PriceRow, materials: &Materials, limits: &Limits) -> Vec<FieldError> {
        if self.own_option() != Some(row.option.as_str()) {
            return vec![about(
                "model",
                "leave it out: captions are for a YouTube address, whisper is for a recording",
                "hãy bỏ trống: captions dành cho địa chỉ YouTube, whisper dành cho bản ghi",
            )];
        }
        let Spoken::Recording(id) = self.of else { return Vec::new() };
        let mut complaints = Vec::new();
        match materials.seconds(id) {
            None => complaints.push(about(
                "recording",
                "its length can't be told: convert it to MP3 or WAV",
                "không xác định được độ dài: hãy chuyển sang MP3 hoặc WAV",
            )),
            Some(seconds) if row.amount_max.is_some_and(|max| seconds > max) => complaints.push(about(
                "recording",
                "it is longer than GET /v1/pricing lists: send it in parts",
                "dài hơn mức trong GET /v1/pricing: hãy gửi từng phần",
            )),
            Some(_) => {}
        }
        if self.language.as_deref().is_some_and(|language| !Hearable::knows(language)) {
            complaints.push(about(
                "language",
                "this language is not known here: leave it out, and it is found out",
                "không nhận ngôn ngữ này: hãy bỏ trống để tự nhận dạng",
            ));
        }
        let fits = |facts: &UploadFacts| limits.hearable.takes(facts.file_type.extension(), facts.bytes);
        if !materials.get(id).is_some_and(fits) {
            complaints.push(about(
                "recording",
                "it is too long for its format: convert it to MP3, WAV, FLAC or Ogg, which can be sent in parts",
                "quá lớn với định dạng này: hãy chuyển sang MP3, WAV, FLAC hoặc Ogg để có thể gửi từng phần",
            ));
        }
        complaints
    }

    fn request(&self, _: RunId, _: u32, sources: &Sources) -> Option<Request> {
        let language = self.language.clone();
        Some(match &self.of {
            Spoken::Video(video) => {
                Request::Captions(CaptionsRequest { video: video.id().to_owned(), language })
            }
            Spoken::Recording(id) => {
                let (sound, seconds) = (sources.get(*id)?, sources.seconds(*id)?);
                Request::Hearing(HearingRequest { sound, seconds, language })
            }
        })
    }
}
