//! HTTP/1.1 by hand, one connection for each request: a client that adds nothing and hides
//! nothing.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::conformance::step::Request;
use crate::fnv;

/// A reply as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The status code, or what happened instead of a reply.
    pub(crate) status: String,
    /// Lower-case names; equal names are joined.
    pub(crate) headers: BTreeMap<String, String>,
    /// The text, or size and hash of what is too long to read.
    pub(crate) body: String,
}

/// The status when nobody listens.
pub(crate) const REFUSED: &str = "connection refused";

/// Longer bodies are shown by their size and hash.
const SHOWN: usize = 2000;

/// Sends a request and waits for the whole reply, at most `patience` between two bytes.
pub(crate) fn exchange(address: SocketAddr, request: &Request, patience: Duration) -> Reply {
    let result = send(address, request, patience).and_then(|(stream, sent)| {
        match read_reply(&mut BufReader::new(stream), request.method == "HEAD") {
            // What was answered matters more than that the request was not read to its end.
            Ok(reply) => Ok(reply),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    });
    result.unwrap_or_else(|error| Reply { status: describe(&error), ..Reply::default() })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "there are dozens of ways to lose a connection")]
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no reply in time".to_owned(),
        io::ErrorKind::ConnectionRefused => REFUSED.to_owned(),
        io::ErrorKind::InvalidData => error.to_string(),
        _ => "connection closed".to_owned(),
    }
}

fn send(
    address: SocketAddr,
    request: &Request,
    patience: Duration,
) -> io::Result<(TcpStream, io::Result<()>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let sent = write_request(&mut stream, address, request);
    Ok((stream, sent))
}

fn write_request(stream: &mut TcpStream, address: SocketAddr, request: &Request) -> io::Result<()> {
    let has = |name: &str| request.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let chunked = has("transfer-encoding");
    if !chunked && !has("content-length") && request.method != "GET" {
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if chunked {
        let size = request.body.len();
        stream.write_all(format!("{size:x}\r\n").as_bytes())?;
        stream.write_all(&request.body)?;
        stream.write_all(b"\r\n0\r\n\r\n")?;
    } else {
        stream.write_all(&request.body)?;
    }
    // A length of the transcript's own is meant to be wrong: the body ends early.
    if has("content-length") {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

/// Reads a reply; one to HEAD has no body.
pub(crate) fn read_reply(from: &mut impl BufRead, head_only: bool) -> io::Result<Reply> {
    let start = read_line(from)?;
    let status = start.split(' ').nth(1).filter(|status| status.len() == 3);
    let status = status.ok_or_else(|| invalid("not a reply"))?.to_owned();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| invalid("a header without colon"))?;
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|all| *all = format!("{all}, {}", value.trim()))
            .or_insert_with(|| value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        read_chunks(from, &mut body)?;
    } else if let Some(length) = headers.get("content-length") {
        let length = length.parse().map_err(|_| invalid("a content length that is no number"))?;
        body.resize(if head_only { 0 } else { length }, 0);
        from.read_exact(&mut body)?;
    } else if !head_only && status != "204" && status != "304" {
        from.read_to_end(&mut body)?;
    }
    Ok(Reply { status, headers, body: summary(&body) })
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(from)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk without size"))?;
        let read = from.by_ref().take(size).read_to_end(body)?;
        if u64::try_from(read) != Ok(size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = read_line(from)?;
        if size == 0 {
            return if end.is_empty() { Ok(()) } else { Err(invalid("unexpected trailers")) };
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("invalid reply: {what}"))
}

fn summary(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if body.len() <= SHOWN => text.to_owned(),
        _ => format!("<{} bytes, hash {:016x}>", body.len(), fnv::hash(body.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, head_only: bool) -> io::Result<Reply> {
        read_reply(&mut text.as_bytes(), head_only)
    }

    #[test]
    fn replies_with_a_length_in_chunks_and_to_the_end_are_read() {
        for text in [
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nhi and more",
            "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\r\nhi",
        ] {
            let reply = read(text, false).unwrap();
            assert_eq!((reply.status.as_str(), reply.body.as_str()), ("200", "hi"));
            assert_eq!(reply.headers["a"], "b");
        }
        let head = read("HTTP/1.1 405 No\r\nContent-Length: 9\r\n\r\n", true).unwrap();
        assert_eq!((head.status.as_str(), head.body.as_str()), ("405", ""));
    }

    #[test]
    fn a_reply_that_is_cut_is_no_reply() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\nA: b\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
        ] {
            assert!(read(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn long_bodies_are_told_by_size_and_hash() {
        let long = "x".repeat(SHOWN + 1);
        assert!(summary(long.as_bytes()).starts_with("<2001 bytes, hash "));
    }
}
