//! What is offered and asked for, as a search engine sees it.

use super::field::{Choice, Kind, Words};
use super::research::{self, answer_language, question, rows, rows_of};
use super::{Cases, Field, Materials, Pace, Sources, Values, Wish};
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId};
use providers::{Measure, Request, RowsRequest, Subject};
use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    queries: Vec<Private<String>>,
    country: &'static str,
    language: &'static str,
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
                "queries",
                Words("What to search for", "Từ khóa tìm kiếm"),
                Kind::Lines { each: 120, count: 5 },
            )
            .required()
            .with_help(
                "Products, brands or needs, as a customer would search for them.",
                "Sản phẩm, thương hiệu hoặc nhu cầu, như khách hàng sẽ tìm.",
            ),
            Field::new("country", Words("Country", "Quốc gia"), Kind::Choice(countries())),
            Field::new(
                "language",
                Words("Language of the results", "Ngôn ngữ kết quả"),
                Kind::Choice(languages()),
            ),
            question(),
            rows(),
            answer_language(),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        Ok(Wanted {
            queries: values.lines("queries").to_vec(),
            country: values.word("country").unwrap_or("vn"),
            language: values.word("language").unwrap_or("vi"),
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
        let subject = Subject::Market {
            queries: self.queries.clone(),
            country: self.country.to_owned(),
            language: self.language.to_owned(),
        };
        Some(Request::Rows(RowsRequest { subject, rows_max: self.rows }))
    }

    fn question(&self, rows: &[Map<String, Value>]) -> Option<Private<String>> {
        let about = "The rows are search results: say who offers what at which price, what people look for, where there is a gap, and how sure that is.";
        Some(research::prompt(about, self.question.as_ref(), self.answer_language, rows))
    }
}

/// ISO 3166-1 in small letters, as search engines name countries.
fn countries() -> Vec<Choice> {
    [
        ("vn", "Vietnam", "Việt Nam"),
        ("us", "United States", "Hoa Kỳ"),
        ("gb", "United Kingdom", "Vương quốc Anh"),
        ("sg", "Singapore", "Singapore"),
        ("th", "Thailand", "Thái Lan"),
        ("id", "Indonesia", "Indonesia"),
        ("my", "Malaysia", "Malaysia"),
        ("ph", "Philippines", "Philippines"),
        ("jp", "Japan", "Nhật Bản"),
        ("kr", "South Korea", "Hàn Quốc"),
        ("au", "Australia", "Úc"),
        ("de", "Germany", "Đức"),
        ("fr", "France", "Pháp"),
    ]
    .map(|(code, english, vietnamese)| Choice::new(code, english, vietnamese))
    .to_vec()
}

/// ISO 639-1
fn languages() -> Vec<Choice> {
    [
        ("vi", "Vietnamese", "Tiếng Việt"),
        ("en", "English", "Tiếng Anh"),
        ("th", "Thai", "Tiếng Thái"),
        ("id", "Indonesian", "Tiếng Indonesia"),
        ("ja", "Japanese", "Tiếng Nhật"),
        ("ko", "Korean", "Tiếng Hàn"),
        ("de", "German", "Tiếng Đức"),
        ("fr", "French", "Tiếng Pháp"),
    ]
    .map(|(code, english, vietnamese)| Choice::new(code, english, vietnamese))
    .to_vec()
}
