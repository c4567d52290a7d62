//! A runtime that answers every event with its own bytes, or with a stream.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;

use crate::connection::Connection;

const NEXT: &[u8] =
    b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\nUser-Agent: bench\r\n\r\n";

/// What a stream consists of.
pub const FILLING: u8 = b'#';
/// How much of it is written at once.
const PIECE: usize = 64 * 1024;

/// What it does beside answering with the event.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The internal extension that it registers, if any.
    pub extension: Option<Extension>,
    /// How many lines it writes for every event.
    pub lines: usize,
    /// How many bytes it streams instead, if it does; whole pieces of 64 KiB.
    pub stream: Option<usize>,
}

/// An internal extension that asks for one event after the other.
#[derive(Clone, Debug)]
pub enum Extension {
    /// It is told of every invocation.
    Told,
    /// It is told of none, but subscribes to all telemetry for each of these ports.
    Subscribing(Vec<u16>),
}

/// Serves until the other side ends the connection.
///
/// # Errors
/// When the connection breaks, or an answer is not what the Runtime API promises.
pub fn serve(api: SocketAddr, manner: &Manner) -> io::Result<()> {
    if let Some(extension) = &manner.extension {
        // Before the first `next`, after which nobody may register any more.
        let registered = Registered::start(api, extension)?;
        thread::spawn(move || registered.serve());
    }
    let lines = "a line of what a function writes while it works\n".repeat(manner.lines);
    let mut connection = Connection::connect(api)?;
    let mut head = Vec::new();
    loop {
        connection.send(NEXT, b"")?;
        let Some(event) = connection.receive()? else { return Ok(()) };
        let id = connection.header(&event, "lambda-runtime-aws-request-id");
        let id = id.ok_or_else(|| unexpected(&connection.first_line(&event)))?;
        let body = connection.body(&event);
        io::stdout().write_all(lines.as_bytes())?;
        head.clear();
        head.extend_from_slice(b"POST /2018-06-01/runtime/invocation/");
        head.extend_from_slice(id);
        head.extend_from_slice(b"/response HTTP/1.1\r\nHost: runtime\r\n");
        if let Some(bytes) = manner.stream {
            stream(&connection, &mut head, bytes)?;
        } else {
            write!(head, "Content-Length: {}\r\n\r\n", body.len())?;
            connection.send(&head, body)?;
        }
        let Some(reply) = connection.receive()? else { return Ok(()) };
        if !connection.starts_with(&reply, "HTTP/1.1 202 ") {
            return Err(unexpected(&connection.first_line(&reply)));
        }
    }
}

/// Streams so many bytes, after the beginning of a head.
fn stream(connection: &Connection, head: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    head.extend_from_slice(
        b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let mut chunk = format!("{PIECE:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + PIECE, FILLING);
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..bytes / PIECE {
        connection.send(head, &chunk)?;
        head.clear();
    }
    head.extend_from_slice(b"0\r\n\r\n");
    connection.send(head, b"")
}

/// A registered extension: a connection of its own, and the request for the next event.
struct Registered {
    connection: Connection,
    next: Vec<u8>,
}

impl Registered {
    fn start(api: SocketAddr, extension: &Extension) -> io::Result<Self> {
        let mut connection = Connection::connect(api)?;
        let (events, ports) = match extension {
            Extension::Told => (r#"{"events":["INVOKE"]}"#, &[][..]),
            Extension::Subscribing(ports) => (r#"{"events":[]}"#, ports.as_slice()),
        };
        let length = events.len();
        let head = format!(
            "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: runtime\r\n\
             Lambda-Extension-Name: bench\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.send(head.as_bytes(), events.as_bytes())?;
        let reply = connection.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let id = connection.header(&reply, "lambda-extension-identifier");
        let id = id.ok_or_else(|| unexpected(&connection.first_line(&reply)))?;
        let id = String::from_utf8_lossy(id).into_owned();
        for port in ports {
            subscribe(&mut connection, &id, *port)?;
        }
        let next = format!(
            "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: runtime\r\n\
             Lambda-Extension-Identifier: {id}\r\n\r\n"
        );
        Ok(Self { next: next.into_bytes(), connection })
    }

    /// Asks for events until there are none; an end of any kind is that of the whole process,
    /// which the other connection notices.
    fn serve(mut self) -> io::Result<()> {
        loop {
            self.connection.send(&self.next, b"")?;
            let Some(event) = self.connection.receive()? else { return Ok(()) };
            if !self.connection.starts_with(&event, "HTTP/1.1 200 ") {
                return Err(unexpected(&self.connection.first_line(&event)));
            }
        }
    }
}

fn subscribe(connection: &mut Connection, id: &str, port: u16) -> io::Result<()> {
    let body = format!(
        r#"{{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/"}}}}"#
    );
    let head = format!(
        "PUT /2022-07-01/telemetry HTTP/1.1\r\nHost: runtime\r\n\
         Lambda-Extension-Identifier: {id}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes(), body.as_bytes())?;
    let reply = connection.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    match connection.starts_with(&reply, "HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(unexpected(&connection.first_line(&reply))),
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::other(format!("the Runtime API answers {line:?}"))
}
