//! [`InvokeStream`]: a response that an invoker gets while the runtime produces it.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body::Body;

use crate::error::ErrorInvokeResponse;
use crate::invoke::InvokeResponseHeaders;
use crate::ports::Failure;

/// The bytes of a response, as they come. They end where the runtime or the platform has ended
/// them, which [`InvokeStream::end`] tells apart.
pub type StreamBody = Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>;

/// Resolves with how a streamed response has ended.
pub type EndOfStream = Pin<Box<dyn Future<Output = StreamEnd> + Send>>;

/// A response that has begun.
///
/// Whoever reads slowly holds the runtime back. Dropping the stream says that the invoker has gone:
/// the invocation goes on, and what else it produces is dropped.
///
/// # Source
/// Invoke API, "Stream semantics".
pub struct InvokeStream {
    /// What the runtime has said about the body.
    pub headers: InvokeResponseHeaders,
    /// The body.
    pub body: StreamBody,
    /// Resolves when the last byte has been put into the body, or will never be; for an invoker
    /// that wants the log, when the invocation is over.
    pub end: EndOfStream,
}

/// How a streamed response has ended.
#[derive(Clone, Debug, Default)]
pub struct StreamEnd {
    /// What the invocation failed with although it had begun to respond, and the body that tells
    /// an invoker.
    pub failure: Option<(Failure, ErrorInvokeResponse)>,
    /// The last that the invocation has logged; `None` unless it was asked for, and kept.
    pub log_tail: Option<Bytes>,
}

impl fmt::Debug for InvokeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeStream").field("headers", &self.headers).finish_non_exhaustive()
    }
}
