use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use runs::Place;
use std::convert::Infallible;

/// The place that a request names; absent when it names none, or nothing that was an id of ours.
pub(crate) struct LastEventId(pub(crate) Option<Place>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<LastEventId, Infallible> {
        let text = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        Ok(LastEventId(text.and_then(|text| text.parse().ok())))
    }
}
