//! A small HTTP/1.1 client over a raw socket, for what a polite library would not do.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::wait::DEADLINE;

/// A request, put together as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunked { chunks: Vec<Vec<u8>>, trailers: Vec<(String, String)> },
}

impl Request {
    /// Any request; the method and the path go out as they are.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Body::None }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST with a body, which is sent with its length.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Whole(body.into()), ..Self::new("POST", path) }
    }

    /// A POST whose body goes out in these chunks, with trailers after them.
    pub fn post_chunked(path: &str, chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Self {
        let body = Body::Chunked {
            chunks: chunks.iter().map(|chunk| chunk.to_vec()).collect(),
            trailers: trailers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        };
        Self { body, ..Self::new("POST", path) }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The head as bytes, up to and with the empty line.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: rapid\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            // Writing to a string cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match &self.body {
            Body::None => {}
            Body::Whole(body) => {
                let _ = write!(head, "Content-Length: {}\r\n", body.len());
            }
            Body::Chunked { .. } => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The body as bytes, framed.
    pub fn body(&self) -> Vec<u8> {
        match &self.body {
            Body::None => Vec::new(),
            Body::Whole(body) => body.clone(),
            Body::Chunked { chunks, trailers } => {
                let mut framed = Vec::new();
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    framed.extend_from_slice(chunk);
                    framed.extend_from_slice(b"\r\n");
                }
                framed.extend_from_slice(b"0\r\n");
                for (name, value) in trailers {
                    framed.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
                framed.extend_from_slice(b"\r\n");
                framed
            }
        }
    }
}

/// A reply, as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers in order, with their names as they were spelled.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The status codes of interim replies before it: 100 if there was a `100 Continue`.
    pub interim: Vec<u16>,
}

impl Reply {
    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut same = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        same.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.text()))
    }

    /// The request id of an invocation.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn request_id(&self) -> String {
        self.header("x-amzn-RequestId").expect("every invocation has an id").to_owned()
    }

    /// What `X-Amz-Function-Error` says.
    pub fn function_error(&self) -> Option<&str> {
        self.header("X-Amz-Function-Error")
    }
}

/// A connection, kept alive for as long as both ends like.
///
/// Reading and writing give up after [`DEADLINE`].
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sets how long reading may take; `None` is for ever.
    ///
    /// # Errors
    /// When the system refuses, as it does a limit of zero.
    pub fn patience(&self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(limit)
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Reply> {
        self.send(request)?;
        self.receive_for(&request.method)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the connection breaks. A peer that has answered and closed already is no error: its
    /// reply can be read.
    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        self.write(&request.head())?;
        match self.write(&request.body()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish_writing(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    /// Reads a reply to anything but HEAD.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP.
    pub fn receive(&mut self) -> io::Result<Reply> {
        self.receive_for("")
    }

    /// Reads an interim reply, such as `100 Continue`, and returns its status.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no interim reply.
    pub fn receive_interim(&mut self) -> io::Result<u16> {
        match self.read_head()? {
            (status @ 100..200, _) => Ok(status),
            (status, _) => Err(bad(&format!("not interim but final: {status}"))),
        }
    }

    fn receive_for(&mut self, method: &str) -> io::Result<Reply> {
        let mut interim = Vec::new();
        loop {
            let (status, headers) = self.read_head()?;
            if (100..200).contains(&status) {
                interim.push(status);
                continue;
            }
            let mut reply = Reply { status, headers, body: Vec::new(), interim };
            if method != "HEAD" && status != 204 && status != 304 {
                reply.body = self.read_body(&reply)?;
            }
            return Ok(reply);
        }
    }

    /// Reads the head of a reply whose body [`Connection::receive_chunk`] reads; the body is empty.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP.
    pub fn receive_head(&mut self) -> io::Result<Reply> {
        let (status, headers) = self.read_head()?;
        Ok(Reply { status, headers, body: Vec::new(), interim: Vec::new() })
    }

    /// Reads the next chunk of a chunked body, `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no chunk.
    pub fn receive_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        Ok(self.read_chunk(&mut chunk)?.then_some(chunk))
    }

    fn read_chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let line = self.read_line()?;
        let size = usize::from_str_radix(line.trim(), 16)
            .map_err(|_| bad(&format!("no chunk size: {line:?}")))?;
        if size == 0 {
            while !self.read_line()?.is_empty() {}
            return Ok(false);
        }
        let start = body.len();
        body.resize(start + size, 0);
        self.stream.read_exact(body.get_mut(start..).unwrap_or_default())?;
        self.read_line()?;
        Ok(true)
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let line = self.read_line()?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .ok_or_else(|| bad(&format!("no status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| bad(&format!("no header: {line:?}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn read_body(&mut self, reply: &Reply) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if reply.header("Transfer-Encoding").is_some() {
            while self.read_chunk(&mut body)? {}
            return Ok(body);
        }
        match reply.header("Content-Length") {
            Some(length) => {
                let length = length.parse().map_err(|_| bad("no content length"))?;
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| bad("a head that is no text"))
    }

    /// Whether the peer has closed the connection, or does so within `limit`. What it still sends
    /// is thrown away.
    pub fn closes_within(&mut self, limit: Duration) -> bool {
        if self.patience(Some(limit)).is_err() {
            return false;
        }
        match io::copy(&mut self.stream, &mut io::sink()) {
            Ok(_) => true,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What the client makes of the bytes of a server.
    fn received(bytes: &'static [u8]) -> io::Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        let reply = Connection::open(address).unwrap().receive();
        server.join().unwrap();
        reply
    }

    #[test]
    fn bodies_are_read_in_every_framing() {
        let counted =
            received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nokay").unwrap();
        assert_eq!((counted.status, counted.text().as_str()), (200, "ok"));
        assert_eq!(counted.header("x-a"), Some("b"));
        let chunked = received(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 No\r\nTransfer-Encoding: chunked\r\n\r\n\
              1\r\na\r\n2\r\nbc\r\n0\r\nT: t\r\n\r\n",
        )
        .unwrap();
        assert_eq!((chunked.status, chunked.text().as_str()), (413, "abc"));
        assert_eq!(chunked.interim, [100]);
        assert_eq!(received(b"HTTP/1.1 200 OK\r\n\r\nall").unwrap().text(), "all");
        assert!(received(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort").is_err());
        assert!(received(b"").is_err());
    }

    #[test]
    fn requests_are_framed_as_they_should_be() {
        let request = Request::post_chunked("/p", &[b"abc", b""], &[("T", "v")]).header("A", "b");
        assert_eq!(
            request.head(),
            b"POST /p HTTP/1.1\r\nHost: rapid\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        assert_eq!(request.body(), b"3\r\nabc\r\n0\r\nT: v\r\n\r\n");
    }
}
