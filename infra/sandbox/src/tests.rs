//! The sandbox seen from outside: each test is a claim a vendor's documentation makes.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{Sandbox, SandboxConfig};

mod anthropic;
mod apify;
mod bank;
mod calendar;
mod chain;
mod clerk;
mod comfyui;
mod comfyui_jobs;
mod comfyui_video;
mod deepseek;
mod drives;
mod fal;
mod fal_video;
mod fal_webhook;
mod faults;
mod feeds;
mod files;
mod groq;
mod memory;
mod multipart;
mod omnivoice;
mod progress;
mod replicate;
mod sepay;
mod sepay_api;
mod sepay_ipn;
mod sound;
mod video;
mod viet_qr;
mod wire;

const BASE: &str = "http://sandbox.test";

/// An answer read to its end, or to the point where it broke.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    is_broken: bool,
}

fn config(zero_latency: bool) -> SandboxConfig {
    SandboxConfig {
        public_base: BASE.to_owned(),
        webhook_target: None,
        origin: "http://page.test".to_owned(),
        zero_latency,
    }
}

fn instant() -> Sandbox {
    Sandbox::new(config(true))
}

fn paced() -> Sandbox {
    Sandbox::new(config(false))
}

async fn ask(sandbox: &Sandbox, order: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let (method, path) = order.split_once(' ').expect("method and path");
    let path = path.strip_prefix(BASE).unwrap_or(path);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).expect("a request");
    read(sandbox.router().oneshot(request).await.expect("routers do not fail")).await
}

async fn read(response: Response) -> Answer {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut is_broken = false;
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(_) => {
                is_broken = true;
                break;
            }
        }
    }
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes.into(), is_broken }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `data:` fields of an event stream.
    fn events(&self) -> Vec<&str> {
        self.text().lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }
}

/// Width and height of a PNG, decoded to its last row.
fn png_size(file: &[u8]) -> (u32, u32) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut pixels).expect("all rows");
    (frame.width, frame.height)
}

/// The webhooks a product was sent, as they arrived.
type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A product that takes webhooks at one path, with its address.
async fn product(path: &str) -> (Received, String) {
    let received = Received::default();
    let store = received.clone();
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        store.lock().expect("no test panicked").push((headers, body));
        http::StatusCode::NO_CONTENT
    };
    let router = Router::new().route(path, axum::routing::post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    serve(router, listener);
    (received, address)
}

fn serve(router: Router, listener: tokio::net::TcpListener) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let io = hyper_util::rt::TokioIo::new(stream);
                let server =
                    hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = server.serve_connection(io, service).await;
            });
        }
    });
}

/// Lets the sandbox and its product work until it is so.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let page = ask(&instant(), "GET /sandbox", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
}

#[tokio::test]
async fn an_unknown_service_names_the_known_ones() {
    let answer = ask(&instant(), "GET /sandbox/stripe/v1/charges", &[], "").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.json()["services"].as_array().is_some_and(|names| names.len() == crate::Service::ALL.len())
    );
}
