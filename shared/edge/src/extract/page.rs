use crate::{Problem, ProblemCode, ProblemResponse, Wording};
use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use std::str::FromStr;

const LIMIT_MAX: u32 = 100;
const LIMIT_USUAL: u32 = 20;
const CURSOR_CHARS_MAX: usize = 1024;

/// Which part of a list: `?limit=` and `?cursor=` as the last answer gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    /// Opaque to the caller; read it by [`Page::cursor`].
    cursor: Option<String>,
}

impl Page {
    /// Where the page begins, as the list's own kind of cursor; a refusal if no page of this list gave it.
    pub fn cursor<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        self.cursor.as_deref().map(str::parse).transpose().map_err(|_| unfit_cursor())
    }
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Page, ProblemResponse> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(parameters) = query.map_err(|_| Problem::new(ProblemCode::InvalidRequest))?;
        Ok(Page { limit: limit(only(&parameters, "limit")?)?, cursor: cursor(only(&parameters, "cursor")?)? })
    }
}

fn only<'a>(parameters: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Problem> {
    let mut found = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        _ => Err(invalid_parameter(name, Wording::new("may be given once", "chỉ được gửi một lần"))),
    }
}

fn limit(text: Option<&str>) -> Result<u32, Problem> {
    let Some(text) = text else { return Ok(LIMIT_USUAL) };
    let number = text.parse().ok().filter(|number| (1..=LIMIT_MAX).contains(number));
    number.ok_or_else(|| {
        let why = Wording::new("must be a whole number from 1 to 100", "phải là số nguyên từ 1 đến 100");
        invalid_parameter("limit", why)
    })
}

fn cursor(text: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let is_plain = (1..=CURSOR_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !is_plain {
        let why = Wording::new(
            "must be the cursor of an earlier answer",
            "phải là cursor của một câu trả lời trước",
        );
        return Err(invalid_parameter("cursor", why));
    }
    Ok(Some(text.to_owned()))
}

fn unfit_cursor() -> Problem {
    let why = Wording::new(
        "send the next_cursor of an earlier page, unchanged",
        "hãy gửi next_cursor của một trang trước, giữ nguyên",
    );
    invalid_parameter("cursor", why)
}

fn invalid_parameter(name: &str, why: Wording) -> Problem {
    Problem::new(ProblemCode::InvalidInput).pointer(format!("?{name}"), why)
}
