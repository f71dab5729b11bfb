use super::STAGE;
use super::routes::Found;
use crate::moment;
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::request::Parts;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A request on its way to becoming an event of the REST API's proxy integration (payload version 1.0).
pub(super) struct Arrival<'a> {
    pub(super) parts: &'a Parts,
    /// Without the stage.
    pub(super) path: &'a str,
    pub(super) body: &'a Bytes,
    pub(super) peer: SocketAddr,
    pub(super) found: &'a Found<'a>,
    pub(super) stage_variables: &'a BTreeMap<String, String>,
}

impl Arrival<'_> {
    /// The caller's root, if one came along, or a new one.
    pub(super) fn trace(&self) -> String {
        let given = self.header("x-amzn-trace-id").split(';').find(|part| part.starts_with("Root="));
        given.map_or_else(|| format!("Root={}", moment::trace_root()), str::to_owned)
    }

    pub(super) fn event(&self, trace: &str, binary_media_types: &[String]) -> Value {
        let (body, is_base64) = self.body(binary_media_types);
        let queries = url::form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes());
        let queries: Vec<(String, String)> =
            queries.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let headers = self.headers(trace);
        json!({
            "resource": self.found.route.path,
            "path": self.path,
            "httpMethod": self.parts.method.as_str(),
            "headers": single(&headers),
            "multiValueHeaders": multiple(&headers),
            "queryStringParameters": single(&queries),
            "multiValueQueryStringParameters": multiple(&queries),
            "pathParameters": if self.found.parameters.is_empty() { Value::Null } else { json!(self.found.parameters) },
            "stageVariables": self.stage_variables,
            "requestContext": self.context(trace),
            "body": body,
            "isBase64Encoded": is_base64,
        })
    }

    fn context(&self, trace: &str) -> Value {
        let now = moment::now();
        json!({
            "resourceId": "em1234",
            "resourcePath": self.found.route.path,
            "httpMethod": self.parts.method.as_str(),
            "extendedRequestId": trace.get(7..).unwrap_or_default(),
            "requestTime": moment::written(now, moment::REQUEST),
            "path": format!("/{STAGE}{}", self.path),
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": "emulated",
            "requestTimeEpoch": now.millis(),
            "requestId": moment::uuid(),
            "identity": {
                "cognitoIdentityPoolId": null, "accountId": null, "cognitoIdentityId": null, "caller": null,
                "sourceIp": self.peer.ip().to_string(), "principalOrgId": null, "accessKey": null,
                "cognitoAuthenticationType": null, "cognitoAuthenticationProvider": null, "userArn": null,
                "userAgent": self.header(USER_AGENT.as_str()), "user": null,
            },
            "domainName": self.header(HOST.as_str()),
            "deploymentId": "em5678",
            "apiId": "emulated",
        })
    }

    /// What the client sent, and what the gateway adds.
    fn headers(&self, trace: &str) -> Vec<(String, String)> {
        let sent = self.parts.headers.iter().filter(|(name, _)| name.as_str() != "x-amzn-trace-id");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut headers: Vec<(String, String)> =
            sent.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
        let before = self.header("x-forwarded-for");
        let peer = self.peer.ip().to_string();
        let forwarded = if before.is_empty() { peer } else { format!("{before}, {peer}") };
        headers.retain(|(name, _)| !name.starts_with("x-forwarded-"));
        let added = [
            ("X-Forwarded-For", forwarded.as_str()),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Proto", "https"),
            ("X-Amzn-Trace-Id", trace),
        ];
        headers.extend(added.map(|(name, value)| (name.to_owned(), value.to_owned())));
        headers
    }

    /// Text as it is; in base64 only what the API declares as binary. Bytes that are no text do not survive the former.
    fn body(&self, binary_media_types: &[String]) -> (Value, bool) {
        let kind = self.header(CONTENT_TYPE.as_str()).split(';').next().unwrap_or_default().trim();
        let is_binary = binary_media_types.iter().any(|declared| declared == "*/*" || declared == kind);
        match self.body {
            body if body.is_empty() => (Value::Null, false),
            body if is_binary => (json!(STANDARD.encode(body)), true),
            body => (json!(String::from_utf8_lossy(body)), false),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The last value of each name wins.
fn single(pairs: &[(String, String)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

fn multiple(pairs: &[(String, String)]) -> Value {
    if pairs.is_empty() {
        return Value::Null;
    }
    let mut all: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        if let Value::Array(values) = all.entry(name.clone()).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::super::routes::Routes;
    use super::*;
    use crate::template::{Integration, Route};
    use std::time::Duration;

    fn event(request: http::Request<&'static [u8]>, binary: &[&str]) -> Value {
        let (parts, body) = request.into_parts();
        let route = Route {
            method: "POST".to_owned(),
            path: "/v1/runs/{id}".to_owned(),
            integration: Integration::Function { name: "Runs".to_owned(), timeout: Duration::ZERO },
        };
        let routes = Routes::new(vec![route]);
        let found = routes.find("POST", "/v1/runs/r1").unwrap();
        let peer = "203.0.113.7:4000".parse().unwrap();
        let arrival = Arrival {
            parts: &parts,
            path: "/v1/runs/r1",
            body: &Bytes::from_static(body),
            peer,
            found: &found,
            stage_variables: &BTreeMap::from([("Domain".to_owned(), "none".to_owned())]),
        };
        let types: Vec<String> = binary.iter().map(|&text| text.to_owned()).collect();
        arrival.event(&arrival.trace(), &types)
    }

    #[test]
    fn a_request_becomes_the_event_of_a_rest_api() {
        let request = http::Request::post("/live/v1/runs/r1?a=1&a=2&b=x%20y")
            .header("host", "api.example")
            .header("x-twice", "1")
            .header("x-twice", "2")
            .header("x-forwarded-for", "198.51.100.1")
            .header("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678;Parent=1")
            .body(&b"{\"a\":1}"[..])
            .unwrap();
        let event = event(request, &[]);
        let expected = [
            ("/resource", json!("/v1/runs/{id}")),
            ("/path", json!("/v1/runs/r1")),
            ("/pathParameters", json!({ "id": "r1" })),
            ("/queryStringParameters", json!({ "a": "2", "b": "x y" })),
            ("/multiValueQueryStringParameters/a", json!(["1", "2"])),
            ("/headers/x-twice", json!("2")),
            ("/multiValueHeaders/x-twice", json!(["1", "2"])),
            ("/headers/X-Forwarded-For", json!("198.51.100.1, 203.0.113.7")),
            ("/headers/X-Amzn-Trace-Id", json!("Root=1-67891233-abcdef012345678912345678")),
            ("/stageVariables", json!({ "Domain": "none" })),
            ("/requestContext/stage", json!("live")),
            ("/requestContext/path", json!("/live/v1/runs/r1")),
            ("/requestContext/identity/sourceIp", json!("203.0.113.7")),
            ("/body", json!("{\"a\":1}")),
            ("/isBase64Encoded", json!(false)),
        ];
        for (pointer, value) in expected {
            assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
        }
    }

    #[test]
    fn only_declared_types_keep_their_bytes() {
        let request = || {
            http::Request::post("/").header("content-type", "image/png; q=1").body(&b"\xff\0"[..]).unwrap()
        };
        let as_text = event(request(), &["image/jpeg"]);
        assert_eq!((&as_text["body"], &as_text["isBase64Encoded"]), (&json!("\u{fffd}\0"), &json!(false)));
        let kept = event(request(), &["image/png"]);
        assert_eq!((&kept["body"], &kept["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
        let empty = event(http::Request::post("/").body(&b""[..]).unwrap(), &["*/*"]);
        assert_eq!((&empty["body"], &empty["queryStringParameters"]), (&Value::Null, &Value::Null));
    }
}
