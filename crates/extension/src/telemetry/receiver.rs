//! [`Receiver`]: listens for telemetry.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use rapid_events::Received;
use rapid_http::{BodyError, Limits, collect, serve, service_fn};
use tokio::net::{TcpListener, lookup_host};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::telemetry::batch::decode;
use crate::telemetry::subscription::HOST;

/// The largest body that is read, in bytes. A batch may be twice as large as what was asked for,
/// which is 1 MiB at most, and has some more for each record.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// How long a sender may stand still in the middle of a request or of reading an answer.
const STALL: Option<Duration> = Some(Duration::from_secs(5));

/// No limit for the time between two requests: nothing happens while the environment is frozen.
const LIMITS: Limits = Limits { head: 16 * 1024, head_timeout: None, write_stall: STALL };

/// How long to look for the address of the sandbox. Where it has one, it is in a file.
const LOOKUP: Duration = Duration::from_millis(500);

/// How long the last answers may take once the receiver is closed.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Listens for telemetry: an HTTP server for a subscription with
/// [`Destination::Http`](super::Destination::Http).
///
/// A request is answered with 200 when [`next`](Self::next) takes its events. The platform sends
/// what was not answered once more: a crashed extension's next life gets what nobody has taken, and
/// whoever is busy for so long that the platform gives an attempt up finds the events in the next
/// one, and once only. Nothing is kept beside the batch that waits to be taken: whoever is slow
/// leaves the rest with the platform, which counts what it cannot keep in `platform.logsDropped`.
///
/// Any path is taken, with POST or PUT. A body that is no array is 400, one of more than 8 MiB 413.
///
/// Tasks of the tokio runtime serve it; they end with it.
#[derive(Debug)]
pub struct Receiver {
    batches: mpsc::Receiver<Batch>,
    address: SocketAddr,
    serving: JoinHandle<()>,
    /// Ends the serving when it is dropped.
    stop: DropGuard,
}

/// What one request has brought.
#[derive(Debug)]
struct Batch {
    events: Vec<Received>,
    /// Whom to tell that they were taken.
    taken: oneshot::Sender<()>,
}

impl Receiver {
    /// Listens on a port of the sandbox; 0 is any that is free, see [`port`](Self::port).
    ///
    /// The address is that of `sandbox.localdomain`, which the service delivers to. Where nobody
    /// knows that name, or knows it as somebody else, it is 127.0.0.1: emulators deliver to that,
    /// and it cannot be reached from other machines as 0.0.0.0 can. For any other address there is
    /// [`over`](Self::over).
    ///
    /// # Errors
    /// The system's: mostly that the port is taken.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn bind(port: u16) -> io::Result<Self> {
        if let Ok(Ok(addresses)) = tokio::time::timeout(LOOKUP, lookup_host((HOST, port))).await {
            for address in addresses {
                match TcpListener::bind(address).await {
                    Ok(listener) => return Self::over(listener),
                    // Another address of the same name is not where the platform delivers to.
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                    Err(error) => tracing::debug!(%address, %error, "cannot listen at {HOST}"),
                }
            }
        }
        Self::over(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?)
    }

    /// Takes what comes to a listener.
    ///
    /// # Errors
    /// When the listener does not know its address.
    ///
    /// # Panics
    /// As [`bind`](Self::bind).
    pub fn over(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, batches) = mpsc::channel(1);
        // With one body at a time there is nothing to bound beside its size.
        let turn = Arc::new(Semaphore::new(1));
        let accept = move |_| {
            let (turn, batches) = (Arc::clone(&turn), sender.clone());
            let service = service_fn(move |request| {
                let (turn, batches) = (Arc::clone(&turn), batches.clone());
                async move { Ok::<_, Infallible>(answer(take(request, &turn, &batches).await)) }
            });
            (service, pending())
        };
        let stop = CancellationToken::new();
        // Begins when it is first waited for.
        let cut = async { tokio::time::sleep(LAST_WORDS).await };
        let serving = serve(listener, LIMITS, stop.clone(), cut, accept);
        Ok(Self { batches, address, serving: tokio::spawn(serving), stop: stop.drop_guard() })
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address it listens at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for events, for as long as it takes. There always is one at least, and they are in the
    /// order in which the platform sends them.
    ///
    /// # Cancel safety
    /// It is cancel safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Vec<Received> {
        while let Some(Batch { events, taken }) = self.batches.recv().await {
            // Whoever has hung up sends it again.
            if taken.send(()).is_ok() {
                return events;
            }
        }
        // Nobody serves any more: the runtime is on its way out.
        pending().await
    }

    /// Lets the last answers out, for at most 100 ms, and stops listening. What was not taken is
    /// refused, so that it stays with the platform.
    pub async fn close(self) {
        let Self { batches, serving, stop, .. } = self;
        drop(batches);
        drop(stop);
        // It can only fail together with the runtime.
        let _ = serving.await;
    }
}

/// Why a request is not taken.
enum Refused {
    Method,
    Body(BodyError),
    NotABatch(serde_json::Error),
    /// Nobody wants its events any more.
    Closed,
}

/// Reads a request and waits until its events are taken.
async fn take(
    request: Request<Incoming>,
    turn: &Semaphore,
    batches: &mpsc::Sender<Batch>,
) -> Result<(), Refused> {
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return Err(Refused::Method);
    }
    let _turn = turn.acquire().await.map_err(|_| Refused::Closed)?;
    let body = collect(request.into_body(), MAX_BODY, STALL).await.map_err(Refused::Body)?;
    let events = decode(&body).map_err(Refused::NotABatch)?;
    drop(body);
    if events.is_empty() {
        return Ok(());
    }
    let (taken, answer) = oneshot::channel();
    batches.send(Batch { events, taken }).await.map_err(|_| Refused::Closed)?;
    answer.await.map_err(|_| Refused::Closed)
}

fn answer(taken: Result<(), Refused>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = match taken {
        Ok(()) => StatusCode::OK,
        Err(Refused::Method) => StatusCode::METHOD_NOT_ALLOWED,
        Err(Refused::Body(error)) => {
            tracing::warn!(%error, "a batch of telemetry could not be read");
            match error {
                BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::Truncated | BodyError::Stalled(_) => StatusCode::BAD_REQUEST,
            }
        }
        Err(Refused::NotABatch(error)) => {
            tracing::warn!(%error, "something came that is no batch of telemetry");
            StatusCode::BAD_REQUEST
        }
        Err(Refused::Closed) => StatusCode::SERVICE_UNAVAILABLE,
    };
    response
}
