//! [`HttpSubscriber`]: sends batches as HTTP requests.

use std::future::poll_fn;
use std::io;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ATTEMPT, Subscriber, body};

/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How much of an answer's body is read so that the connection can be used again, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How long that may take. A new connection is cheap.
const LINGER: Duration = Duration::from_millis(200);

const SEQUENCE_ID: HeaderName = HeaderName::from_static("sequence-id");

/// A subscriber that is sent JSON arrays over HTTP/1.1, on a connection that is kept.
pub(super) struct HttpSubscriber {
    port: u16,
    uri: Uri,
    method: Method,
    idle: Option<Connection>,
}

impl HttpSubscriber {
    pub(super) fn new(port: u16, target: PathAndQuery, method: Method) -> Self {
        Self { port, uri: Uri::from(target), method, idle: None }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> io::Result<(StatusCode, Rest)> {
        let kept = match self.idle.take() {
            Some(connection) => connection.if_alive().await,
            None => None,
        };
        let connection = match kept {
            Some(connection) => connection,
            None => Connection::open(self.port).await?,
        };
        connection.exchange(request).await.map_err(io::Error::other)
    }
}

impl Subscriber for HttpSubscriber {
    type Parcel = Request<Full<Bytes>>;

    fn pack(&self, events: &[Bytes]) -> Request<Full<Bytes>> {
        let body = body::array(events);
        let fixed = HeaderValue::from_static;
        let text = |text: String| HeaderValue::try_from(text).ok();
        let headers = [
            (header::CONTENT_TYPE, Some(fixed("application/json"))),
            (header::CONTENT_LENGTH, Some(HeaderValue::from(body.len()))),
            (header::HOST, text(format!("{}:{}", Ipv4Addr::LOCALHOST, self.port))),
            (header::CONNECTION, Some(fixed("keep-alive"))),
            (header::USER_AGENT, Some(fixed("awslambda-worker/1.0"))),
            (SEQUENCE_ID, text(sequence_id(&body))),
        ];
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        request.headers_mut().extend(headers);
        request
    }

    /// Fails if the batch could not be sent, was not answered in time, or was answered with a
    /// status from 400 on.
    ///
    /// # Source
    /// Telemetry API, "Transport".
    async fn send(&mut self, request: &Request<Full<Bytes>>) -> io::Result<()> {
        let (status, rest) = timeout(ATTEMPT, self.exchange(request.clone())).await??;
        self.idle = timeout(LINGER, rest.read()).await.ok().flatten();
        if status.as_u16() >= 400 {
            return Err(io::Error::other(format!("the subscriber answered {}", status.as_u16())));
        }
        Ok(())
    }
}

/// What tells one body from another: subscribers that are sent the same are told the same.
fn sequence_id(body: &[u8]) -> String {
    STANDARD_NO_PAD.encode(Sha256::digest(body))
}

/// One connection. It has no task of its own: it makes progress while a batch is being sent.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

impl Connection {
    async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Driver(Some(connection)) })
    }

    /// The connection, unless the subscriber has closed it meanwhile. That can be told from a lost
    /// batch only before the batch is sent.
    async fn if_alive(mut self) -> Option<Self> {
        // Gives the runtime a chance to notice.
        tokio::task::yield_now().await;
        self.driver.drive(self.sender.ready()).await.ok()?;
        Some(self)
    }

    /// Sends a request and waits for the head of the answer.
    async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<(StatusCode, Rest)> {
        let response = self.sender.send_request(request);
        let (head, body) = self.driver.drive(response).await?.into_parts();
        Ok((head.status, Rest { connection: self, body }))
    }
}

/// What follows the head of an answer. Nobody wants it, but before it is read the connection cannot
/// carry another request.
struct Rest {
    connection: Connection,
    body: Incoming,
}

impl Rest {
    /// The connection, unless the body is too long or breaks off.
    async fn read(mut self) -> Option<Connection> {
        self.connection.driver.drive(read_to_end(self.body)).await?;
        Some(self.connection)
    }
}

async fn read_to_end(mut body: Incoming) -> Option<()> {
    let mut room = MAX_ANSWER;
    while let Some(frame) = body.frame().await {
        let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
        room = room.checked_sub(length)?;
    }
    Some(())
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
            tracing::trace!(?ended, "a connection to a subscriber is over");
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_id_is_the_digest_of_the_body_without_padding() {
        // The test vectors of FIPS 180-4 for "abc" and for nothing.
        assert_eq!(sequence_id(b"abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
        assert_eq!(sequence_id(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
