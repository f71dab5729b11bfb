use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sandbox::Service;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};

/// Answers that are to stop half-way until the test lets them go. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct Holds {
    orders: Arc<Mutex<Vec<Order>>>,
    /// How long the next picture is to be.
    picture_bytes: Arc<Mutex<Option<usize>>>,
}

struct Order {
    service: Service,
    pieces: usize,
    reached: watch::Sender<bool>,
    released: watch::Receiver<bool>,
}

/// An answer of a provider that stands still. Dropping it lets it go on.
pub struct Held {
    reached: watch::Receiver<bool>,
    release: watch::Sender<bool>,
}

impl Holds {
    pub(crate) fn hold(&self, service: Service, pieces: usize) -> Held {
        let (reached, is_reached) = watch::channel(false);
        let (release, released) = watch::channel(false);
        let order = Order { service, pieces, reached, released };
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        Held { reached: is_reached, release }
    }

    pub(crate) fn lengthen_picture(&self, bytes: usize) {
        *self.picture_bytes.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// What stands behind a picture's end belongs to its file and is not looked at.
    async fn lengthened(&self, response: Response) -> Response {
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("image/") {
            return response;
        }
        let wanted = self.picture_bytes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(wanted) = wanted else { return response };
        let (mut head, body) = response.into_parts();
        let Ok(whole) = body.collect().await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut picture = whole.to_bytes().to_vec();
        picture.resize(wanted.max(picture.len()), 0);
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::from(picture))
    }

    fn take(&self, request: &Request) -> Option<Order> {
        if request.method() != Method::POST {
            return None;
        }
        let service = request.uri().path().split('/').nth(2).unwrap_or_default();
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let at = orders.iter().position(|order| order.service.name() == service)?;
        Some(orders.remove(at))
    }
}

impl Held {
    /// Waits until the provider was asked and its answer stands still.
    pub async fn reached(&mut self) {
        // An order that was dropped was let go by the one who asked; there is nothing to wait for.
        let _ = self.reached.wait_for(|reached| *reached).await;
    }

    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release.send_replace(true);
    }
}

impl Order {
    async fn wait(&mut self) {
        self.reached.send_replace(true);
        // The end of the sender is a release too.
        let _ = self.released.wait_for(|released| *released).await;
    }
}

/// The provider has taken the work when its answer is held: before its head, or after some pieces.
pub(crate) async fn hold_back(State(holds): State<Holds>, request: Request, next: Next) -> Response {
    let Some(mut order) = holds.take(&request) else {
        return holds.lengthened(next.run(request).await).await;
    };
    let response = next.run(request).await;
    if order.pieces == 0 {
        order.wait().await;
        return response;
    }
    let (head, mut body) = response.into_parts();
    let (pieces, passed_on) = mpsc::channel::<Result<Frame<Bytes>, axum::Error>>(1);
    tokio::spawn(async move {
        let mut passed = 0;
        while let Some(frame) = body.frame().await {
            if passed == order.pieces {
                order.wait().await;
            }
            passed += 1;
            if pieces.send(frame).await.is_err() {
                return;
            }
        }
    });
    let frames = Passed(passed_on);
    Response::from_parts(head, Body::new(StreamBody::new(frames)))
}

struct Passed(mpsc::Receiver<Result<Frame<Bytes>, axum::Error>>);

impl futures_util::Stream for Passed {
    type Item = Result<Frame<Bytes>, axum::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
