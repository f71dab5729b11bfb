use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use runs::Place;
use std::convert::Infallible;

/// The last event that the client heard; absent when the request names none, or an id that no event of ours has.
pub(crate) struct LastEventId(pub(crate) Option<Place>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<LastEventId, Infallible> {
        let text = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok());
        Ok(LastEventId(text.and_then(|text| text.parse().ok())))
    }
}
