//! [`AnswerBody`]: an answer as it comes.

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::ClientError;
use super::connection::Connection;

/// The body of an answer. Whoever reads it slowly holds the server back.
///
/// Once it has been read to the end, the connection can carry the client's next request. If it is
/// dropped before, the connection is closed.
#[derive(Debug)]
pub struct AnswerBody<'a> {
    incoming: Incoming,
    /// Nothing once the answer is over.
    connection: Option<Connection>,
    /// Where the connection is kept afterwards.
    keep: &'a mut Option<Connection>,
}

impl<'a> AnswerBody<'a> {
    pub(super) const fn new(
        incoming: Incoming,
        connection: Connection,
        keep: &'a mut Option<Connection>,
    ) -> Self {
        Self { incoming, connection: Some(connection), keep }
    }

    /// Waits for the next piece; `None` is the end. Trailers are left out.
    ///
    /// # Errors
    /// [`ClientError::BrokenOff`]; nothing follows it.
    ///
    /// # Cancel safety
    /// Dropping the future loses no piece.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(connection) = &mut self.connection {
            match connection.drive(self.incoming.frame()).await {
                None => *self.keep = self.connection.take(),
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                Some(Err(error)) => {
                    self.connection = None;
                    return Err(ClientError::BrokenOff(error));
                }
            }
        }
        Ok(None)
    }
}

/// Reads an answer to its end. Its body may have `limit` bytes.
///
/// # Errors
/// [`ClientError::BrokenOff`] and [`ClientError::TooLarge`].
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn read_whole(
    answer: Response<AnswerBody<'_>>,
    limit: usize,
) -> Result<Response<Bytes>, ClientError> {
    let (head, mut body) = answer.into_parts();
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next_piece().await? {
        let room = limit - whole.len();
        whole.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            let start = Box::new(Response::from_parts(head, whole.freeze()));
            return Err(ClientError::TooLarge { limit, start });
        }
    }
    Ok(Response::from_parts(head, whole.freeze()))
}
