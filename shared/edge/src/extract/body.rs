use super::whole::whole_numbers;
use crate::{Problem, ProblemCode, ProblemResponse, Wording};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError};
use serde::de::DeserializeOwned;
use std::error::Error;

/// No body of ours is nested deeper; one that is wants to exhaust the parser.
const DEPTH_MAX: usize = 32;

/// A JSON body. Put `#[serde(deny_unknown_fields)]` on `T`, so that a mistyped field is no silent wish.
#[derive(Clone, Copy)]
pub struct JsonBody<T>(pub T);

/// The bytes as they came, for signatures over them.
#[derive(Clone)]
pub struct RawBody(pub Bytes);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _: &S) -> Result<JsonBody<T>, ProblemResponse> {
        if !is_json(request.headers()) {
            return Err(ProblemCode::UnsupportedMediaType.into());
        }
        Ok(JsonBody(parse(&read(request.into_body()).await?)?))
    }
}

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _: &S) -> Result<RawBody, ProblemResponse> {
        Ok(RawBody(read(request.into_body()).await?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    match body.collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if is_too_long(&error) => Err(ProblemCode::BodyTooLarge.into()),
        Err(_) => Err(Problem::new(ProblemCode::InvalidRequest)
            .detail("The body broke off. Nothing was done and no credit was taken; send it again.")),
    }
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if is_too_deep(bytes) {
        return Err(Problem::new(ProblemCode::InvalidRequest)
            .detail("The JSON is nested too deeply. Nothing was done and no credit was taken."));
    }
    match Json::from_bytes(&whole_numbers(bytes)) {
        Ok(Json(value)) => Ok(value),
        Err(JsonRejection::JsonDataError(error)) => Err(not_fitting(&error)),
        Err(_) => Err(Problem::new(ProblemCode::InvalidRequest)
            .detail("The body is not valid JSON. Nothing was done and no credit was taken.")),
    }
}

/// Counts brackets outside of strings. Whether they match is not looked at here; the parser does that.
fn is_too_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Says where and what was expected; serde's own words also hold what was sent.
fn not_fitting(error: &(dyn Error + 'static)) -> Problem {
    let message = error.source().map(ToString::to_string).unwrap_or_default();
    let (path, reason) = split_path(&message);
    let path = without_unknown_field(path, reason);
    let (field, detail) = what_is_wrong(reason);
    let pointer = format!("{}{}", pointer(path), field.map(|name| format!("/{name}")).unwrap_or_default());
    Problem::new(ProblemCode::InvalidInput).pointer(pointer, detail)
}

/// `input.size[0]: invalid type …`; a path of other characters is not made of our field names.
fn split_path(message: &str) -> (&str, &str) {
    let is_plain = |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.[]-".contains(&b));
    match message.split_once(": ") {
        Some((path, reason)) if is_plain(path) => (path, reason),
        _ => ("", message),
    }
}

/// The path to a field we don't know ends in its name, which is not ours to repeat.
fn without_unknown_field<'a>(path: &'a str, reason: &str) -> &'a str {
    let Some(rest) = reason.strip_prefix("unknown field `") else { return path };
    rest.split('`').next().and_then(|name| path.strip_suffix(name)).unwrap_or_default()
}

fn pointer(path: &str) -> String {
    let parts = path.split(['.', '[', ']']).filter(|part| !part.is_empty());
    parts.map(|part| format!("/{part}")).collect()
}

/// The missing field's name, which is ours, and a sentence without anything the caller sent.
fn what_is_wrong(reason: &str) -> (Option<&str>, Wording) {
    if let Some(rest) = reason.strip_prefix("missing field `") {
        return (rest.split('`').next(), Wording::new("is missing", "còn thiếu"));
    }
    let expected = reason.rfind(", expected ").and_then(|at| reason.get(at + 2..));
    // `at line 1 column 9` follows.
    let expected = expected.map(|text| text.rsplit_once(" at line ").map_or(text, |(text, _)| text));
    let expected = expected.and_then(|text| text.strip_prefix("expected "));
    let names = expected.map(names_in).filter(|names| !names.is_empty());
    let detail = match (reason, names) {
        (reason, Some(names)) if reason.starts_with("unknown field") => Wording::new(
            format!("holds a field that is not known here; known are {names}"),
            format!("có trường không được nhận; các trường được nhận là {names}"),
        ),
        (reason, None) if reason.starts_with("unknown field") => {
            Wording::new("holds a field that is not known here", "có trường không được nhận")
        }
        (reason, Some(names)) if reason.starts_with("unknown variant") => match names.contains(',') {
            true => Wording::new(format!("must be one of {names}"), format!("phải là một trong: {names}")),
            false => Wording::new(format!("must be {names}"), format!("phải là {names}")),
        },
        (reason, _) if reason.starts_with("invalid ") => {
            expected.and_then(in_plain_words).unwrap_or_else(not_valid)
        }
        (reason, _) if reason.starts_with("duplicate field") => {
            Wording::new("holds a field twice", "có trường bị lặp lại")
        }
        _ => not_valid(),
    };
    (None, detail)
}

fn not_valid() -> Wording {
    Wording::new("is not valid", "không hợp lệ")
}

/// The names between backticks, which are those of our fields and choices: `a, b, c`.
fn names_in(expected: &str) -> String {
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    names.join(", ")
}

/// What serde expected, in words for a caller who knows JSON and not Rust. `None` for anything that is not listed here: a library's
/// words are not passed on.
fn in_plain_words(expected: &str) -> Option<Wording> {
    let first = expected.split(' ').next().unwrap_or_default();
    let (english, vietnamese) = match (first, expected) {
        ("u8" | "u16" | "u32" | "u64" | "u128" | "usize", _) => (
            "must be a whole number, not negative and not too large",
            "phải là số nguyên, không âm và không quá lớn",
        ),
        ("i8" | "i16" | "i32" | "i64" | "i128" | "isize", _) => {
            ("must be a whole number that is not too large", "phải là số nguyên không quá lớn")
        }
        ("f32" | "f64", _) => ("must be a number", "phải là số"),
        (_, "a string" | "str" | "string" | "a borrowed string" | "a character") => {
            ("must be a text", "phải là văn bản")
        }
        (_, "a boolean" | "bool") => ("must be true or false", "phải là true hoặc false"),
        (_, "unit" | "null") => ("must be null", "phải là null"),
        ("struct" | "map", _) | (_, "a map") => ("must be an object", "phải là một đối tượng"),
        ("tuple" | "array", _) | (_, "a sequence" | "seq" | "an array") => {
            ("must be a list", "phải là một danh sách")
        }
        ("enum", _) | (_, "string or map" | "variant identifier") => {
            ("must be one of the known choices", "phải là một trong các lựa chọn có sẵn")
        }
        _ => return None,
    };
    Some(Wording::new(english, vietnamese))
}
