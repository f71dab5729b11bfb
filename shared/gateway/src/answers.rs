//! How an invocation's answer gets to whoever asked.

use axum::body::Body;
use axum::response::Response;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use lambda_runtime::{Error, LambdaInvocation, MetadataPrelude};
use platform::Platform;
use serde_json::json;

/// Between the prelude and the body (AWS Lambda documentation, "Response streaming", "Custom runtimes").
const DELIMITER: [u8; 8] = [0; 8];

const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

/// Sends answers to Lambda's Runtime API as streams, by the process's own client.
///
/// `lambda_runtime` would write prelude, delimiter and body one after the other on a connection with Nagle's algorithm,
/// where each waits until the other side has confirmed the one before, about 40 ms. Here the beginning leaves in one
/// piece, and nothing waits.
pub(crate) struct Answers {
    client: reqwest::Client,
    /// `http://127.0.0.1:9001/2018-06-01/runtime/invocation`
    invocations: String,
}

impl Answers {
    pub(crate) fn new(platform: &Platform) -> Result<Answers, Error> {
        // Given by Lambda, like all that `lambda_runtime` reads; nothing that a deployment sets.
        let host = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
        let host = host.strip_prefix("http://").unwrap_or(&host);
        let invocations = format!("http://{host}/2018-06-01/runtime/invocation");
        Ok(Answers { client: platform.http().clone(), invocations })
    }

    /// Returns when the whole answer is sent. An error: it was not, because its receiver has left.
    pub(crate) async fn send(&self, to: &Asked, response: Response) -> Result<(), Error> {
        let post = self
            .post(to, "response")
            .header("Lambda-Runtime-Function-Response-Mode", "streaming")
            .header(CONTENT_TYPE, "application/vnd.awslambda.http-integration-response")
            .body(reqwest::Body::wrap_stream(streamed(response)?));
        told(post.send().await?)
    }

    /// Says that there is no answer; the caller gets a 502 from the gateway.
    pub(crate) async fn fail(&self, to: &Asked) -> Result<(), Error> {
        let failure = json!({ "errorType": "Unanswered", "errorMessage": "the function's log says why" });
        let post = self
            .post(to, "error")
            .header("Lambda-Runtime-Function-Error-Type", "Function.Unanswered")
            .body(failure.to_string());
        told(post.send().await?)
    }

    fn post(&self, to: &Asked, what: &str) -> reqwest::RequestBuilder {
        let post = self.client.post(format!("{}/{}/{what}", self.invocations, to.request));
        match &to.invocation {
            Some(invocation) => post.header(INVOCATION_ID, invocation),
            None => post,
        }
    }
}

/// Whose answer it is.
pub(crate) struct Asked {
    request: String,
    /// Given back as it came, where Lambda gives one.
    invocation: Option<HeaderValue>,
}

impl Asked {
    pub(crate) fn by(invocation: &LambdaInvocation) -> Asked {
        Asked {
            request: invocation.context.request_id.clone(),
            invocation: invocation.parts.headers.get(INVOCATION_ID).cloned(),
        }
    }
}

fn told(response: reqwest::Response) -> Result<(), Error> {
    Ok(response.error_for_status().map(drop)?)
}

/// Prelude, delimiter and what of the body is ready at once in one piece, then the rest as it comes.
fn streamed(response: Response) -> Result<impl Stream<Item = Result<Vec<u8>, axum::Error>>, Error> {
    let (mut parts, body) = response.into_parts();
    let cookies = parts.headers.get_all(SET_COOKIE).iter().map(|cookie| Ok(cookie.to_str()?.to_owned()));
    let cookies = cookies.collect::<Result<Vec<String>, Error>>()?;
    parts.headers.remove(SET_COOKIE);
    let prelude = MetadataPrelude { status_code: parts.status, headers: parts.headers, cookies };
    let mut first = serde_json::to_vec(&prelude)?;
    first.extend_from_slice(&DELIMITER);
    let mut rest = Body::into_data_stream(body);
    let mut broken = None;
    match rest.next().now_or_never() {
        Some(Some(Ok(chunk))) => first.extend_from_slice(&chunk),
        Some(Some(Err(error))) => broken = Some(Err(error)),
        Some(None) | None => {}
    }
    let rest = rest.map(|chunk| chunk.map(Vec::from));
    Ok(stream::iter([Ok(first)]).chain(stream::iter(broken)).chain(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use tokio::sync::mpsc;

    async fn pieces(body: Body) -> Vec<String> {
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let pieces: Vec<_> = streamed(response).unwrap().collect().await;
        pieces.into_iter().map(|piece| String::from_utf8(piece.unwrap()).unwrap()).collect()
    }

    const PRELUDE: &str =
        "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/plain\"},\"cookies\":[]}\0\0\0\0\0\0\0\0";

    #[tokio::test]
    async fn what_is_ready_leaves_with_the_prelude_in_one_piece() {
        assert_eq!(pieces(Body::from("whole")).await, [format!("{PRELUDE}whole")]);
        assert_eq!(pieces(Body::empty()).await, [PRELUDE]);
    }

    #[tokio::test]
    async fn the_prelude_does_not_wait_for_a_body_that_is_yet_to_come() {
        let (words, body) = mpsc::unbounded_channel::<Result<Bytes, Error>>();
        let body = stream::unfold(body, async |mut body| body.recv().await.map(|word| (word, body)));
        let mut answer = Box::pin(streamed(Response::new(Body::from_stream(body))).unwrap());
        let first = answer.next().now_or_never().unwrap().unwrap().unwrap();
        assert!(first.ends_with(&DELIMITER));
        words.send(Ok(Bytes::from("later"))).unwrap();
        drop(words);
        assert_eq!(answer.next().await.unwrap().unwrap(), b"later");
        assert!(answer.next().await.is_none());
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_at_once_is_no_whole_answer() {
        let broken = stream::iter([Err::<Bytes, Error>("gone".into())]);
        let pieces: Vec<_> = streamed(Response::new(Body::from_stream(broken))).unwrap().collect().await;
        assert!(pieces[0].is_ok() && pieces[1].is_err());
    }
}
