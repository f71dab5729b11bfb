//! What a client sees on the socket when the sandbox cuts a connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::deepseek::request;
use crate::{DEEPSEEK_KEY, Fault, FaultRule, Sandbox, Service};

/// Everything the server sends before it closes.
async fn raw(sandbox: &Sandbox) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    super::serve(sandbox.router(), listener);
    let body = request("a kite", true).to_string();
    let head = format!(
        "POST /sandbox/deepseek/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {DEEPSEEK_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    let mut seen = Vec::new();
    let _ = stream.read_to_end(&mut seen).await;
    String::from_utf8(seen).expect("UTF-8")
}

#[tokio::test]
async fn a_dropped_connection_shows_not_one_byte() {
    let sandbox = super::instant();
    sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::DropConnection));
    assert_eq!(raw(&sandbox).await, "");
    sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::DropBefore));
    assert_eq!(raw(&sandbox).await, "");
}

#[tokio::test]
async fn a_cut_stream_delivers_its_pieces_and_has_no_end() {
    let sandbox = super::instant();
    sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::CutStream { after: 3 }));
    let seen = raw(&sandbox).await;
    assert!(seen.starts_with("HTTP/1.1 200") && seen.contains("SCENE"));
    assert!(!seen.contains("\r\n0\r\n\r\n") && !seen.contains("[DONE]"));
}

#[tokio::test]
async fn a_whole_stream_has_its_end() {
    let seen = raw(&super::instant()).await;
    assert!(seen.contains("[DONE]") && seen.ends_with("\r\n0\r\n\r\n"));
}
