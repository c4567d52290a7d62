//! [`EventStream`]: a response as the messages of an event stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use rapid_interop::{InvokeStream, StreamEnd};
use serde::Serialize;

/// The largest payload of a message with a piece of a response.
const MAX_CHUNK: usize = 1024 * 1024;

/// The largest payload that every client takes.
const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// What a message has besides headers and payload: two lengths and two checksums.
const FRAMING: usize = 16;

const CHUNK: Headers = &[
    (":event-type", "PayloadChunk"),
    (":content-type", "application/octet-stream"),
    (":message-type", "event"),
];

const COMPLETE: Headers = &[
    (":event-type", "InvokeComplete"),
    (":content-type", "application/json"),
    (":message-type", "event"),
];

type Headers = &'static [(&'static str, &'static str)];

/// The body of a reply to who wants a response in pieces: a message for each piece, then one that
/// tells the end.
///
/// # Source
/// Invoke API, "Frame layout" and "Stream semantics".
pub(crate) struct EventStream {
    /// Parts of messages that are to be written.
    parts: VecDeque<Bytes>,
    /// `None` once all of it is in `parts`.
    stream: Option<InvokeStream>,
    /// How the stream has ended, when that is known and not all of it has been taken yet.
    end: Option<StreamEnd>,
}

/// The payload of the last message.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Complete {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_result: Option<String>,
}

impl EventStream {
    /// Of a response that comes.
    pub(crate) const fn new(stream: InvokeStream) -> Self {
        Self { parts: VecDeque::new(), stream: Some(stream), end: None }
    }

    /// Of a response that is there.
    pub(crate) fn whole(payload: Bytes, end: StreamEnd) -> Self {
        let mut whole = Self { parts: VecDeque::new(), stream: None, end: None };
        whole.push_chunks(payload);
        whole.push_end(end);
        whole
    }

    fn push_chunks(&mut self, mut payload: Bytes) {
        while !payload.is_empty() {
            let chunk = payload.split_to(payload.len().min(MAX_CHUNK));
            self.parts.extend(message(CHUNK, chunk));
        }
    }

    /// The error is told here, too, as the API's reference has it; the service itself only shows
    /// it in the bytes before.
    fn push_end(&mut self, end: StreamEnd) {
        let error = end.failure.map(|(_, error)| error.payload);
        let mut complete = Complete {
            error_code: error.is_some().then_some("Unhandled"),
            error_details: error.map(|error| String::from_utf8_lossy(&error).into_owned()),
            log_result: end.log_tail.map(|log| STANDARD.encode(log)),
        };
        // Texts always serialise.
        let mut payload = serde_json::to_vec(&complete).unwrap_or_default();
        if payload.len() > MAX_PAYLOAD {
            // What is hard to escape becomes several times as long. So long an error has been sent
            // as it is before.
            complete.error_details = None;
            payload = serde_json::to_vec(&complete).unwrap_or_default();
        }
        self.parts.extend(message(COMPLETE, payload.into()));
    }

    /// Takes what has come of the stream; ready when there is something to write, or nothing will
    /// ever come.
    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(stream) = &mut self.stream {
            let piece = match stream.body.as_mut().poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        self.push_chunks(piece);
                    }
                    if self.parts.is_empty() {
                        continue;
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            };
            // Nobody may be left to end the body of an invocation that has failed. One more look
            // at it: something may have come before the failure.
            match self.end.take() {
                None => self.end = Some(ready!(stream.end.as_mut().poll(context))),
                Some(end) if piece.is_ready() || end.failure.is_some() => {
                    self.stream = None;
                    self.push_end(end);
                    return Poll::Ready(());
                }
                end @ Some(_) => {
                    self.end = end;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.parts.is_empty() {
            ready!(self.poll_stream(context));
        }
        Poll::Ready(self.parts.pop_front().map(|part| Ok(Frame::data(part))))
    }
}

/// A message, in parts, so that the payload is not copied.
fn message(headers: Headers, payload: Bytes) -> [Bytes; 3] {
    let headers_len: usize =
        headers.iter().map(|(name, value)| 1 + name.len() + 1 + 2 + value.len()).sum();
    let mut head = BytesMut::with_capacity(12 + headers_len);
    // A chunk is at most 1 MiB, and so is what ends a stream but for an error as large as a
    // response may be.
    put_len(&mut head, FRAMING + headers_len + payload.len());
    put_len(&mut head, headers_len);
    head.put_u32(crc32fast::hash(&head));
    for (name, value) in headers {
        head.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.put_slice(name.as_bytes());
        // The type: a string.
        head.put_u8(7);
        head.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        head.put_slice(value.as_bytes());
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&head);
    checksum.update(&payload);
    let checksum = checksum.finalize().to_be_bytes();
    [head.freeze(), payload, Bytes::copy_from_slice(&checksum)]
}

fn put_len(out: &mut BytesMut, len: usize) {
    out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use rapid_fatal_error::ErrorType;
    use rapid_interop::ports::Failure;
    use rapid_interop::{ErrorInvokeResponse, FunctionError, InvokeResponseHeaders};

    use super::*;

    fn hex(parts: impl IntoIterator<Item = Bytes>) -> String {
        parts.into_iter().flatten().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn messages_have_the_bytes_that_were_recorded() {
        assert_eq!(
            hex(message(CHUNK, Bytes::from_static(b"Hello world "))),
            "000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f\
             6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d657373\
             6167652d747970650700056576656e7448656c6c6f20776f726c642033971fd8"
        );
        assert_eq!(
            hex(message(COMPLETE, Bytes::from_static(b"{}"))),
            "00000066000000541f56c8690b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d3a\
             636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d7479\
             70650700056576656e747b7d7006d467"
        );
    }

    #[test]
    fn an_error_that_no_client_would_take_again_is_not_told_twice() {
        let told = |byte: u8| {
            let error = ErrorInvokeResponse {
                headers: InvokeResponseHeaders::default(),
                payload: vec![byte; 6 * MAX_CHUNK].into(),
                function_error: FunctionError {
                    error_type: ErrorType::RuntimeUnknown,
                    message: String::new(),
                },
            };
            let end = StreamEnd { failure: Some((Failure::Reported, error)), log_tail: None };
            EventStream::whole(Bytes::new(), end).parts.swap_remove_back(1).unwrap()
        };
        let around = r#"{"ErrorCode":"Unhandled","ErrorDetails":""}"#.len();
        assert_eq!(told(b'x').len(), 6 * MAX_CHUNK + around);
        assert_eq!(told(0), r#"{"ErrorCode":"Unhandled"}"#);
    }

    #[test]
    fn a_long_payload_is_several_messages_and_an_empty_one_none() {
        let parts = |size| {
            let whole = EventStream::whole(vec![b'x'; size].into(), StreamEnd::default());
            whole.parts.iter().skip(1).step_by(3).map(Bytes::len).collect::<Vec<_>>()
        };
        assert_eq!(parts(0), [2]);
        assert_eq!(parts(MAX_CHUNK), [MAX_CHUNK, 2]);
        assert_eq!(parts(2 * MAX_CHUNK + 1), [MAX_CHUNK, MAX_CHUNK, 1, 2]);
    }
}
