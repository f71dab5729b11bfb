//! Server-sent events, as browsers' `EventSource` and our page read them.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{Stream, StreamExt, unfold};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use primitives::times;
use serde::Serialize;
use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// `event: name`, one line of JSON, an empty line. JSON never holds a bare line break, so nothing can end early.
///
/// # Panics
/// When `content` has no JSON form, which only a hand-written `Serialize` can do.
pub fn event(name: &'static str, content: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(content).expect("an event's content has a JSON form");
    Bytes::from(format!("event: {name}\ndata: {json}\n\n"))
}

/// The same with an id, which a client that reconnects sends as `Last-Event-ID`. `id` must not hold a line break.
///
/// # Panics
/// When `content` has no JSON form, which only a hand-written `Serialize` can do.
pub fn numbered_event(name: &'static str, id: &impl Display, content: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(content).expect("an event's content has a JSON form");
    Bytes::from(format!("event: {name}\nid: {id}\ndata: {json}\n\n"))
}

/// No event: clients pass over it.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The answer that carries the events, each sent as it comes, and a comment every [`times::STREAM_COMMENT`] until
/// they end, whatever the source of the events waits for: proxies, and API Gateway, end what is silent for longer.
pub fn response(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let chunks = with_comments(events, times::STREAM_COMMENT.limit).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Each item of `events` is whole, so a comment between two of them never falls into one.
fn with_comments(
    events: impl Stream<Item = Bytes> + Send + 'static,
    every: Duration,
) -> impl Stream<Item = Bytes> + Send {
    let mut beat = interval_at(Instant::now() + every, every);
    // A reader that was away for long needs one comment, not one for every beat it missed.
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    unfold((Box::pin(events), beat), |(mut events, mut beat)| async {
        tokio::select! {
            biased;
            event = events.next() => event.map(|event| (event, (events, beat))),
            _ = beat.tick() => Some((COMMENT, (events, beat))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join;
    use tokio::sync::mpsc;

    fn events() -> (mpsc::UnboundedSender<Bytes>, impl Stream<Item = Bytes>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, unfold(receiver, async |mut receiver| receiver.recv().await.map(|event| (event, receiver))))
    }

    #[tokio::test]
    async fn a_stream_whose_source_is_silent_carries_comments_until_it_ends() {
        let (source, events) = events();
        let mut stream = Box::pin(with_comments(events, Duration::from_millis(5)));
        source.send(event("run", &1)).unwrap();
        assert_eq!(stream.next().await.unwrap(), "event: run\ndata: 1\n\n");
        for _ in 0..3 {
            assert_eq!(stream.next().await.unwrap(), ": keep-alive\n\n");
        }
        source.send(event("done", &2)).unwrap();
        drop(source);
        let rest: Vec<Bytes> = stream.collect().await;
        assert_eq!(rest.last().unwrap(), "event: done\ndata: 2\n\n", "nothing comes after the end");
    }

    #[tokio::test]
    async fn a_stream_that_never_rests_carries_comments_too_and_no_event_is_lost_or_cut() {
        let (source, events) = events();
        let telling = async move {
            for number in 0..200 {
                source.send(event("delta", &number)).unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let stream = with_comments(events, Duration::from_millis(5)).collect::<Vec<Bytes>>();
        let (chunks, ()) = join(stream, telling).await;
        let (comments, told): (Vec<_>, Vec<_>) = chunks.into_iter().partition(|chunk| *chunk == COMMENT);
        let wanted: Vec<Bytes> = (0..200).map(|number| event("delta", &number)).collect();
        assert_eq!(told, wanted);
        assert!(comments.len() > 5, "{}", comments.len());
    }
}
