//! [`Connection`]: one connection to the API, driven by whoever waits for an answer.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::address::Address;
use crate::error::Unreadable;

/// The largest body that is read, in bytes. The API's answers have a few hundred.
const MAX_BODY: usize = 1024 * 1024;

/// How long one attempt to connect may take. On loopback it takes no time at all.
const CONNECTING: Duration = Duration::from_secs(3);

/// One connection to the API.
///
/// No task of its own: it makes progress while somebody waits for an answer, and is closed when it
/// is dropped.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
pub(crate) enum Broken {
    /// The connection ended before anything was sent; here is the request.
    Unsent(Box<Request<Full<Bytes>>>, io::Error),
    /// The connection ended before there was any answer.
    Lost(io::Error),
    /// The answer makes no sense.
    Unreadable(Unreadable),
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The system's, or `TimedOut`.
    pub(crate) async fn open(address: &Address) -> io::Result<Self> {
        let connecting = TcpStream::connect(address.as_str());
        let stream = tokio::time::timeout(CONNECTING, connecting).await??;
        // A request is small, and is to be sent at once.
        stream.set_nodelay(true)?;
        let mut builder = http1::Builder::new();
        // As the API's documentation writes them.
        builder.title_case_headers(true);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Driver(Some(connection)) })
    }

    /// Sends a request and reads the whole answer, and hands the connection back if it can carry
    /// another request.
    ///
    /// # Errors
    /// [`Broken`], which says what the API can have seen of the request.
    pub(crate) async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Reply, Option<Self>), Broken> {
        // Gives the runtime a chance to notice that the other side has closed the connection
        // meanwhile: that can be told from a lost request only before the request is sent.
        tokio::task::yield_now().await;
        if let Err(error) = self.driver.drive(self.sender.ready()).await {
            return Err(Broken::Unsent(Box::new(request), io::Error::other(error)));
        }
        let response = self.sender.try_send_request(request);
        let response = match self.driver.drive(response).await {
            Ok(response) => response,
            Err(mut failed) => {
                let unsent = failed.take_message();
                return Err(broken(unsent, failed.into_error()));
            }
        };
        let (head, body) = response.into_parts();
        let collected = self.driver.drive(collect(body)).await;
        let reply = |body| Reply { status: head.status, headers: head.headers, body };
        match collected {
            Ok(Collected::Whole(body)) => Ok((reply(body), Some(self))),
            // The status says more than the size of what comes with it.
            Ok(Collected::Start(body)) if !head.status.is_success() => Ok((reply(body), None)),
            Ok(Collected::Start(_)) => {
                Err(Broken::Unreadable(Unreadable::TooLarge { limit: MAX_BODY }))
            }
            Err(error) => Err(Broken::Unreadable(Unreadable::BrokenOff(io::Error::other(error)))),
        }
    }
}

fn broken(unsent: Option<Request<Full<Bytes>>>, error: hyper::Error) -> Broken {
    match unsent {
        Some(request) => Broken::Unsent(Box::new(request), io::Error::other(error)),
        None if error.is_parse() => {
            Broken::Unreadable(Unreadable::NotHttp(io::Error::other(error)))
        }
        None => Broken::Lost(io::Error::other(error)),
    }
}

/// The half of a connection that moves the bytes; nothing once the connection is over.
struct Driver(Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>);

impl Driver {
    /// Waits for something that happens on the connection.
    async fn drive<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = pin!(awaited);
        poll_fn(|context| {
            // The connection first, so that its end is seen before a request is sent.
            self.turn(context);
            awaited.as_mut().poll(context)
        })
        .await
    }

    fn turn(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && let Poll::Ready(ended) = Pin::new(connection).poll(context)
        {
            // Whoever waits for an answer is told the same.
            tracing::trace!(?ended, "a connection to the Extensions API is over");
            self.0 = None;
        }
    }
}

enum Collected {
    Whole(Bytes),
    /// The body is larger than what is read of it.
    Start(Bytes),
}

async fn collect(mut body: Incoming) -> hyper::Result<Collected> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers mean nothing here.
        let Ok(data) = frame?.into_data() else { continue };
        let room = MAX_BODY - whole.len();
        whole.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok(Collected::Start(whole.freeze()));
        }
    }
    Ok(Collected::Whole(whole.freeze()))
}
