//! What YouTube channels publish, and how it is taken.

use super::field::{Kind, Words};
use super::material::about;
use super::research::{Research, Topic};
use super::{Field, Values};
use crate::FieldError;
use crate::youtube::ChannelAddress;
use primitives::Private;
use providers::Subject;

pub(crate) type Wanted = Research<Channels>;

#[derive(Debug, Clone)]
pub(crate) struct Channels(Vec<ChannelAddress>);

impl Topic for Channels {
    const TASK: &'static str = "The rows are videos of YouTube channels: say what each channel is about, how often and when it publishes, what is taken best, and where the channels differ.";

    fn fields() -> Vec<Field> {
        vec![
            Field::new(
                "channels",
                Words("YouTube channels", "Kênh YouTube"),
                Kind::Lines { each: 200, count: 5 },
            )
            .required()
            .with_help(
                "Their addresses, or handles such as @name. Several are compared.",
                "Địa chỉ kênh, hoặc tên kênh như @name. Nhiều kênh sẽ được so sánh.",
            ),
        ]
    }

    fn of(values: &Values) -> Result<Channels, FieldError> {
        let channel = |text: &Private<String>| ChannelAddress::of(text.expose());
        let channels: Option<Vec<ChannelAddress>> = values.lines("channels").iter().map(channel).collect();
        channels.map(Channels).ok_or_else(|| {
            about(
                "channels",
                "send addresses of YouTube channels, or handles such as @name",
                "hãy gửi địa chỉ kênh YouTube, hoặc tên kênh như @name",
            )
        })
    }

    fn subject(&self) -> Subject {
        Subject::Channels(self.0.iter().map(ChannelAddress::to_url).collect())
    }
}
