//! [`FrameDecoder`]: log records that a runtime writes with a header instead of as lines.
//!
//! A runtime client that finds `_LAMBDA_TELEMETRY_LOG_FD` in its environment writes its log to that
//! descriptor. Every record has a header of 16 bytes, all integers big-endian:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | a magic number, which also tells the level and the format |
//! | 4 | 4 | length of the message in bytes |
//! | 8 | 8 | time, microseconds since the epoch |
//! | 16 | length | the message |
//!
//! The decoder waits for nothing: whoever reads the descriptor feeds it. It gives out the same
//! records however the bytes were cut into reads. What is no frame is plain text and becomes lines;
//! nothing that was written is lost, and no bytes make it fail.
//!
//! # Source
//! Telemetry API, "Framed logging: `_LAMBDA_TELEMETRY_LOG_FD`".

use rapid_events::Level;

/// A longer record, or a longer plain line, is given out in parts of this many bytes.
///
/// # Source
/// Telemetry API, "Function and extension log records".
pub const MAX_RECORD: usize = 256 * 1024;

/// The bytes that every magic number begins with.
const MAGIC: [u8; 3] = [0xA5, 0x5A, 0x00];
const HEADER: usize = 16;

/// In which format a runtime says that it has written a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameFormat {
    /// Text for people.
    Text,
    /// A JSON object.
    Json,
}

/// The header of a framed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The level; older runtime clients tell none.
    pub level: Option<Level>,
    /// The format of the message.
    pub format: FrameFormat,
    /// When it was written, in microseconds since the epoch, by the runtime's word.
    pub time_micros: u64,
}

/// Something that was written to the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The header; `None` for bytes that were no frame.
    pub frame: Option<Frame>,
    /// The message exactly as it was written, at most [`MAX_RECORD`] bytes. A plain one is a line
    /// with its newline, if it has one.
    pub message: &'a [u8],
}

/// Takes a stream of frames apart.
///
/// It holds at most [`MAX_RECORD`] bytes.
///
/// ```
/// use rapid_events::Level;
/// use rapid_telemetry::framing::{FrameDecoder, FrameFormat};
///
/// let bytes = b"\xA5\x5A\x00\x17\0\0\0\x05\0\0\0\0\0\0\0\x01hello";
/// let mut decoder = FrameDecoder::default();
/// let mut records = 0;
/// decoder.feed(bytes, |record| {
///     let frame = record.frame.expect("a frame");
///     assert_eq!((frame.level, frame.format), (Some(Level::Error), FrameFormat::Text));
///     assert_eq!((frame.time_micros, record.message), (1, b"hello".as_slice()));
///     records += 1;
/// });
/// assert_eq!(records, 1);
/// ```
#[derive(Debug, Default)]
pub struct FrameDecoder {
    state: State,
    /// What has come of the header, of the message's part or of the plain line.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Between two frames, or inside a plain line.
    #[default]
    Between,
    /// `held` begins with a magic number: a header.
    Header,
    /// Inside a message of which so many bytes have not come yet; `held` is not counted.
    Message { frame: Frame, left: usize },
}

impl FrameDecoder {
    /// Takes in what was read, and gives out every record that it completes.
    pub fn feed(&mut self, mut input: &[u8], mut each: impl FnMut(Record<'_>)) {
        while !input.is_empty() {
            input = match self.state {
                State::Between => self.between(input, &mut each),
                State::Header => self.header(input, &mut each),
                State::Message { frame, left } => self.message(frame, left, input, &mut each),
            };
        }
    }

    /// The descriptor was closed: gives out what is left, and begins anew.
    ///
    /// A message that was cut off keeps its header; a header that was cut off is plain.
    pub fn finish(&mut self, mut each: impl FnMut(Record<'_>)) {
        let frame = match self.state {
            State::Between | State::Header => None,
            State::Message { frame, .. } => Some(frame),
        };
        // An empty message was given out when its header was complete.
        if !self.held.is_empty() {
            each(Record { frame, message: &self.held });
        }
        *self = Self::default();
    }

    /// One byte of a plain line, or of a magic number.
    fn between<'a>(&mut self, input: &'a [u8], each: &mut impl FnMut(Record<'_>)) -> &'a [u8] {
        let Some((&byte, rest)) = input.split_first() else { return input };
        self.held.push(byte);
        if let Some(magic) = self.held.len().checked_sub(4)
            && self.held.get(magic..).and_then(level_and_format).is_some()
        {
            self.give(None, magic, each);
            self.state = State::Header;
        } else if byte == b'\n' {
            self.give(None, self.held.len(), each);
        } else if self.held.len() >= MAX_RECORD {
            // What may be the beginning of a magic number stays.
            let plain = self.held.len() - begun_magic(&self.held);
            let part = whole_characters(self.held.get(..plain).unwrap_or_default());
            self.give(None, part, each);
        }
        rest
    }

    fn header<'a>(&mut self, input: &'a [u8], each: &mut impl FnMut(Record<'_>)) -> &'a [u8] {
        let wanted = HEADER.saturating_sub(self.held.len());
        let (taken, rest) = input.split_at(wanted.min(input.len()));
        self.held.extend_from_slice(taken);
        let Some((frame, length)) = parse_header(&self.held) else { return rest };
        self.held.clear();
        if length == 0 {
            each(Record { frame: Some(frame), message: b"" });
            self.state = State::Between;
        } else {
            self.state = State::Message { frame, left: length };
        }
        rest
    }

    fn message<'a>(
        &mut self,
        frame: Frame,
        left: usize,
        input: &'a [u8],
        each: &mut impl FnMut(Record<'_>),
    ) -> &'a [u8] {
        let part = (self.held.len() + left).min(MAX_RECORD);
        let wanted = part - self.held.len();
        let is_last = wanted == left;
        let (taken, rest) = input.split_at(wanted.min(input.len()));
        if taken.len() == wanted && self.held.is_empty() {
            // The usual case: one read brought the whole message, which nobody has to copy.
            let given = if is_last { taken.len() } else { whole_characters(taken) };
            let (given, _) = taken.split_at(given);
            each(Record { frame: Some(frame), message: given });
            self.go_on(frame, left - given.len());
            return input.split_at(given.len()).1;
        }
        self.held.extend_from_slice(taken);
        if taken.len() == wanted {
            let given = if is_last { self.held.len() } else { whole_characters(&self.held) };
            self.give(Some(frame), given, each);
        }
        self.go_on(frame, left - taken.len());
        rest
    }

    fn go_on(&mut self, frame: Frame, left: usize) {
        self.state = if left == 0 { State::Between } else { State::Message { frame, left } };
    }

    /// Gives out the first `length` bytes of what is held, if there are any.
    fn give(&mut self, frame: Option<Frame>, length: usize, each: &mut impl FnMut(Record<'_>)) {
        if let Some(message) = self.held.get(..length).filter(|message| !message.is_empty()) {
            each(Record { frame, message });
            self.held.drain(..length);
        }
    }
}

/// What a magic number tells; `None` if it is none.
fn level_and_format(magic: &[u8]) -> Option<(Option<Level>, FrameFormat)> {
    let &[first, second, third, kind] = magic else { return None };
    if [first, second, third] != MAGIC {
        return None;
    }
    let format = match kind & 0b11 {
        0b10 => FrameFormat::Json,
        0b11 => FrameFormat::Text,
        _ => return None,
    };
    let level = match kind >> 2 {
        0 => None,
        1 => Some(Level::Trace),
        2 => Some(Level::Debug),
        3 => Some(Level::Info),
        4 => Some(Level::Warn),
        5 => Some(Level::Error),
        6 => Some(Level::Fatal),
        _ => return None,
    };
    Some((level, format))
}

/// The header and the length of the message; `None` while the header is incomplete.
fn parse_header(bytes: &[u8]) -> Option<(Frame, usize)> {
    let bytes: &[u8; HEADER] = bytes.try_into().ok()?;
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (length, time) = rest.split_first_chunk::<4>()?;
    let (level, format) = level_and_format(magic)?;
    let time_micros = u64::from_be_bytes(time.try_into().ok()?);
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some((Frame { level, format, time_micros }, length))
}

/// How many bytes at the end may be the beginning of a magic number.
fn begun_magic(bytes: &[u8]) -> usize {
    (1..=MAGIC.len())
        .rev()
        .find(|length| MAGIC.get(..*length).is_some_and(|begun| bytes.ends_with(begun)))
        .unwrap_or(0)
}

/// The length without a character of UTF-8 that is cut off at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let is_first = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let behind = bytes.iter().rev().take(4).position(is_first).map_or(0, |at| at + 1);
    let begin = bytes.len() - behind;
    let length = match bytes.get(begin) {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 1,
    };
    if length > behind { begin } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_character_that_can_be_finished_is_cut_off() {
        let rows: [(&[u8], usize); 9] = [
            (b"", 0),
            (b"x", 1),
            (b"x\xC3", 1),
            (b"x\xC3\xA9", 3),
            (b"x\xE2\x82", 1),
            (b"x\xF0\x9F\xA6", 1),
            (b"\x80\x80\x80\x80\x80", 5),
            (b"\xE2x", 2),
            (b"\xF0\x9Fx", 3),
        ];
        for (bytes, length) in rows {
            assert_eq!(whole_characters(bytes), length, "{bytes:?}");
        }
    }
}
