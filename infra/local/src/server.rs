//! The port: connections that say nothing, or only slowly, are closed, and a stop lets open requests end.

use crate::stopping::Stops;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::Listener;
use http_body::{Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{BoxError, Service, ServiceExt};

/// Serves until the first stop. What is open then goes on; [`Open::ended`] waits for it.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    idle: Duration,
    stops: &mut Stops,
) -> Open {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // From the end of one request, or the connection's beginning, to the last byte of the next one's head.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle);
    let open = GracefulShutdown::new();
    loop {
        let (socket, address) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = stops.next() => return Open(open),
        };
        let service = TowerToHyperService::new(Connection { router: router.clone(), address, idle });
        let connection = builder.serve_connection(TokioIo::new(prompt(socket)), service).into_owned();
        let connection = open.watch(connection);
        // When a connection ends in an error, its client has left and can be told nothing.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// Small events of a stream must not wait for more to send.
fn prompt(socket: TcpStream) -> TcpStream {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::warn!(error = %error, "a connection stays with delayed sending");
    }
    socket
}

/// Connections that were open at the stop: each ends with the answer it is waiting for, those that wait for none at once.
pub(crate) struct Open(GracefulShutdown);

impl Open {
    pub(crate) async fn ended(self) {
        self.0.shutdown().await;
    }
}

/// One connection's way to the router.
#[derive(Clone)]
struct Connection {
    router: Router,
    address: SocketAddr,
    idle: Duration,
}

impl<B> Service<http::Request<B>> for Connection
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let idle = self.idle;
        let mut request: Request = request.map(|body| Body::new(Timed { body, idle, until: None }));
        request.extensions_mut().insert(ConnectInfo(self.address));
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// A body that must be whole within the time, so that a sender of single bytes holds nothing open.
struct Timed<B> {
    body: B,
    idle: Duration,
    /// Set when the body is waited for at all; most are there with their head.
    until: Option<Pin<Box<Sleep>>>,
}

impl<B> HttpBody for Timed<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = self.idle;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
        ready!(until.as_mut().poll(context));
        Poll::Ready(Some(Err("the body took too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
