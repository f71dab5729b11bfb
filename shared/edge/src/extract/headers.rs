use crate::{Problem, ProblemCode, ProblemResponse, SourceIp};
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::convert::Infallible;

/// The caller's network, cut so that it names nobody; absent when the host did not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientNetwork(pub Option<String>);

/// Where the edge saw the request, as ISO 3166 alpha-2. For display only: without CloudFront in front
/// anybody can send that header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country(pub Option<String>);

/// The caller's own name for one intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for ClientNetwork {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ClientNetwork, Infallible> {
        Ok(ClientNetwork(parts.extensions.get::<SourceIp>().map(|source| source.network())))
    }
}

impl<S: Sync> FromRequestParts<S> for Country {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Country, Infallible> {
        let header = parts.headers.get("cloudfront-viewer-country").and_then(|value| value.to_str().ok());
        let is_code = |text: &&str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        Ok(Country(header.filter(is_code).map(str::to_ascii_uppercase)))
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IdempotencyKey, ProblemResponse> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(IdempotencyKey(None)),
            (Some(value), None) => value.to_str().ok().and_then(bare_key),
            (Some(_), Some(_)) => None,
        };
        key.map(|key| IdempotencyKey(Some(key))).ok_or_else(|| {
            let problem = Problem::new(ProblemCode::InvalidRequest).detail(
                "`Idempotency-Key` must be sent once, as 1 to 255 visible ASCII characters. \
                 Nothing was done and no credit was taken.",
            );
            problem.into()
        })
    }
}

/// The draft writes it as a quoted string, most clients send it bare; both name the same key.
fn bare_key(text: &str) -> Option<String> {
    let text = text.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => text,
    };
    let is_plain = key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    (is_plain && (1..=255).contains(&key.len())).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::bare_key;

    #[test]
    fn an_idempotency_key_is_the_same_quoted_or_bare() {
        let longest = "x".repeat(255);
        for (text, expected) in [("abc", "abc"), ("\"abc\"", "abc"), (" abc ", "abc"), (&longest, &longest)] {
            assert_eq!(bare_key(text).as_deref(), Some(expected));
        }
        let too_long = "x".repeat(256);
        for text in ["", "\"\"", "\"abc", "abc\"", "a b", "a\\b", "é", &too_long] {
            assert_eq!(bare_key(text), None, "{text}");
        }
    }
}
