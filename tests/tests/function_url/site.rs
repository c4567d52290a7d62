//! [`Site`]: a function behind its URL.

use std::ffi::OsStr;
use std::net::SocketAddr;

use rapid_e2e::{Connection, DEADLINE, Options, Rapid, Reply, Request};

use crate::peers::{installed, source};

/// Has the URL send responses while they are produced.
pub(crate) const STREAMED: [&str; 2] = ["--function-url-mode", "streamed"];

pub(crate) fn node_in(directory: &str, handler: &str) -> Options {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    Options::new().command([client.as_os_str(), OsStr::new(handler)]).current_dir(source(directory))
}

/// Node's site that returns whole responses.
pub(crate) fn node() -> Options {
    node_in("tests/peers/node", "web.whole")
}

/// The one that streams them.
pub(crate) fn node_streams() -> Options {
    node_in("tests/peers/node", "web.streamed")
}

/// A `rapid` that serves its function as plain HTTP on a free port.
pub(crate) struct Site {
    pub(crate) rapid: Rapid,
    address: SocketAddr,
}

impl Site {
    #[track_caller]
    pub(crate) fn serve(options: Options) -> Self {
        let rapid = Rapid::serve(options.flags(["--function-url", "127.0.0.1:0"]));
        let line = rapid.stderr().wait_for("rapid: open http://", DEADLINE);
        let address = line
            .strip_prefix("rapid: open http://")
            .and_then(|rest| rest.strip_suffix("/ (function URL)"))
            .and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in: {line}"));
        Self { rapid, address }
    }

    /// The URL without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).expect("the function URL listens")
    }

    #[track_caller]
    pub(crate) fn ask(&self, request: &Request) -> Reply {
        match self.connect().exchange(request) {
            Ok(reply) => reply,
            Err(error) => panic!("no reply: {error}\n{}", self.rapid.stderr().text()),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask(&Request::get(path))
    }

    /// The path of a function that waits, and what makes it go on.
    pub(crate) fn gated(&self, path: &str) -> (String, impl FnOnce() + use<>) {
        let gate = self.rapid.scratch().join("gate");
        let path = format!("{path}?gate={}", gate.display());
        (path, move || std::fs::write(gate, "").expect("the gate opens"))
    }

    /// Expects the head and the first piece while the function waits for its gate, and the rest after.
    #[track_caller]
    pub(crate) fn expect_early(&self, status: u16) {
        let (path, open) = self.gated("/gated");
        let mut connection = self.connect();
        connection.send(&Request::get(&path)).expect("rapid reads");
        let head = connection.receive_head().expect("there is a head");
        assert_eq!((head.status, head.header("content-type")), (status, Some("text/plain")));
        assert_eq!(values(&head, "set-cookie").len(), 2);
        let first =
            connection.receive_chunk().expect("there is a piece").expect("it is not the end");
        assert_eq!(first, b"before ");
        open();
        let mut rest = Vec::new();
        while let Some(chunk) = connection.receive_chunk().expect("the stream goes on") {
            rest.extend(chunk);
        }
        assert_eq!(rest, b"after");
    }

    /// Waits until the function runs.
    #[track_caller]
    pub(crate) fn wait_for_start(&self) {
        self.rapid.wait_for_line("START RequestId", DEADLINE);
    }

    /// Expects that the function has run `count` times, the last time for this reply.
    #[track_caller]
    pub(crate) fn expect_runs(&self, count: usize, last: &Reply) {
        self.rapid.report_of(last);
        let runs = self.rapid.stdout().matching("START RequestId");
        assert_eq!(runs.len(), count, "{runs:#?}");
    }
}

/// All values of a header, in their order.
pub(crate) fn values<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    let same = reply.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    same.map(|(_, value)| value.as_str()).collect()
}

/// Expects the one answer to everything that goes wrong in a function.
#[track_caller]
pub(crate) fn expect_bad_gateway(reply: &Reply) {
    assert_eq!((reply.status, reply.text().as_str()), (502, "Internal Server Error"));
    assert_eq!(reply.header("x-amzn-ErrorType"), Some("InternalServerErrorException"));
}
