use crate::world::ORIGIN;
use serde_json::Value;
use std::fmt::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request, as it stands on the wire.
pub(crate) struct Ask(Vec<u8>);

/// One answer, and how many bytes it had with its head.
pub(crate) struct Told {
    pub(crate) bytes: u64,
    pub(crate) body: String,
}

impl Ask {
    /// As a page on another origin asks, for one answer to a connection.
    pub(crate) fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Ask {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
        Ask([head.as_bytes(), body].concat())
    }

    pub(crate) fn signed_in(method: &str, path: &str, token: &str, body: Option<&Value>) -> Ask {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str()), ("origin", ORIGIN)];
        if body.is_some() {
            headers.extend([("content-type", "application/json"), ("accept", "text/event-stream")]);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        Ask::new(method, path, &headers, body.as_bytes())
    }

    /// What a browser asks before it calls another origin.
    pub(crate) fn preflight(method: &str, path: &str) -> Ask {
        let headers = [
            ("origin", ORIGIN),
            ("access-control-request-method", method),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        Ask::new("OPTIONS", path, &headers, b"")
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.len() as u64
    }

    /// Sends it and reads the answer to its end, which must be what was expected.
    pub(crate) async fn send(&self, authority: &str, status: u16) -> Told {
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(&self.0).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(text.get(9..12), Some(status.to_string().as_str()), "{text}");
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Told { bytes: answer.len() as u64, body }
    }
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
