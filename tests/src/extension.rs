//! [`Extension`]: what the fixtures know of the Extensions API.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use crate::http::{Connection, Request};

/// The variable that names the directory for what extensions are told.
pub const EVENTS: &str = "E2E_EVENTS";

const API: &str = "/2020-01-01/extension";

/// What an extension was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An invocation begins.
    Invoke,
    /// Everything ends.
    Shutdown,
}

/// A registered extension that writes down what it is told.
///
/// It panics when something is not as it should be: its only users are fixtures, and that ends
/// them.
#[derive(Debug)]
pub struct Extension {
    connection: Connection,
    id: String,
    log: File,
}

impl Extension {
    /// Registers under `name` with the API that `AWS_LAMBDA_RUNTIME_API` names.
    ///
    /// # Panics
    /// When that is refused.
    pub fn register(name: &str, events: &[&str]) -> Self {
        let address: SocketAddr = env::var("AWS_LAMBDA_RUNTIME_API")
            .expect("the Runtime API is known")
            .parse()
            .expect("an address");
        let mut connection = Connection::open(address).expect("the API listens");
        connection.patience(None).expect("a socket can wait");
        let body = json!({ "events": events }).to_string();
        let request =
            Request::post(&format!("{API}/register"), body).header("Lambda-Extension-Name", name);
        let reply = connection.exchange(&request).expect("there is an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let id = reply.header("Lambda-Extension-Identifier").expect("there is an id").to_owned();
        let directory = PathBuf::from(env::var_os(EVENTS).expect("a directory for events"));
        let log = OpenOptions::new().create(true).append(true).open(directory.join(name));
        Self { connection, id, log: log.expect("events can be written down") }
    }

    /// Waits for an event and writes it down: `INVOKE <request id>` or `SHUTDOWN <reason>`.
    ///
    /// # Panics
    /// When there is none.
    pub fn hear(&mut self) -> Heard {
        let request = Request::get(&format!("{API}/event/next"))
            .header("Lambda-Extension-Identifier", &self.id);
        let reply = self.connection.exchange(&request).expect("there is an event");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let event = reply.json();
        let text = |key: &str| event[key].as_str().expect("a text").to_owned();
        let (heard, what) = match text("eventType").as_str() {
            "INVOKE" => (Heard::Invoke, text("requestId")),
            _ => (Heard::Shutdown, text("shutdownReason")),
        };
        writeln!(self.log, "{} {what}", text("eventType")).expect("it can be written down");
        heard
    }
}
