//! How YouTube videos, or a channel's latest ones, fare, and why.

use super::field::{Kind, Words};
use super::material::about;
use super::research::{self, answer_language, question, rows, rows_of};
use super::{Cases, Field, Materials, Pace, Sources, Values, Wish};
use crate::youtube::{ChannelAddress, VideoAddress};
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId};
use providers::{Measure, Request, RowsRequest, Subject};
use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    addresses: Vec<String>,
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
                "urls",
                Words("YouTube addresses", "Địa chỉ YouTube"),
                Kind::Lines { each: 200, count: 5 },
            )
            .required()
            .with_help(
                "Of videos, or of channels, whose latest videos are looked at.",
                "Của các video, hoặc của kênh (các video mới nhất sẽ được xem xét).",
            ),
            question(),
            rows(),
            answer_language(),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        let address = |text: &Private<String>| {
            let text = text.expose();
            let video = VideoAddress::of(text).map(|video| video.to_url());
            // The channel's page of videos is what is read of it.
            video.or_else(|| ChannelAddress::of(text).map(|channel| format!("{}/videos", channel.to_url())))
        };
        let addresses: Option<Vec<String>> = values.lines("urls").iter().map(address).collect();
        let addresses = addresses.ok_or_else(|| {
            about(
                "urls",
                "send addresses of YouTube videos or channels, or handles such as @name",
                "hãy gửi địa chỉ video hoặc kênh YouTube, hoặc tên kênh như @name",
            )
        })?;
        Ok(Wanted {
            addresses,
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
        let subject = Subject::Videos(self.addresses.clone());
        Some(Request::Rows(RowsRequest { subject, rows_max: self.rows }))
    }

    fn question(&self, rows: &[Map<String, Value>]) -> Option<Private<String>> {
        let about = "The rows are YouTube videos with their numbers: say which fare well or badly, how that changes with time, and why.";
        Some(research::prompt(about, self.question.as_ref(), self.answer_language, rows))
    }
}
