//! [`body`]: a body that tells when the connection has taken it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rapid_interop::ports::Receipt;

/// The payload of an event. The receipt is settled once the connection has taken it; if that never
/// happens, it is dropped unsettled.
pub(crate) fn body(payload: Bytes, receipt: impl Receipt) -> axum::body::Body {
    if payload.is_empty() {
        // Nobody asks for a body without bytes: the event is on its way with the head.
        receipt.settle();
        return axum::body::Body::empty();
    }
    axum::body::Body::new(EventBody { payload: Some(payload), receipt: Some(receipt) })
}

/// A payload of at least a byte, and its receipt.
struct EventBody<R> {
    payload: Option<Bytes>,
    receipt: Option<R>,
}

// Nothing in it is ever pinned.
impl<R> Unpin for EventBody<R> {}

impl<R: Receipt> Body for EventBody<R> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(receipt) = self.receipt.take() {
            receipt.settle();
        }
        Poll::Ready(self.payload.take().map(|payload| Ok(Frame::data(payload))))
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.payload.as_ref().map_or(0, |payload| payload.len() as u64))
    }
}
