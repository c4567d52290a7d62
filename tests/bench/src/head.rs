//! The head of an HTTP/1.1 message, as far as the tools need to know it.

use std::io;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// It has so many bytes; none where the head says nothing.
    Length(usize),
    /// Every piece says how long it is. Go's server sends large answers so.
    Chunked,
}

/// Where a head ends and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The first byte after the empty line.
    pub(crate) end: usize,
    pub(crate) framing: Framing,
}

/// Reads a head; nothing while it is incomplete.
///
/// # Errors
/// When a length is no number.
pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut framing = Framing::Length(0);
    let mut at = 0;
    while let Some(length) = line_length(&bytes[at..]) {
        let line = without_return(&bytes[at..at + length]);
        at += length + 1;
        if line.is_empty() {
            return Ok(Some(Head { end: at, framing }));
        }
        if let Some(value) = value(line, b"content-length") {
            framing = Framing::Length(number(value, 10)?);
        } else if value(line, b"transfer-encoding").is_some_and(is_chunked) {
            framing = Framing::Chunked;
        }
    }
    Ok(None)
}

/// The value of a header, whose name is in lower case.
pub(crate) fn find<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| value(without_return(line), name))
}

/// How many bytes the first line has without its line feed; nothing while that is not there.
pub(crate) fn line_length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// Reads a number, after which there may be white space or a chunk's extension.
///
/// # Errors
/// When it is none.
pub(crate) fn number(text: &[u8], radix: u32) -> io::Result<usize> {
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    let digits = str::from_utf8(&text[..end]).ok();
    digits.and_then(|digits| usize::from_str_radix(digits, radix).ok()).ok_or_else(|| {
        let text = format!("a length that is no number: {:?}", String::from_utf8_lossy(text));
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // The length decides nearly always, and costs nothing.
    let is_named = line.get(name.len()) == Some(&b':')
        && line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    is_named.then(|| line[name.len() + 1..].trim_ascii())
}

fn is_chunked(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"chunked")
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_the_empty_line_and_says_what_follows() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nbody";
        let head = Head { end: text.len() - 4, framing: Framing::Length(12) };
        assert_eq!(parse(text).unwrap(), Some(head));
        assert_eq!(parse(&text[..30]).unwrap(), None);
        assert_eq!(parse(&text[..38]).unwrap(), None);
        let get = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(parse(get).unwrap(), Some(Head { end: get.len(), framing: Framing::Length(0) }));
    }

    #[test]
    fn chunks_and_nonsense_are_told_apart() {
        let head = |text: &[u8]| parse(text).map(|head| head.map(|head| head.framing));
        let chunked = head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n");
        assert_eq!(chunked.unwrap(), Some(Framing::Chunked));
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
    }

    #[test]
    fn headers_are_found_in_any_case_and_by_their_whole_name() {
        let head = b"HTTP/1.1 200 OK\r\nX-Id-Other: a\r\nX-ID:  b \r\n\r\n";
        assert_eq!(find(head, b"x-id"), Some(&b"b"[..]));
        assert_eq!(find(head, b"x-i"), None);
    }
}
