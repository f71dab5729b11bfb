use crate::{ProblemCode, ProblemResponse};
use axum::extract::FromRequestParts;
use http::header::ACCEPT;
use http::request::Parts;

/// The form of answer a caller wants where both exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptKind {
    EventStream,
    Json,
}

impl<S: Sync> FromRequestParts<S> for AcceptKind {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<AcceptKind, ProblemResponse> {
        let values = parts.headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default());
        let list: Vec<&str> = values.collect();
        wanted(&list.join(",")).ok_or_else(|| ProblemCode::NotAcceptable.into())
    }
}

/// The heaviest range that fits, the first among equals. A caller who does not choose gets JSON.
fn wanted(accept: &str) -> Option<AcceptKind> {
    let ranges: Vec<&str> = accept.split(',').map(str::trim).filter(|range| !range.is_empty()).collect();
    if ranges.is_empty() {
        return Some(AcceptKind::Json);
    }
    let mut best = None;
    for (kind, thousandths) in ranges.into_iter().filter_map(fitting) {
        if thousandths > best.map_or(0, |(_, most)| most) {
            best = Some((kind, thousandths));
        }
    }
    best.map(|(kind, _)| kind)
}

fn fitting(range: &str) -> Option<(AcceptKind, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = match parts.next()?.to_ascii_lowercase().as_str() {
        "text/event-stream" | "text/*" => AcceptKind::EventStream,
        "application/json" | "application/*" | "*/*" => AcceptKind::Json,
        _ => return None,
    };
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((kind, quality.map_or(Some(1000), thousandths)?))
}

/// `0.85` as 850: at most three decimals, and never a float.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some((whole * 1000 + decimals).min(1000))
}

#[cfg(test)]
mod tests {
    use super::{AcceptKind, wanted};
    use AcceptKind::{EventStream, Json};

    #[test]
    fn the_accept_header_chooses() {
        let table = [
            ("", Some(Json)),
            ("*/*", Some(Json)),
            ("application/json", Some(Json)),
            ("text/event-stream", Some(EventStream)),
            ("TEXT/Event-Stream; charset=utf-8", Some(EventStream)),
            ("text/event-stream, */*", Some(EventStream)),
            ("application/json, text/event-stream", Some(Json)),
            ("application/json;q=0.5, text/event-stream", Some(EventStream)),
            ("text/event-stream;q=0.5, application/json;q=0.85", Some(Json)),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(Json)),
            ("text/event-stream;q=0", None),
            ("text/html", None),
            ("nonsense", None),
        ];
        for (accept, expected) in table {
            assert_eq!(wanted(accept), expected, "{accept}");
        }
    }
}
