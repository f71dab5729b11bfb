//! What YouTube channels publish, and how it is taken.

use super::field::{Kind, Words};
use super::material::about;
use super::research::{self, answer_language, question, rows, rows_of};
use super::{Cases, Field, Materials, Pace, Sources, Values, Wish};
use crate::youtube::ChannelAddress;
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId};
use providers::{Measure, Request, RowsRequest, Subject};
use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    channels: Vec<ChannelAddress>,
    rows: u32,
    question: Option<Private<String>>,
    answer_language: &'static str,
}

impl Wish for Wanted {
    const PACE: Pace = Pace::RESEARCH;
    const FAMILY: FileFamily = FileFamily::Table;

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
            question(),
            rows(),
            answer_language(),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        let channel = |text: &Private<String>| ChannelAddress::of(text.expose());
        let channels: Option<Vec<ChannelAddress>> = values.lines("channels").iter().map(channel).collect();
        let channels = channels.ok_or_else(|| {
            about(
                "channels",
                "send addresses of YouTube channels, or handles such as @name",
                "hãy gửi địa chỉ kênh YouTube, hoặc tên kênh như @name",
            )
        })?;
        Ok(Wanted {
            channels,
            rows: rows_of(values.word("rows")),
            question: values.text("question").cloned(),
            answer_language: values.word("answer_language").unwrap_or("vi"),
        })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Rows { rows: 1 }]
    }

    fn cases(row: &PriceRow) -> Cases {
        research::cases(row)
    }

    fn units(&self, row: &PriceRow, _: &Materials) -> u64 {
        row.units_of(self.rows.into())
    }

    fn measure(&self, _: u32, _: &Materials) -> Measure {
        Measure::Rows { rows: self.rows }
    }

    fn request(&self, _: RunId, _: u32, _: &Sources) -> Option<Request> {
        let subject = Subject::Channels(self.channels.iter().map(ChannelAddress::to_url).collect());
        Some(Request::Rows(RowsRequest { subject, rows_max: self.rows }))
    }

    fn question(&self, rows: &[Map<String, Value>]) -> Option<Private<String>> {
        let about = "The rows are videos of YouTube channels: say what each channel is about, how often and when it publishes, what is taken best, and where the channels differ.";
        Some(research::prompt(about, self.question.as_ref(), self.answer_language, rows))
    }
}
