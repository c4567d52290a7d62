//! [`Told`]: a stream that ends with an error if the invocation has failed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use rapid_interop::stream::{EndOfStream, StreamBody};

use crate::wire::BoxError;

/// The body of a streamed response, whose end is looked at before it is passed on: a client has no
/// other way to learn that what it got is not all.
pub(crate) struct Told {
    body: StreamBody,
    /// `None` once it has been told.
    end: Option<EndOfStream>,
}

impl Told {
    pub(crate) fn new(body: StreamBody, end: EndOfStream) -> Self {
        Self { body, end: Some(end) }
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match ready!(self.body.as_mut().poll_frame(context)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            Some(Err(never)) => match never {},
            None => {}
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let end = ready!(end.as_mut().poll(context));
        self.end = None;
        Poll::Ready(end.failure.map(|(failure, _)| Err(failure.message().into())))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};
    use rapid_interop::error::ErrorResponseTooLarge;
    use rapid_interop::ports::Failure;
    use rapid_interop::stream::StreamEnd;

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_as_its_invocation_has() {
        let body = || Box::pin(Full::new(Bytes::from_static(b"a")));
        let whole = Told::new(body(), Box::pin(async { StreamEnd::default() }));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "a");
        let error = ErrorResponseTooLarge::default().as_error_response();
        let failure = Some((Failure::Truncated, error));
        let end = Box::pin(async { StreamEnd { failure, log_tail: None } });
        let mut broken = Told::new(body(), end);
        assert_eq!(broken.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        let error = broken.frame().await.unwrap().unwrap_err().to_string();
        assert_eq!(error, "Response was truncated by the runtime");
        assert!(broken.frame().await.is_none());
    }
}
