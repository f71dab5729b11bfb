//! Serving a router on a socket of our own, so that a handler can cut the connection it answers on.

use axum::Extension;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The connection a request came on.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Notify>);

impl Connection {
    /// Ends the connection at once. Whoever is at the other end sees it reset.
    pub(crate) fn cut(&self) {
        self.0.notify_one();
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serving ends with this value.
#[derive(Debug)]
pub(crate) struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) async fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Serves plain HTTP.
pub(crate) fn serve(listener: TcpListener, router: Router) -> Serving {
    serve_secured(listener, router, |socket| async move { Ok(socket) })
}

/// Serves what `secured` makes of a connection.
pub(crate) fn serve_secured<F, S>(
    listener: TcpListener,
    router: Router,
    secured: impl Fn(TcpStream) -> F + Clone + Send + 'static,
) -> Serving
where
    F: Future<Output = std::io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let accepting = tokio::spawn(async move {
        // Connections end with their set, and the set with this task.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (socket, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::error!(error = %error, "the emulator can't take connections any more");
                    return;
                }
            };
            while connections.try_join_next().is_some() {}
            let (router, secured) = (router.clone(), secured.clone());
            connections.spawn(async move {
                if let Err(error) = socket.set_nodelay(true).and_then(|()| socket.set_zero_linger()) {
                    tracing::debug!(error = %error, "a connection keeps its defaults");
                }
                match secured(socket).await {
                    Ok(stream) => answer(stream, peer, router).await,
                    Err(error) => tracing::warn!(error = %error, "a connection could not be secured"),
                }
            });
        }
    });
    Serving(accepting.abort_handle())
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
) {
    let connection = Connection::default();
    let router = router.layer(Extension(connection.clone())).layer(Extension(Peer(peer)));
    let builder = Builder::new(TokioExecutor::new());
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::debug!(error = %error, "a connection ended early");
        },
        () = connection.0.notified() => {}
    }
}
