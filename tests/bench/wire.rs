use serde_json::Value;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept and used for one request after the other. It knows as much HTTP as the stack speaks,
/// so that little of the machine goes to the load itself.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Read and not yet used.
    buffer: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// When the mark was seen in the body.
    pub(crate) marked_at: Option<Instant>,
}

pub(crate) fn get(authority: &str, path: &str, token: &str) -> Vec<u8> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\r\n");
    head.into_bytes()
}

pub(crate) fn post(authority: &str, path: &str, token: &str, body: &Value) -> Vec<u8> {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    post_bytes(authority, path, &headers, body.to_string().as_bytes())
}

/// Any body, as it is.
pub(crate) fn post_bytes(authority: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Connection {
    pub(crate) async fn open(authority: &str) -> Connection {
        let stream = TcpStream::connect(authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends a request and reads its answer to the end, which must be a success.
    pub(crate) async fn ask(&mut self, request: &[u8], mark: &str) -> Answer {
        let answer = self.try_ask(request, mark).await;
        assert!(matches!(answer.status, 200 | 201), "{}", String::from_utf8_lossy(&answer.body));
        answer
    }

    /// As [`Connection::ask`], whatever the status.
    pub(crate) async fn try_ask(&mut self, request: &[u8], mark: &str) -> Answer {
        self.stream.write_all(request).await.unwrap();
        let head = self.head().await;
        let status = head.get(9..12).and_then(|text| text.parse().ok()).expect("a status line");
        let mut answer = Answer { status, body: Vec::new(), marked_at: None };
        match header(&head, "content-length") {
            Some(length) => self.take(length.parse().unwrap(), &mut answer.body).await,
            None => self.chunks(&mut answer, mark.as_bytes()).await,
        }
        answer
    }

    async fn head(&mut self) -> String {
        let end = self.find(b"\r\n\r\n").await;
        let head = self.buffer.drain(..end + 4).collect();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    }

    async fn chunks(&mut self, answer: &mut Answer, mark: &[u8]) {
        loop {
            let end = self.find(b"\r\n").await;
            let size = std::str::from_utf8(&self.buffer[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            self.buffer.drain(..end + 2);
            self.take(size, &mut answer.body).await;
            self.take(2, &mut Vec::new()).await;
            if size == 0 {
                return;
            }
            if answer.marked_at.is_none() && holds(&answer.body, mark) {
                answer.marked_at = Some(Instant::now());
            }
        }
    }

    /// Moves the next bytes into `target`.
    async fn take(&mut self, count: usize, target: &mut Vec<u8>) {
        while self.buffer.len() < count {
            self.read().await;
        }
        target.extend(self.buffer.drain(..count));
    }

    async fn find(&mut self, pattern: &[u8]) -> usize {
        loop {
            match self.buffer.windows(pattern.len()).position(|window| window == pattern) {
                Some(place) => return place,
                None => self.read().await,
            }
        }
    }

    async fn read(&mut self) {
        let count = self.stream.read_buf(&mut self.buffer).await.unwrap();
        assert!(count > 0, "the stack closed the connection");
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

pub(crate) fn holds(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
