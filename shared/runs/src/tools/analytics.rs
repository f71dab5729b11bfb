//! How YouTube videos, or a channel's latest ones, fare, and why.

use super::field::{Kind, Words};
use super::material::about;
use super::research::{Research, Topic};
use super::{Field, Values};
use crate::FieldError;
use crate::youtube::{ChannelAddress, VideoAddress};
use primitives::Private;
use providers::Subject;

pub(crate) type Wanted = Research<Videos>;

/// Addresses of videos, and of the channels whose latest videos are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Videos(Vec<String>);

impl Topic for Videos {
    const TASK: &'static str = "The rows are YouTube videos with their numbers: say which fare well or badly, how that changes with time, and why.";

    fn fields() -> Vec<Field> {
        vec![
            Field::new(
                "urls",
                Words("YouTube addresses", "Địa chỉ YouTube"),
                Kind::Lines { each: 200, count: 5 },
            )
            .required()
            .with_help(
                "Of videos, or of channels, whose latest videos are looked at.",
                "Của các video, hoặc của kênh (các video mới nhất sẽ được xem xét).",
            ),
        ]
    }

    fn of(values: &Values) -> Result<Videos, FieldError> {
        let address = |text: &Private<String>| {
            let text = text.expose();
            let video = VideoAddress::of(text).map(|video| video.to_url());
            // The channel's page of videos is what is read of it.
            video.or_else(|| ChannelAddress::of(text).map(|channel| format!("{}/videos", channel.to_url())))
        };
        let addresses: Option<Vec<String>> = values.lines("urls").iter().map(address).collect();
        addresses.map(Videos).ok_or_else(|| {
            about(
                "urls",
                "send addresses of YouTube videos or channels, or handles such as @name",
                "hãy gửi địa chỉ video hoặc kênh YouTube, hoặc tên kênh như @name",
            )
        })
    }

    fn subject(&self) -> Subject {
        Subject::Videos(self.0.clone())
    }
}
