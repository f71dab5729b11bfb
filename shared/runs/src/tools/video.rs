//! A video, from words or from a picture that it begins with. It takes minutes.

use super::field::{Choice, Kind, Words};
use super::image::seed;
use super::script::prompt;
use super::{Cases, Field, Materials, Pace, Sources, Values, Wish, seed_of};
use crate::pricing::Case;
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId, UploadId};
use providers::{Measure, Request, VideoRequest, VideoShape};

/// How long a video is, in seconds: what all of its providers make.
const LENGTHS: [u32; 2] = [5, 10];

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    prompt: Private<String>,
    seconds: u32,
    shape: VideoShape,
    picture: Option<UploadId>,
    seed: Option<u32>,
}

impl Wish for Wanted {
    const PACE: Pace = Pace::VIDEO;
    const FAMILY: FileFamily = FileFamily::Video;

    fn fields() -> Vec<Field> {
        vec![
            prompt(),
            Field::new(
                "seconds",
                Words("Length", "Độ dài"),
                Kind::Choice(vec![
                    Choice::new("5", "5 seconds", "5 giây"),
                    Choice::new("10", "10 seconds", "10 giây"),
                ]),
            ),
            Field::new(
                "shape",
                Words("Shape", "Khung hình"),
                Kind::Choice(vec![
                    Choice::new("16:9", "Landscape 16:9", "Ngang 16:9"),
                    Choice::new("9:16", "Portrait 9:16", "Dọc 9:16"),
                    Choice::new("1:1", "Square", "Vuông"),
                ]),
            )
            .with_help(
                "A video that begins with a picture has the picture's shape.",
                "Video bắt đầu từ một ảnh sẽ có khung hình của ảnh đó.",
            ),
            Field::new("picture", Words("First picture", "Ảnh đầu tiên"), Kind::Upload(FileFamily::Image))
                .with_help(
                    "A picture that you have uploaded: the video begins with it.",
                    "Một ảnh bạn đã tải lên: video bắt đầu từ ảnh đó.",
                ),
            seed(),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        let seconds = values.word("seconds").and_then(|word| word.parse().ok()).unwrap_or(LENGTHS[0]);
        let shape = VideoShape::ALL.into_iter().find(|shape| Some(shape.as_str()) == values.word("shape"));
        Ok(Wanted {
            prompt: values.text("prompt").cloned().unwrap_or_else(|| Private::new(String::new())),
            seconds,
            shape: shape.unwrap_or(VideoShape::Landscape),
            picture: values.upload("picture"),
            seed: values.whole("seed"),
        })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Video { seconds: 1 }]
    }

    fn cases(row: &PriceRow) -> Cases {
        let case = |seconds: u32| {
            (Case::Seconds(u64::from(seconds)), row.units_of(seconds.into()), Measure::Video { seconds })
        };
        LENGTHS.into_iter().map(case).collect()
    }

    fn units(&self, row: &PriceRow, _: &Materials) -> u64 {
        row.units_of(self.seconds.into())
    }

    fn measure(&self, _: u32, _: &Materials) -> Measure {
        Measure::Video { seconds: self.seconds }
    }

    fn request(&self, run: RunId, _: u32, sources: &Sources) -> Option<Request> {
        let first_picture = match self.picture {
            None => None,
            Some(id) => Some(sources.get(id)?),
        };
        Some(Request::Video(VideoRequest {
            prompt: self.prompt.clone(),
            shape: self.shape,
            seconds: self.seconds,
            seed: self.seed.unwrap_or_else(|| seed_of(run)),
            first_picture,
        }))
    }
}
