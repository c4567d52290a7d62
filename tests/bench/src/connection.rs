//! One connection that carries one message after the other, with one buffer for all of them.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use crate::head::{self, Framing};

/// Room for the largest message: 6 MiB of payload and a head. Reads ask for all of it, so that a
/// large body takes few of them; what is never used is never paged in.
const BUFFER: usize = 8 * 1024 * 1024;

/// A connection with a reused buffer; its calls block.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer has been read into.
    filled: usize,
    /// How much of that is the message that was received last.
    taken: usize,
}

/// Where a message is in its connection's buffer, until the next one is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    head: usize,
    body: Range<usize>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect(address)?)
    }

    /// Takes over a stream that blocks.
    ///
    /// # Errors
    /// When the system refuses `TCP_NODELAY`.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER], filled: 0, taken: 0 })
    }

    /// Lets a read or a write fail that takes longer than this.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))?;
        self.stream.set_write_timeout(Some(patience))
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends a head and a body, in one call as long as the socket takes all of it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let mut parts = [IoSlice::new(head), IoSlice::new(body)];
        let mut rest = &mut parts[..];
        let mut left = head.len() + body.len();
        while left > 0 {
            match (&self.stream).write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    left -= count;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives a message; nothing when the other side has ended the connection before one.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no message that fits the buffer.
    pub fn receive(&mut self) -> io::Result<Option<Message>> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        let head = loop {
            if let Some(head) = head::parse(&self.buffer[..self.filled])? {
                break head;
            }
            match self.read() {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.filled == 0 => {
                    return Ok(None);
                }
                result => result?,
            }
        };
        let (body, end) = match head.framing {
            Framing::Length(length) => {
                let end = head.end.checked_add(length).ok_or(io::ErrorKind::InvalidData)?;
                self.read_until(end)?;
                (head.end..end, end)
            }
            Framing::Chunked => self.read_chunks(head.end)?,
        };
        self.taken = end;
        Ok(Some(Message { head: head.end, body }))
    }

    /// Whether there is more than the message that was received last.
    pub fn has_more(&self) -> bool {
        self.taken < self.filled
    }

    /// The body of the message that was received last.
    pub fn body(&self, message: &Message) -> &[u8] {
        &self.buffer[message.body.clone()]
    }

    /// A header of the message that was received last; `name` is in lower case.
    pub fn header(&self, message: &Message, name: &str) -> Option<&[u8]> {
        head::find(&self.buffer[..message.head], name.as_bytes())
    }

    /// Whether the message that was received last starts so.
    pub fn starts_with(&self, message: &Message, start: &str) -> bool {
        self.buffer[..message.head].starts_with(start.as_bytes())
    }

    /// The first line of the message that was received last.
    pub fn first_line(&self, message: &Message) -> String {
        let line = self.buffer[..message.head].split(|byte| *byte == b'\r').next();
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    }

    /// Reads a chunked body and pushes its pieces together; of a body in one piece nothing moves.
    fn read_chunks(&mut self, start: usize) -> io::Result<(Range<usize>, usize)> {
        let mut body = start..start;
        let mut at = start;
        loop {
            let line = self.read_line(at)?;
            let size = head::number(&self.buffer[at..line], 16)?;
            at = line + 1;
            if size == 0 {
                break;
            }
            let end = at.checked_add(size).and_then(|end| end.checked_add(2));
            self.read_until(end.ok_or(io::ErrorKind::InvalidData)?)?;
            if body.is_empty() {
                body = at..at + size;
            } else {
                self.buffer.copy_within(at..at + size, body.end);
                body.end += size;
            }
            at += size + 2;
        }
        // Trailers, and the empty line behind them.
        loop {
            let line = self.read_line(at)?;
            let is_last = line - at <= 1;
            at = line + 1;
            if is_last {
                return Ok((body, at));
            }
        }
    }

    /// Reads until there is a line from `at` on, and says where its line feed is.
    fn read_line(&mut self, at: usize) -> io::Result<usize> {
        loop {
            if let Some(length) = head::line_length(&self.buffer[at..self.filled]) {
                return Ok(at + length);
            }
            self.read()?;
        }
    }

    fn read_until(&mut self, end: usize) -> io::Result<()> {
        while self.filled < end {
            self.read()?;
        }
        Ok(())
    }

    /// Reads what is there, at least one byte.
    fn read(&mut self) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            return Err(io::Error::other("a message that is larger than anybody should send"));
        }
        loop {
            match (&self.stream).read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.filled += count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("stream", &self.stream).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A connection on which exactly these bytes come in, in these pieces.
    fn fed(pieces: &'static [&'static [u8]]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        thread::spawn(move || {
            for piece in pieces {
                other.write_all(piece).unwrap();
                thread::yield_now();
            }
        });
        connection
    }

    fn receive(connection: &mut Connection) -> Option<String> {
        let message = connection.receive().unwrap()?;
        Some(String::from_utf8_lossy(connection.body(&message)).into_owned())
    }

    #[test]
    fn messages_come_one_after_the_other_and_end_with_the_connection() {
        let mut connection = fed(&[
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"ngth: 6\r\n\r\nsec",
            b"ond",
        ]);
        assert_eq!(receive(&mut connection).as_deref(), Some("first"));
        assert_eq!(receive(&mut connection).as_deref(), Some("second"));
        assert_eq!(receive(&mut connection), None);
    }

    #[test]
    fn chunks_are_pushed_together_wherever_they_are_cut() {
        let mut connection = fed(&[
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r",
            b"\nhello\r\n7;x=y\r\n, wo",
            b"rld\r\n0\r\nTrailer: x\r\n",
            b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore",
        ]);
        assert_eq!(receive(&mut connection).as_deref(), Some("hello, world"));
        assert_eq!(receive(&mut connection).as_deref(), Some("more"));
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        let mut connection = fed(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfir"]);
        assert_eq!(connection.receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
