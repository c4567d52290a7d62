//! A streamed response between the runtime, which sends it, and the invoker, who takes it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use rapid_interop::ports::Failure;
use rapid_interop::{InvokeResponseHeaders, InvokeStream, RequestId, StreamEnd};
use tokio::sync::{mpsc, oneshot};

use crate::answer;

/// How many pieces may wait for a slow invoker; then the runtime waits. A piece is what one read
/// brings, so that this bounds the memory of a response.
pub(crate) const PIECES: usize = 4;

/// The stream for the invoker, and where its end is told.
pub(crate) fn open(
    headers: InvokeResponseHeaders,
    pieces: mpsc::Receiver<Bytes>,
    id: RequestId,
) -> (InvokeStream, oneshot::Sender<StreamEnd>) {
    let (end, ended) = oneshot::channel();
    let ended = async move { ended.await.unwrap_or_else(|_| abandoned(&id)) };
    (InvokeStream { headers, body: Box::pin(Pieces(pieces)), end: Box::pin(ended) }, end)
}

/// The engine is gone, and nobody knows how the invocation has ended.
fn abandoned(id: &RequestId) -> StreamEnd {
    let failure = Failure::Shutdown;
    let error_type = failure.error_type();
    let error = answer::describe(&failure, error_type, id);
    StreamEnd { failure: Some((failure, error)), log_tail: None }
}

/// The pieces of a response.
#[derive(Debug)]
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
