//! [`serve`]: accepts connections and ends them in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::paced::Paced;
use crate::seldom::Seldom;

/// How long a connection may take to write its last answer once it has to end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long to wait before accepting again when the process is out of file descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// What a listener puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest request head, in bytes; it also bounds how much is read at once.
    pub head: usize,
    /// How long a client may take to send a request head, idle time between requests included.
    /// `None`: for ever.
    pub head_timeout: Option<Duration>,
    /// How long a client may leave an answer unread before its connection is closed. `None`: for
    /// ever.
    pub write_stall: Option<Duration>,
}

/// Serves connections from `listener` until `stop` is cancelled, then lets those that are open
/// finish their request until `cut` resolves, which is polled only from then on. What is left then
/// is cut off.
///
/// `accept` is called once for every connection, with the client's address. It returns the service that answers on it, and a
/// future that resolves when the connection has to end although nobody asked the server to stop.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve<A, S, E, B>(
    listener: TcpListener,
    limits: Limits,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
    accept: A,
) where
    A: Fn(SocketAddr) -> (S, E),
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    E: Future<Output = ()> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = TaskTracker::new();
    let cut_off = CancellationToken::new();
    loop {
        let (stream, client) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
        };
        let (service, end) = accept(client);
        let (stop, cut_off) = (stop.clone(), cut_off.clone());
        connections.spawn(connection(stream, limits, stop, cut_off, service, end));
    }
    drop(listener);
    connections.close();
    tokio::select! {
        biased;
        () = connections.wait() => {}
        () = cut => {
            tracing::debug!(connections = connections.len(), "cutting the last connections off");
            cut_off.cancel();
            connections.wait().await;
        }
    }
}

/// A peer that vanished between connect and accept is no reason to wait; a lack of descriptors is.
async fn pause_after(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "could not accept a connection; trying again");
    tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
}

async fn connection<S, E, B>(
    stream: TcpStream,
    limits: Limits,
    stop: CancellationToken,
    cut_off: CancellationToken,
    service: S,
    end: E,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    E: Future<Output = ()> + Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let mut builder = http1::Builder::new();
    // hyper does not take less.
    builder.title_case_headers(true).max_buf_size(limits.head.max(8192));
    // Trailers count too, which would otherwise have to be small.
    builder.max_header_size(limits.head.max(8192));
    if let Some(timeout) = limits.head_timeout {
        builder.timer(TokioTimer::new()).header_read_timeout(timeout);
    }
    let stream = Paced::new(stream, limits.write_stall);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ending = Seldom::new(async {
        tokio::select! {
            biased;
            () = cut_off.cancelled() => Ending::Now,
            () = stop.cancelled() => Ending::AfterThisRequest,
            () = end => Ending::Soon,
        }
    });
    let ending = tokio::select! {
        biased;
        served = connection.as_mut() => return tell(served),
        ending = ending => ending,
    };
    let last = match ending {
        Ending::Now => return,
        Ending::AfterThisRequest => None,
        Ending::Soon => Some(LAST_WORDS),
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        served = connection => tell(served),
        // Whoever is still sending or reading now is cut off.
        () = cut_off.cancelled() => {}
        () = after(last) => {}
    }
}

/// Why a connection has to end.
enum Ending {
    /// No time is left.
    Now,
    /// The server stops.
    AfterThisRequest,
    /// Its service has ended.
    Soon,
}

/// Resolves when the time is over, if there is any.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

fn tell(served: hyper::Result<()>) {
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
