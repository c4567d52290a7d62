//! [`Connection`]: one request after the other to one server, while it lasts.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Address, ClientError};

/// It has no task of its own: it makes progress while somebody waits for something that happens on
/// it, and is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What moves the bytes; nothing once the connection is over.
    driver: Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>,
}

/// Why a connection has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It was over before anything was sent; here is the request.
    Unsent(Box<Request<Full<Bytes>>>, hyper::Error),
    /// The server may have seen the request.
    Failed(ClientError),
}

impl From<NoAnswer> for ClientError {
    fn from(reason: NoAnswer) -> Self {
        match reason {
            NoAnswer::Unsent(_, error) => Self::Connect(io::Error::other(error)),
            NoAnswer::Failed(error) => error,
        }
    }
}

impl Connection {
    /// Connects. Heads of answers may have `head` bytes, at least 8 KiB.
    pub(super) async fn open(address: &Address, head: usize) -> io::Result<Self> {
        let stream = TcpStream::connect((address.host(), address.port())).await?;
        // A request is sent as one piece, and at once.
        stream.set_nodelay(true)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(head.max(8 * 1024));
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(connection) })
    }

    /// Sends a request as it is, and resolves with the head of the answer.
    pub(super) async fn ask(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Self, Response<Incoming>), NoAnswer> {
        // Gives the runtime a chance to notice that the server has closed the connection meanwhile:
        // that can be told from a lost request only before the request is sent.
        tokio::task::yield_now().await;
        let Self { sender, driver } = &mut self;
        if let Err(error) = drive(driver, sender.ready()).await {
            return Err(NoAnswer::Unsent(Box::new(request), error));
        }
        match drive(driver, sender.try_send_request(request)).await {
            Ok(answer) => Ok((self, answer)),
            Err(mut failed) => Err(match (failed.take_message(), failed.into_error()) {
                (Some(unsent), error) => NoAnswer::Unsent(Box::new(unsent), error),
                (None, error) if error.is_parse() => NoAnswer::Failed(ClientError::NotHttp(error)),
                (None, error) => NoAnswer::Failed(ClientError::Lost(error)),
            }),
        }
    }

    /// Waits for something that happens on the connection.
    pub(super) async fn drive<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        drive(&mut self.driver, awaited).await
    }
}

async fn drive<T>(
    driver: &mut Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>,
    awaited: impl Future<Output = T>,
) -> T {
    let mut awaited = pin!(awaited);
    poll_fn(|context| {
        // The connection first, so that its end is seen before a request is sent.
        if let Some(connection) = driver
            && let Poll::Ready(ended) = Pin::new(connection).poll(context)
        {
            // Whoever waits for an answer is told the same.
            tracing::trace!(?ended, "a connection of a client is over");
            *driver = None;
        }
        awaited.as_mut().poll(context)
    })
    .await
}
