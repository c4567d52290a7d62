//! [`Decoder`]: the messages of an event stream, out of bytes as they come.

use bytes::{Buf as _, Bytes, BytesMut};

use super::CallError;

/// Two lengths and their checksum.
const PRELUDE: usize = 12;

/// The checksum of the message.
const CHECKSUM: usize = 4;

/// As much as the SDKs take.
const MAX_HEADERS: usize = 128 * 1024;

/// As much as the SDKs take.
const MAX_PAYLOAD: usize = 24 * 1024 * 1024;

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A piece of the response.
    Chunk(Bytes),
    /// The end of the response, told as JSON.
    Complete(Bytes),
    /// An error of the API after the response has begun: its code, and what tells of it.
    Exception(String, Bytes),
    /// Something that the API did not have when this was written.
    Unknown,
}

/// Takes bytes in and gives whole messages out. It holds one message at most, which has 24 MiB at
/// most, besides what it was given last.
///
/// # Source
/// Invoke API, "Frame layout".
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// [`CallError::Damaged`]; nothing that follows makes sense.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, CallError> {
        let Some((prelude, _)) = self.buffer.split_at_checked(PRELUDE) else { return Ok(None) };
        let (mut lengths, mut checksum) = prelude.split_at(PRELUDE - CHECKSUM);
        if crc32fast::hash(lengths) != checksum.get_u32() {
            return Err(CallError::Damaged("the lengths of a message do not fit their checksum"));
        }
        let (total, headers) = (length(lengths.get_u32()), length(lengths.get_u32()));
        let payload =
            total.checked_sub(PRELUDE + CHECKSUM).and_then(|rest| rest.checked_sub(headers));
        if headers > MAX_HEADERS || payload.is_none_or(|payload| payload > MAX_PAYLOAD) {
            return Err(CallError::Damaged("a message has impossible lengths"));
        }
        if self.buffer.len() < total {
            return Ok(None);
        }
        let mut message = self.buffer.split_to(total);
        let mut checksum = message.split_off(total - CHECKSUM);
        if crc32fast::hash(&message) != checksum.get_u32() {
            return Err(CallError::Damaged("a message does not fit its checksum"));
        }
        let payload = message.split_off(PRELUDE + headers).freeze();
        let headers = Headers::read(message.get(PRELUDE..).unwrap_or_default())
            .ok_or(CallError::Damaged("the headers of a message cannot be read"))?;
        Ok(Some(headers.message(payload)))
    }
}

fn length(wire: u32) -> usize {
    usize::try_from(wire).unwrap_or(usize::MAX)
}

/// The headers that mean something here.
#[derive(Debug, Default)]
struct Headers {
    message_type: String,
    event_type: String,
    exception_type: String,
    error_code: String,
    error_message: String,
}

impl Headers {
    fn read(mut rest: &[u8]) -> Option<Self> {
        let mut headers = Self::default();
        while rest.has_remaining() {
            let name = take_short(&mut rest)?;
            let value: &[u8] = match rest.try_get_u8().ok()? {
                // True and false.
                0 | 1 => &[],
                2 => take(&mut rest, 1)?,
                3 => take(&mut rest, 2)?,
                4 => take(&mut rest, 4)?,
                // A number and a time.
                5 | 8 => take(&mut rest, 8)?,
                // Bytes and text.
                6 | 7 => take_long(&mut rest)?,
                // A UUID.
                9 => take(&mut rest, 16)?,
                _ => return None,
            };
            let known = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            *known = String::from_utf8_lossy(value).into_owned();
        }
        Some(headers)
    }

    fn message(self, payload: Bytes) -> Message {
        match (self.message_type.as_str(), self.event_type.as_str()) {
            ("event", "PayloadChunk") => Message::Chunk(payload),
            ("event", "InvokeComplete") => Message::Complete(payload),
            ("exception", _) => Message::Exception(self.exception_type, payload),
            ("error", _) => Message::Exception(self.error_code, self.error_message.into()),
            _ => Message::Unknown,
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// What has its length, one byte, before it.
fn take_short<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.try_get_u8().ok()?;
    take(rest, length.into())
}

/// What has its length, two bytes, before it.
fn take_long<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.try_get_u16().ok()?;
    take(rest, length.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `Hello world ` and the end, as the service sends them.
    const CHUNK: &str = "000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e7448656c6c6f20776f726c642033971fd8";
    const COMPLETE: &str = "00000066000000541f56c8690b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b7d7006d467";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn recorded() -> Vec<u8> {
        [bytes(CHUNK), bytes(COMPLETE)].concat()
    }

    fn messages() -> Vec<Message> {
        vec![Message::Chunk("Hello world ".into()), Message::Complete("{}".into())]
    }

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Message>, CallError> {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece);
            while let Some(message) = decoder.next()? {
                found.push(message);
            }
        }
        Ok(found)
    }

    /// A message with these headers, which are on the wire already.
    fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let wire = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
        let mut message = wire(16 + headers.len() + payload.len()).to_vec();
        message.extend(wire(headers.len()));
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message.extend([headers, payload].concat());
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message
    }

    fn text(name: &str, value: &str) -> Vec<u8> {
        let mut header = vec![u8::try_from(name.len()).unwrap()];
        header.extend(name.as_bytes());
        header.push(7);
        header.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        header.extend(value.as_bytes());
        header
    }

    #[test]
    fn what_was_recorded_is_read() {
        assert_eq!(decode([recorded().as_slice()]).unwrap(), messages());
    }

    #[test]
    fn errors_are_told_by_their_code_and_other_messages_are_passed_over() {
        let exception =
            [text(":message-type", "exception"), text(":exception-type", "Boom")].concat();
        let error = [
            text(":message-type", "error"),
            text(":error-code", "Bang"),
            text(":error-message", "why"),
        ]
        .concat();
        let other = [text(":message-type", "event"), text(":event-type", "Other")].concat();
        for (headers, payload, expected) in [
            (exception, "{}", Message::Exception("Boom".into(), "{}".into())),
            (error, "", Message::Exception("Bang".into(), "why".into())),
            (other, "x", Message::Unknown),
            (Vec::new(), "", Message::Unknown),
        ] {
            let whole = message(&headers, payload.as_bytes());
            assert_eq!(decode([whole.as_slice()]).unwrap(), [expected]);
        }
    }

    #[test]
    fn values_of_every_type_can_be_passed_over() {
        let mut headers = Vec::new();
        for (kind, length) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
            headers.extend([1, b'x', kind]);
            headers.extend(vec![0; length]);
        }
        headers.extend([1, b'x', 6, 0, 3, 1, 2, 3]);
        headers
            .extend([text(":message-type", "event"), text(":event-type", "PayloadChunk")].concat());
        let whole = message(&headers, b"p");
        assert_eq!(decode([whole.as_slice()]).unwrap(), [Message::Chunk("p".into())]);
        for bad in [&[1, b'x', 10][..], &[1, b'x', 7, 0, 9, 1], &[5, b'x'], &[1, b'x']] {
            assert!(decode([message(bad, b"").as_slice()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_before_it_comes() {
        for (total, headers) in [
            (u32::MAX, 0_u32),
            (16 + 25 * 1024 * 1024, 0),
            (16 + 129 * 1024, 129 * 1024),
            (15, 0),
            (20, 5),
            (0, 0),
        ] {
            let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
            assert!(decode([prelude.as_slice()]).is_err(), "{total} {headers}");
        }
    }

    #[test]
    fn no_single_damaged_byte_goes_unnoticed() {
        for at in 0..recorded().len() {
            let mut damaged = recorded();
            damaged[at] ^= 0x20;
            let found = decode([damaged.as_slice()]);
            // A first message that is whole may have been read.
            assert!(found.is_err(), "{at}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_messages(sizes in prop::collection::vec(1_usize..40, 0..40)) {
            let whole = recorded();
            let (mut rest, mut pieces) = (whole.as_slice(), Vec::new());
            for size in sizes {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(decode(pieces).unwrap(), messages());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // A random checksum does not fit; a whole message inside is as unlikely.
            if let Ok(found) = decode([bytes.as_slice()]) {
                prop_assert!(found.is_empty());
            }
        }

        #[test]
        fn headers_of_any_bytes_are_read_or_refused(headers in prop::collection::vec(any::<u8>(), 0..60)) {
            let whole = message(&headers, b"payload");
            // Both are fine; neither is a panic.
            let _ = decode([whole.as_slice()]);
        }
    }
}
