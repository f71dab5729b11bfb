use crate::lambda::{Client, Part, Streamed};
use crate::moment;
use crate::template::{GatewayResponse, GatewayResponses, MappedHeader};
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use serde_json::{Value, json};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

const PRELUDE_TYPE: &str = "application/vnd.awslambda.http-integration-response";
/// Separates status and headers from the body.
const DELIMITER: [u8; 8] = [0; 8];
/// A prelude is status and headers; what is longer is none.
const PRELUDE_BYTES_MAX: usize = 16 * 1024;

/// What the gateway says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    /// Outside of the stage.
    Forbidden,
    NoRoute,
    /// More requests came than the stage lets in.
    Throttled,
    TooLong,
    /// No request template is for it.
    MediaType,
    /// The function did not answer, or not in the way it should.
    Failed,
    TimedOut,
}

impl Refusal {
    /// The template's words for it, or API Gateway's own where the template has none.
    pub(super) fn response(self, responses: &GatewayResponses) -> Response {
        let (status, message, error) = self.own_words();
        let id = moment::uuid();
        let own = GatewayResponse {
            status: None,
            headers: vec![("content-type".to_owned(), MappedHeader::Fixed("application/json".to_owned()))],
            body: json!({ "message": message }).to_string(),
        };
        let said = self.kind().and_then(|kind| responses.of(kind, status)).unwrap_or(&own);
        let mut response = said.body.replace("$context.requestId", &id).into_response();
        let status = StatusCode::from_u16(said.status.unwrap_or(status));
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mapped = said.headers.iter().map(|(name, value)| match value {
            MappedHeader::Fixed(text) => (name.as_str(), text.as_str()),
            MappedHeader::RequestId => (name.as_str(), id.as_str()),
        });
        for (name, value) in mapped.chain([("x-amzn-errortype", error), ("x-amzn-requestid", id.as_str())]) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Status, message and error type of an API that words nothing itself.
    fn own_words(self) -> (u16, &'static str, &'static str) {
        match self {
            Refusal::BadRequest => (400, "Bad Request", "BadRequestException"),
            Refusal::Forbidden => (403, "Forbidden", "ForbiddenException"),
            // API Gateway's words for a path or method it does not know; it is not about tokens.
            Refusal::NoRoute => (403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
            Refusal::Throttled => (429, "Too Many Requests", "TooManyRequestsException"),
            Refusal::TooLong => (413, "Request Too Long", "RequestTooLargeException"),
            Refusal::MediaType => (415, "Unsupported Media Type", "UnsupportedMediaTypeException"),
            Refusal::Failed => (502, "Internal server error", "InternalServerErrorException"),
            Refusal::TimedOut => (504, "Endpoint request timed out", "GatewayTimeoutException"),
        }
    }

    /// The type of gateway response that can word it.
    fn kind(self) -> Option<&'static str> {
        match self {
            Refusal::BadRequest => Some("DEFAULT_4XX"),
            // No API has been found yet that could word it.
            Refusal::Forbidden => None,
            Refusal::NoRoute => Some("MISSING_AUTHENTICATION_TOKEN"),
            Refusal::Throttled => Some("THROTTLED"),
            Refusal::TooLong => Some("REQUEST_TOO_LARGE"),
            Refusal::MediaType => Some("UNSUPPORTED_MEDIA_TYPE"),
            Refusal::Failed => Some("DEFAULT_5XX"),
            Refusal::TimedOut => Some("INTEGRATION_TIMEOUT"),
        }
    }
}

/// Reads the prelude and passes the rest on as it comes.
pub(super) async fn streamed(
    mut reply: Streamed,
    deadline: Instant,
    trace: &str,
) -> Result<(Parts, PassedOn), Refusal> {
    if reply.content_type != PRELUDE_TYPE {
        return Err(Refusal::Failed);
    }
    let mut read = Vec::new();
    let (prelude, first) = loop {
        let part = timeout_at(deadline, reply.parts.recv()).await.map_err(|_| Refusal::TimedOut)?;
        let Some(Part::Data(data)) = part else { return Err(Refusal::Failed) };
        read.extend_from_slice(&data);
        if let Some(end) = read.windows(DELIMITER.len()).position(|window| window == DELIMITER) {
            break (read[..end].to_vec(), Bytes::copy_from_slice(&read[end + DELIMITER.len()..]));
        }
        if read.len() > PRELUDE_BYTES_MAX {
            return Err(Refusal::Failed);
        }
    };
    let (status, headers) = head(&prelude).ok_or(Refusal::Failed)?;
    let first = Some(first).filter(|first| !first.is_empty());
    let deadline = Box::pin(sleep_until(deadline));
    let body = PassedOn { first, parts: reply.parts, deadline, client: None };
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    for (name, value) in [("x-amzn-requestid", moment::uuid()), ("x-amzn-trace-id", trace.to_owned())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok((response.into_parts().0, body))
}

/// `{"statusCode": 200, "headers": {"a": "b", "c": ["d", "e"]}, "cookies": []}`
fn head(prelude: &[u8]) -> Option<(StatusCode, HeaderMap)> {
    let prelude: Value = serde_json::from_slice(prelude).ok()?;
    let status = prelude["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok())?;
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let value = HeaderValue::from_str(value.as_str()?).ok()?;
        headers.append(name_for_clients(name)?, value);
        Some(())
    };
    for place in ["headers", "multiValueHeaders"] {
        for (name, value) in prelude[place].as_object().into_iter().flatten() {
            match value {
                Value::Array(values) => values.iter().try_for_each(|value| add(name, value))?,
                value => add(name, value)?,
            }
        }
    }
    for cookie in prelude["cookies"].as_array().into_iter().flatten() {
        add("set-cookie", cookie)?;
    }
    for own in ["connection", "content-length", "transfer-encoding"] {
        headers.remove(own);
    }
    Some((StatusCode::from_u16(status).ok()?, headers))
}

/// Some names are the gateway's own; it renames those of a function.
fn name_for_clients(name: &str) -> Option<HeaderName> {
    let name = name.to_ascii_lowercase();
    let renamed = match name.as_str() {
        "date" | "server" | "www-authenticate" => format!("x-amzn-remapped-{name}"),
        _ => name,
    };
    HeaderName::try_from(renamed).ok()
}

/// The function's answer on its way to the client. When it is dropped, the client has left.
pub(super) struct PassedOn {
    first: Option<Bytes>,
    parts: mpsc::Receiver<Part>,
    deadline: Pin<Box<Sleep>>,
    client: Option<Client>,
}

impl PassedOn {
    pub(super) fn to(self, client: Client) -> PassedOn {
        PassedOn { client: Some(client), ..self }
    }

    fn end(&mut self) {
        if let Some(client) = &mut self.client {
            client.served();
        }
    }
}

impl http_body::Body for PassedOn {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            self.end();
            return Poll::Ready(Some(Err(broken("the integration's time is over"))));
        }
        let part = ready!(self.parts.poll_recv(context));
        if !matches!(part, Some(Part::Data(_))) {
            self.end();
        }
        Poll::Ready(match part {
            None => None,
            Some(Part::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Part::Failed(error)) => Some(Err(broken(&error.to_string()))),
        })
    }
}

/// Makes hyper end the connection without an end of the body, as the gateway does in mid-stream.
fn broken(why: &str) -> std::io::Error {
    std::io::Error::other(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Deployment, Given};
    use axum::body::Body;
    use std::time::Duration;

    async fn answered(content_type: &str, pieces: &[&str]) -> Result<(u16, HeaderMap, String), Refusal> {
        let (sender, parts) = mpsc::channel(16);
        for piece in pieces {
            sender.send(Part::Data(Bytes::copy_from_slice(piece.as_bytes()))).await.unwrap();
        }
        drop(sender);
        let reply = Streamed { content_type: content_type.to_owned(), parts };
        let (head, body) = streamed(reply, Instant::now() + Duration::from_secs(9), "Root=1").await?;
        let body = axum::body::to_bytes(Body::new(body), 1000).await.unwrap();
        Ok((head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn the_prelude_becomes_the_head_however_it_is_cut() {
        let prelude = r#"{"statusCode":201,"headers":{"a":["1","2"],"content-length":"9","date":"x"},"cookies":["c=1"]}"#;
        for pieces in
            [&[prelude, "\0\0\0\0\0\0\0\0", "bo", "dy"][..], &[&format!("{prelude}\0\0\0"), "\0\0\0\0\0body"]]
        {
            let (status, headers, body) = answered(PRELUDE_TYPE, pieces).await.unwrap();
            assert_eq!((status, body.as_str()), (201, "body"));
            assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(
                (&headers["set-cookie"], &headers["x-amzn-remapped-date"]),
                (&"c=1".parse().unwrap(), &"x".parse().unwrap())
            );
            assert!(!headers.contains_key("content-length"));
        }
    }

    #[tokio::test]
    async fn a_refusal_is_worded_by_the_template_and_by_api_gateway_where_the_template_is_silent() {
        let template = r#"
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      GatewayResponses:
        DEFAULT_5XX:
          StatusCode: "502"
          ResponseParameters:
            Headers: { Content-Type: "'application/problem+json'", X-Request-Id: context.requestId }
          ResponseTemplates: { application/json: '{"request_id": "$context.requestId"}' }
"#;
        let responses = Deployment::parse(template, &Given::default()).unwrap().gateway_responses;
        let said = async |refusal: Refusal| {
            let (head, body) = refusal.response(&responses).into_parts();
            let body = axum::body::to_bytes(body, 1000).await.unwrap();
            (head.status.as_u16(), head.headers, serde_json::from_slice::<Value>(&body).unwrap())
        };

        let (status, headers, body) = said(Refusal::TimedOut).await;
        assert_eq!((status, &headers["content-type"]), (502, &"application/problem+json".parse().unwrap()));
        assert_eq!(body, json!({ "request_id": headers["x-request-id"].to_str().unwrap() }));
        let (status, headers, body) = said(Refusal::TooLong).await;
        assert_eq!((status, &headers["content-type"]), (413, &"application/json".parse().unwrap()));
        assert_eq!(body, json!({ "message": "Request Too Long" }));
    }

    /// As template.yaml words them: in our shape, with the status that the document says.
    #[tokio::test]
    async fn every_refusal_of_ours_is_a_problem_document() {
        let origins = ("AllowedOrigins".to_owned(), json!(["https://page.test"]));
        let text = |name: &str| (name.to_owned(), json!("given"));
        let parameters = [origins, text("ClerkIssuer"), text("ClerkInstanceId")].into();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
        let deployment = Deployment::read(&path, &Given { parameters, ..Given::default() }).unwrap();
        for (refusal, status, code) in [
            (Refusal::BadRequest, 400, "invalid_request"),
            (Refusal::NoRoute, 404, "not_found"),
            (Refusal::TooLong, 413, "body_too_large"),
            (Refusal::MediaType, 415, "unsupported_media_type"),
            (Refusal::Throttled, 429, "rate_limited"),
            (Refusal::Failed, 502, "no_answer"),
            (Refusal::TimedOut, 504, "timed_out"),
        ] {
            let (head, body) = refusal.response(&deployment.gateway_responses).into_parts();
            let body = axum::body::to_bytes(body, 1000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((head.status.as_u16(), &body["status"]), (status, &json!(status)), "{refusal:?}");
            assert_eq!(body["code"], code);
            assert_eq!(head.headers["content-type"], "application/problem+json");
            assert_eq!(head.headers["access-control-allow-origin"], "*");
            assert_eq!(body["request_id"], head.headers["x-request-id"].to_str().unwrap());
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_a_bad_gateway() {
        for (kind, pieces) in [
            ("application/json", &[r#"{"statusCode":200}"#, "\0\0\0\0\0\0\0\0"][..]),
            (PRELUDE_TYPE, &[r#"{"statusCode":200}"#]),
            (PRELUDE_TYPE, &["no json", "\0\0\0\0\0\0\0\0"]),
            (PRELUDE_TYPE, &[]),
        ] {
            assert_eq!(answered(kind, pieces).await.unwrap_err(), Refusal::Failed, "{pieces:?}");
        }
    }
}
