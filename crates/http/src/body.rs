//! [`collect`]: a whole body, or why there is none.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt as _;

/// How much of a refused body is read on, so that its sender gets to see the answer.
const DRAIN: usize = 16 * 1024 * 1024;

/// Why a body could not be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the limit.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// The size: as declared, or as far as it was read.
        size: usize,
    },
    /// It ended before it was complete.
    #[error("the body ended before it was complete")]
    Truncated,
    /// Nothing more of it came.
    #[error("the body made no progress for {} seconds", .0.as_secs())]
    Stalled(Duration),
}

/// Collects a body of at most `limit` bytes; trailers are read over.
///
/// A body that came in one piece is handed on as it is; several pieces are put together once. One
/// that is too large is read on for a while, so that the sender finishes and sees the answer.
/// `patience` bounds the wait for each piece.
///
/// # Errors
/// [`BodyError`], which says whose fault it was.
///
/// # Cancel safety
/// Dropping the future drops the body; the connection is closed then.
pub async fn collect<B>(
    body: B,
    limit: usize,
    patience: Option<Duration>,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    collect_with_trailers(body, limit, patience).await.map(|(whole, _)| whole)
}

/// Collects a body of at most `limit` bytes, and the trailers after it; see [`collect`].
///
/// # Errors
/// As [`collect`].
///
/// # Cancel safety
/// As [`collect`].
pub async fn collect_with_trailers<B>(
    mut body: B,
    limit: usize,
    patience: Option<Duration>,
) -> Result<(Bytes, HeaderMap), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut trailers = HeaderMap::new();
    let declared = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    if let Some(size) = declared.filter(|size| *size > limit) {
        drain(&mut body, patience).await;
        return Err(BodyError::TooLarge { limit, size });
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(piece) = next_piece(&mut body, patience, &mut trailers).await? {
        let size = first.len() + whole.len() + piece.len();
        if size > limit {
            let rest = drain(&mut body, patience).await;
            return Err(BodyError::TooLarge { limit, size: size + rest });
        }
        if first.is_empty() && whole.is_empty() {
            first = piece;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(declared.unwrap_or(size * 2).max(size));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&piece);
    }
    Ok((if whole.is_empty() { first } else { whole.freeze() }, trailers))
}

/// The next piece of a body that is not to be collected, `None` at its end; trailers on the way are
/// added to `trailers`. `patience` bounds the wait.
///
/// # Errors
/// [`BodyError::Truncated`] or [`BodyError::Stalled`].
///
/// # Cancel safety
/// Dropping the future loses nothing.
pub async fn next_piece<B>(
    body: &mut B,
    patience: Option<Duration>,
    trailers: &mut HeaderMap,
) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = match patience {
            Some(patience) => tokio::time::timeout(patience, body.frame())
                .await
                .map_err(|_| BodyError::Stalled(patience))?,
            None => body.frame().await,
        };
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Truncated),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(Some(data)),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            },
        }
    }
}

async fn drain<B>(body: &mut B, patience: Option<Duration>) -> usize
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut drained = 0;
    while drained < DRAIN
        && let Ok(Some(piece)) = next_piece(body, patience, &mut HeaderMap::new()).await
    {
        drained += piece.len();
    }
    drained
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use http_body_util::Full;

    use super::*;

    /// A body of given pieces; `None` is a failure.
    struct Pieces(std::collections::VecDeque<Option<Bytes>>);

    impl Pieces {
        fn new(pieces: &[Option<&'static str>]) -> Self {
            Self(pieces.iter().map(|p| p.map(|p| Bytes::from_static(p.as_bytes()))).collect())
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| match piece {
                Some(data) => Ok(Frame::data(data)),
                None => Err(std::io::ErrorKind::UnexpectedEof.into()),
            }))
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_piece_is_handed_on_without_a_copy() {
        let piece = Bytes::from_static(b"hello");
        let collected = collect(Full::new(piece.clone()), 5, None).await.unwrap();
        assert_eq!(collected.as_ptr(), piece.as_ptr());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn pieces_are_put_together_in_order_up_to_the_limit() {
        let body = || Pieces::new(&[Some("ab"), Some(""), Some("cd"), Some("e")]);
        assert_eq!(collect(body(), 5, None).await.unwrap(), "abcde");
        assert_eq!(collect(body(), 4, None).await, Err(BodyError::TooLarge { limit: 4, size: 5 }));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_declared_size_over_the_limit_is_refused_and_an_empty_body_is_fine() {
        let body = Full::new(Bytes::from_static(b"hello"));
        assert_eq!(collect(body, 4, None).await, Err(BodyError::TooLarge { limit: 4, size: 5 }));
        assert_eq!(collect(Pieces::new(&[]), 0, None).await.unwrap(), "");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_that_breaks_off_is_truncated() {
        let body = Pieces::new(&[Some("ab"), None]);
        assert_eq!(collect(body, 5, None).await, Err(BodyError::Truncated));
    }

    /// Yields its piece again and again, or nothing at all, and never ends.
    struct Endless(Option<Bytes>);

    impl Body for Endless {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match &self.0 {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece.clone())))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_that_stalls_exhausts_the_patience() {
        let patience = Duration::from_millis(1);
        let collected = collect(Endless(None), 5, Some(patience)).await;
        assert_eq!(collected, Err(BodyError::Stalled(patience)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_without_end_is_drained_for_a_while_only() {
        const MEGABYTE: usize = 1024 * 1024;
        let body = Endless(Some(Bytes::from(vec![0; MEGABYTE])));
        let expected = BodyError::TooLarge { limit: MEGABYTE, size: 2 * MEGABYTE + DRAIN };
        assert_eq!(collect(body, MEGABYTE, None).await, Err(expected));
    }
}
