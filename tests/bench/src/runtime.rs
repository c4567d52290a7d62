//! A runtime that answers every event with its own bytes.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;

use crate::connection::Connection;

const NEXT: &[u8] =
    b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\nUser-Agent: bench\r\n\r\n";

/// Serves until the other side ends the connection; `with_extension` also registers an internal
/// extension for `INVOKE`, which asks for one event after the other.
///
/// # Errors
/// When the connection breaks, or an answer is not what the Runtime API promises.
pub fn serve(api: SocketAddr, with_extension: bool) -> io::Result<()> {
    if with_extension {
        // Before the first `next`, after which nobody may register any more.
        let extension = Extension::register(api)?;
        thread::spawn(move || extension.serve());
    }
    let mut connection = Connection::connect(api)?;
    let mut head = Vec::new();
    loop {
        connection.send(NEXT, b"")?;
        let Some(event) = connection.receive()? else { return Ok(()) };
        let id = connection.header(&event, "lambda-runtime-aws-request-id");
        let id = id.ok_or_else(|| unexpected(&connection.first_line(&event)))?;
        let body = connection.body(&event);
        head.clear();
        head.extend_from_slice(b"POST /2018-06-01/runtime/invocation/");
        head.extend_from_slice(id);
        let length = body.len();
        write!(head, "/response HTTP/1.1\r\nHost: runtime\r\nContent-Length: {length}\r\n\r\n")?;
        connection.send(&head, body)?;
        let Some(reply) = connection.receive()? else { return Ok(()) };
        if !connection.starts_with(&reply, "HTTP/1.1 202 ") {
            return Err(unexpected(&connection.first_line(&reply)));
        }
    }
}

/// An internal extension: a connection of its own, and the identifier it was given.
struct Extension {
    connection: Connection,
    next: Vec<u8>,
}

impl Extension {
    fn register(api: SocketAddr) -> io::Result<Self> {
        let mut connection = Connection::connect(api)?;
        let body = br#"{"events":["INVOKE"]}"#;
        let length = body.len();
        let head = format!(
            "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: runtime\r\n\
             Lambda-Extension-Name: bench\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.send(head.as_bytes(), body)?;
        let reply = connection.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let id = connection.header(&reply, "lambda-extension-identifier");
        let id = id.ok_or_else(|| unexpected(&connection.first_line(&reply)))?;
        let id = String::from_utf8_lossy(id);
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

fn unexpected(line: &str) -> io::Error {
    io::Error::other(format!("the Runtime API answers {line:?}"))
}
