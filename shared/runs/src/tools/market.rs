//! What is offered and asked for, as a search engine sees it.

use super::field::{Choice, Kind, Words};
use super::research::{Research, Topic};
use super::{Field, Values};
use crate::FieldError;
use primitives::Private;
use providers::Subject;

pub(crate) type Wanted = Research<Market>;

#[derive(Debug, Clone)]
pub(crate) struct Market {
    queries: Vec<Private<String>>,
    country: &'static str,
    language: &'static str,
}

impl Topic for Market {
    const TASK: &'static str = "The rows are search results: say who offers what at which price, what people look for, where there is a gap, and how sure that is.";

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
        ]
    }

    fn of(values: &Values) -> Result<Market, FieldError> {
        Ok(Market {
            queries: values.lines("queries").to_vec(),
            country: values.word("country").unwrap_or("vn"),
            language: values.word("language").unwrap_or("vi"),
        })
    }

    fn subject(&self) -> Subject {
        Subject::Market {
            queries: self.queries.clone(),
            country: self.country.to_owned(),
            language: self.language.to_owned(),
        }
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
