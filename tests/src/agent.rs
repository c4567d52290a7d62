//! [`Agent`]: the voice of an extension, for a test that speaks for one.

use crate::host::Rapid;
use crate::http::{Connection, Reply, Request};

const BASE: &str = "/2020-01-01/extension";

/// An extension that has registered, spoken for by the test.
#[derive(Clone, Debug)]
pub struct Agent {
    id: String,
}

impl Agent {
    /// Registers under a name for events.
    ///
    /// # Panics
    /// When that is refused.
    #[track_caller]
    pub fn register(rapid: &Rapid, name: &str, events: &[&str]) -> Self {
        let reply = rapid.call(&Self::registration(name, events));
        assert_eq!(reply.status, 200, "{}", reply.text());
        Self::registered(&reply)
    }

    /// The request that registers.
    #[must_use]
    pub fn registration(name: &str, events: &[&str]) -> Request {
        let body = serde_json::json!({ "events": events });
        Request::post(&format!("{BASE}/register"), body.to_string())
            .header("Lambda-Extension-Name", name)
    }

    /// The one that was registered by that reply.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    #[track_caller]
    pub fn registered(reply: &Reply) -> Self {
        let id = reply.header("Lambda-Extension-Identifier").expect("registered, it has an id");
        Self::with_id(id)
    }

    /// One that uses this as its identifier.
    #[must_use]
    pub fn with_id(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The request for the next event.
    #[must_use]
    pub fn next(&self) -> Request {
        self.signed(Request::get(&format!("{BASE}/event/next")))
    }

    /// The report that it cannot start (`init`) or has to end (`exit`).
    #[must_use]
    pub fn report(&self, kind: &str, error_type: &str) -> Request {
        self.signed(Request::new("POST", &format!("{BASE}/{kind}/error")))
            .header("Lambda-Extension-Function-Error-Type", error_type)
    }

    /// Asks for the next event; it comes over the connection, unless that is dropped.
    ///
    /// # Panics
    /// When it cannot ask.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, rapid: &Rapid) -> Connection {
        let mut connection = rapid.to_runtime();
        connection.send(&self.next()).expect("the Runtime API reads");
        connection
    }

    /// Adds its identifier to a request.
    #[must_use]
    pub fn signed(&self, request: Request) -> Request {
        request.header("Lambda-Extension-Identifier", &self.id)
    }
}
