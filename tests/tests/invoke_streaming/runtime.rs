//! [`Runtime`]: the test speaks for the runtime, so that it decides when which bytes are sent.

use std::io;
use std::net::SocketAddr;

use rapid_e2e::{Connection, Options, Rapid, Reply, Request, eventually_some};

const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// A runtime in the test's own hands. What rapid started meanwhile only waits.
pub(crate) struct Runtime {
    address: SocketAddr,
    connection: Connection,
}

impl Runtime {
    /// How a rapid is started whose runtime the test is.
    pub(crate) fn options() -> Options {
        Options::new().command(["sleep", "3600"])
    }

    pub(crate) fn of(rapid: &Rapid) -> Self {
        Self { address: rapid.runtime_address(), connection: rapid.to_runtime() }
    }

    /// The id of the next invocation, once there is one. Who comes before the process that it
    /// speaks for has been started is refused, and tries again.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        let event = eventually_some("an event", || {
            let event = self.connection.exchange(&Request::get(NEXT)).ok();
            let event = event.filter(|event| event.status == 200);
            if event.is_none() {
                self.connection = Connection::open(self.address).expect("rapid listens");
            }
            event
        });
        event.header("Lambda-Runtime-Aws-Request-Id").expect("it has an id").to_owned()
    }

    /// Asks for the next invocation, which ends the one before, without waiting for it.
    #[track_caller]
    pub(crate) fn ask(&mut self) {
        let next = Request::get(NEXT);
        self.connection.send(&next).expect("rapid reads");
    }

    /// Begins to respond in pieces; `headers` are whole lines.
    #[track_caller]
    pub(crate) fn begin(&mut self, id: &str, headers: &[&str]) {
        let mut head = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: rapid\r\n\
             Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\
             Trailer: Lambda-Runtime-Function-Error-Type\r\n\
             Trailer: Lambda-Runtime-Function-Error-Body\r\n"
        );
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.connection.write(head.as_bytes()).expect("rapid reads");
    }

    pub(crate) fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.connection.write(&chunk)
    }

    /// Ends the response, with trailers as whole lines, and returns what rapid says to it.
    #[track_caller]
    pub(crate) fn end(&mut self, trailers: &[&str]) -> Reply {
        let mut end = "0\r\n".to_owned();
        for trailer in trailers {
            end.push_str(trailer);
            end.push_str("\r\n");
        }
        end.push_str("\r\n");
        self.connection.write(end.as_bytes()).expect("rapid reads");
        self.connection.receive().expect("rapid answers")
    }

    /// Answers the next invocation with one piece.
    #[track_caller]
    pub(crate) fn respond(&mut self, piece: &[u8]) {
        let id = self.next();
        self.begin(&id, &[]);
        self.send(piece).expect("rapid reads");
        assert_eq!(self.end(&[]).status, 202);
    }
}
