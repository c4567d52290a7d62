//! A small client: one connection, one request at a time, everything with a bound.
//!
//! [`send`] is the whole way: connect, ask once, read the answer. Whoever asks the same server again
//! and again, or wants answers as they come, has a [`Client`]. There is no pool, no redirect, no proxy
//! and no TLS.

mod address;
mod answer;
mod connection;
mod kept;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

pub use self::address::{Address, AddressError};
pub use self::answer::{AnswerBody, read_whole};
pub use self::kept::Client;

/// What an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// How long all of it may take: to connect, to send the request, to read the answer.
    pub total: Duration,
    /// The largest head of an answer, in bytes; at least 8 KiB, as hyper wants it.
    pub head: usize,
    /// The largest body of an answer, in bytes.
    pub body: usize,
}

impl Default for ClientLimits {
    /// Ten seconds, 16 KiB, and 1 MiB.
    fn default() -> Self {
        Self { total: Duration::from_secs(10), head: 16 * 1024, body: 1024 * 1024 }
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request's URI says nowhere to go.
    #[error("not an address to ask: {0}")]
    Address(#[from] AddressError),
    /// There is no connection; nothing was sent.
    #[error("could not connect: {0}")]
    Connect(#[source] io::Error),
    /// The connection ended before there was an answer; the request may have been carried out.
    #[error("the connection ended before there was an answer: {0}")]
    Lost(#[source] hyper::Error),
    /// What came back is no HTTP.
    #[error("the answer is not HTTP: {0}")]
    NotHttp(#[source] hyper::Error),
    /// The answer's body is larger than the limit.
    #[error("the answer's body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// The head and as much of the body as the limit allows.
        start: Box<Response<Bytes>>,
    },
    /// The answer's body broke off.
    #[error("the answer broke off: {0}")]
    BrokenOff(#[source] hyper::Error),
    /// It took too long; the request may have been carried out.
    #[error("no whole answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

/// Sends one request on a connection of its own and reads the whole answer.
///
/// The URI has to be an [`Address`]. `Host` is set unless the request has it, `Content-Length` always.
///
/// # Errors
/// [`ClientError`]; an answer of any status is none.
///
/// # Cancel safety
/// Dropping the future closes the connection; the server may have seen the request.
pub async fn send(
    request: Request<Bytes>,
    limits: ClientLimits,
) -> Result<Response<Bytes>, ClientError> {
    let exchange = async {
        let mut client = Client::new(request.uri().clone().try_into()?, limits.head);
        read_whole(client.ask(request).await?, limits.body).await
    };
    match tokio::time::timeout(limits.total, exchange).await {
        Ok(answered) => answered,
        Err(_) => Err(ClientError::TimedOut(limits.total)),
    }
}
