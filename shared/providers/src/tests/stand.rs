//! A vendor's server in a test: real sockets, raw bytes, so that a cut in the middle is a real one.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Stand {
    pub(super) host: String,
    received: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Received>,
    connections: usize,
}

#[derive(Clone)]
pub(super) struct Received {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// How many requests with this method and path came before.
    pub(super) nth: usize,
}

pub(super) type Reply = Vec<Say>;
pub(super) type Answer = Box<dyn Fn(&Received) -> Reply + Send + Sync>;
pub(super) type Headers = &'static [(&'static str, &'static str)];

pub(super) enum Say {
    Bytes(Vec<u8>),
    /// Nothing more, and the connection stays open.
    Hang,
    /// The connection closes here.
    Cut,
}

impl Stand {
    pub(super) async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Stand {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let received = Arc::<Mutex<Log>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&received));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&log)));
            }
        });
        Stand { host, received }
    }

    pub(super) fn requests(&self) -> Vec<Received> {
        self.received.lock().unwrap().requests.clone()
    }

    /// Those whose method and path begin like this.
    pub(super) fn count(&self, call: &str) -> usize {
        let line = |request: &Received| format!("{} {}", request.method, request.path);
        self.requests().iter().filter(|request| line(request).starts_with(call)).count()
    }

    pub(super) fn connections(&self) -> usize {
        self.received.lock().unwrap().connections
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Received) -> Reply>,
    log: Arc<Mutex<Log>>,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let mut request = receive(&mut stream, &mut buffer).await?;
        {
            let mut log = log.lock().unwrap();
            let same = |other: &&Received| other.method == request.method && other.path == request.path;
            request.nth = log.requests.iter().filter(same).count();
            log.requests.push(request.clone());
        }
        for say in answer(&request) {
            match say {
                Say::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
                Say::Hang => std::future::pending().await,
                Say::Cut => return None,
            }
            // A piece is its own packet: what follows may be cut off, what was said may not.
            stream.flush().await.ok()?;
            tokio::task::yield_now().await;
        }
    }
}

async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let end = head_end + length.map_or(0, |(_, value)| value.parse().unwrap());
    while buffer.len() < end {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end..end].to_vec();
    buffer.drain(..end);
    Some(Received { method, path, headers, body, nth: 0 })
}

pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    vec![Say::Bytes([head.as_bytes(), body].concat())]
}

pub(super) fn json(status: u16, body: &serde_json::Value) -> Reply {
    reply(status, &[("content-type", "application/json")], body.to_string())
}

/// An event stream that stays open: end it with [`ended`], [`Say::Cut`] or [`Say::Hang`].
pub(super) fn stream(pieces: &[&str]) -> Reply {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let mut reply = vec![Say::Bytes(head.into())];
    let chunk = |piece: &&str| Say::Bytes(format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes());
    reply.extend(pieces.iter().map(chunk));
    reply
}

/// A 200 of any type whose body is cut into single bytes.
pub(super) fn bytewise(content_type: &str, body: &[u8]) -> Reply {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut reply = vec![Say::Bytes(head.into_bytes())];
    reply.extend(body.chunks(1).map(|byte| Say::Bytes([b"1\r\n", byte, b"\r\n"].concat())));
    ended(reply)
}

pub(super) fn ended(mut reply: Reply) -> Reply {
    reply.push(Say::Bytes(b"0\r\n\r\n".to_vec()));
    reply
}

pub(super) fn then(mut reply: Reply, say: Say) -> Reply {
    reply.push(say);
    reply
}

/// A port where nobody listens.
pub(super) async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
