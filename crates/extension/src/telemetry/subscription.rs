//! [`Subscription`]: what an extension wants to be sent, and where to.

use std::time::Duration;

use rapid_events::{Api, Category, Schema};
use serde::Serialize;

use crate::call::Call;

/// The host of every destination: this machine, as its inside calls it.
pub(crate) const HOST: &str = "sandbox.localdomain";

/// How long SHUTDOWN waits for the last report, unless the subscription says otherwise.
const LINGER: Duration = Duration::from_millis(200);

/// What an extension wants to be sent, and where to.
///
/// The platform checks it, and refuses with [`Error::Refused`](crate::Error::Refused) what it does
/// not like; nothing is checked here.
///
/// ```
/// use rapid_extension::telemetry::{Buffering, Category, Destination, Schema, Subscription};
///
/// let subscription = Subscription::new(&[Category::Function], Destination::http(4243))
///     .schema(Schema::LATEST)
///     .buffering(Buffering { timeout_ms: 100, ..Buffering::default() });
/// # assert_eq!(subscription.types(), [Category::Function]);
/// ```
///
/// # Source
/// Telemetry API, "Subscribe request".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    schema: Schema,
    types: Vec<Category>,
    buffering: Option<Buffering>,
    destination: Destination,
    waits_for_runtime_done: bool,
    linger: Duration,
}

impl Subscription {
    /// Records of these types, in the schema `2022-12-13`, buffered as the platform sees fit.
    #[must_use]
    pub fn new(types: &[Category], destination: Destination) -> Self {
        Self {
            schema: Schema::Telemetry20221213,
            types: types.to_vec(),
            buffering: None,
            destination,
            waits_for_runtime_done: false,
            linger: LINGER,
        }
    }

    /// The same in another schema. One of the Logs API's subscribes to that API; an extension may
    /// use one of the two.
    #[must_use]
    pub const fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// The same with other bounds for a batch.
    #[must_use]
    pub const fn buffering(mut self, buffering: Buffering) -> Self {
        self.buffering = Some(buffering);
        self
    }

    /// The same, and [`run`](crate::run) asks for the next event only when it has seen the
    /// `platform.runtimeDone` of the invocation: when all that the function has written during it
    /// has been taken.
    ///
    /// It waits after [`Handler::invoke`](crate::Handler::invoke), at the longest until the
    /// invocation's deadline, and lets the handler take telemetry meanwhile. The events of the
    /// platform are subscribed to for this, and are buffered for 25 ms, the least there is, unless
    /// [`buffering`](Self::buffering) says otherwise: the next invocation waits as long. The first
    /// schema of the Logs API, `2020-08-15`, does not have that event, and nothing is waited for.
    #[must_use]
    pub fn wait_for_runtime_done(mut self) -> Self {
        self.waits_for_runtime_done = true;
        if !self.types.contains(&Category::Platform) {
            self.types.insert(0, Category::Platform);
        }
        self
    }

    /// The same with another limit for what [`run`](crate::run) waits at SHUTDOWN until the
    /// `platform.report` of the last invocation has come; 200 ms otherwise. It never is more than
    /// half of the time that is left.
    ///
    /// Whoever has not subscribed to the platform's events cannot tell what is outstanding, and
    /// waits for all of it.
    #[must_use]
    pub const fn linger(mut self, limit: Duration) -> Self {
        self.linger = limit;
        self
    }

    /// Whose records they are.
    #[must_use]
    pub fn types(&self) -> &[Category] {
        &self.types
    }

    /// Where they are sent.
    #[must_use]
    pub const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether `platform.runtimeDone` is waited for, and will come.
    pub(crate) fn awaits_runtime_done(&self) -> bool {
        self.waits_for_runtime_done && self.schema > Schema::Logs20200815
    }

    /// Whether there will be reports.
    pub(crate) fn has_reports(&self) -> bool {
        self.types.contains(&Category::Platform)
    }

    /// The longest wait for the last report.
    pub(crate) const fn lingers(&self) -> Duration {
        self.linger
    }

    /// The call that asks for it.
    pub(crate) const fn call(&self) -> Call {
        match self.schema.api() {
            Api::Telemetry => Call::SubscribeTelemetry,
            Api::Logs => Call::SubscribeLogs,
        }
    }

    /// The body of that call.
    pub(crate) fn body(&self) -> serde_json::Result<String> {
        let quick = self.awaits_runtime_done().then_some(Buffering::QUICKEST);
        serde_json::to_string(&Request {
            schema_version: self.schema,
            types: &self.types,
            buffering: self.buffering.or(quick),
            destination: match &self.destination {
                Destination::Http { port, target } => {
                    Place::Http { uri: format!("http://{HOST}:{port}{target}") }
                }
                Destination::Tcp { port } => Place::Tcp { port: *port },
            },
        })
    }
}

/// What bounds a batch: it is sent as soon as any of the three is reached.
///
/// # Source
/// Telemetry API, "Subscribe request".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Buffering {
    /// Events: 1000 to 10000, which is the default.
    pub max_items: u32,
    /// Bytes: 262144, which is the default, to 1048576.
    pub max_bytes: u32,
    /// Milliseconds since the first event: 25 to 30000; 1000 is the default.
    pub timeout_ms: u32,
}

impl Buffering {
    /// The defaults, but for the shortest time: 25 ms.
    pub const QUICKEST: Self = Self { max_items: 10_000, max_bytes: 262_144, timeout_ms: 25 };
}

impl Default for Buffering {
    /// The platform's defaults.
    fn default() -> Self {
        Self { timeout_ms: 1_000, ..Self::QUICKEST }
    }
}

/// Where telemetry is sent: always to this machine.
///
/// The port should always be the same one. Subscriptions belong to the extension's name and outlive
/// its process: after a crash or a timeout the platform goes on with the old one, and a request
/// that names another port makes a second one.
///
/// # Source
/// Telemetry API, "Transport".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Requests over HTTP, each with a JSON array of events: what [`Receiver`](super::Receiver)
    /// takes.
    Http {
        /// The port that they are sent to.
        port: u16,
        /// Path and query, with a slash at the beginning.
        target: String,
    },
    /// A connection with a line of JSON for each event, for a listener of your own;
    /// [`Received::decode`](super::Received::decode) reads a line.
    Tcp {
        /// The port that is connected to.
        port: u16,
    },
}

impl Destination {
    /// Requests to `/` at this port.
    #[must_use]
    pub fn http(port: u16) -> Self {
        Self::Http { port, target: "/".to_owned() }
    }

    /// Lines to this port.
    #[must_use]
    pub const fn tcp(port: u16) -> Self {
        Self::Tcp { port }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    schema_version: Schema,
    types: &'a [Category],
    #[serde(skip_serializing_if = "Option::is_none")]
    buffering: Option<Buffering>,
    destination: Place,
}

#[derive(Serialize)]
#[serde(tag = "protocol")]
enum Place {
    #[serde(rename = "HTTP")]
    Http {
        #[serde(rename = "URI")]
        uri: String,
    },
    #[serde(rename = "TCP")]
    Tcp { port: u16 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_spelled_as_it_is_documented() {
        let plain = Subscription::new(&Category::ALL, Destination::http(8080));
        let waiting = Subscription::new(&[Category::Function], Destination::tcp(9))
            .schema(Schema::LATEST)
            .wait_for_runtime_done();
        let target = "/path?a=b".to_owned();
        let full = Subscription::new(&[Category::Platform], Destination::Http { port: 1, target })
            .schema(Schema::Logs20210318)
            .buffering(Buffering { max_items: 1000, max_bytes: 1_048_576, timeout_ms: 30_000 })
            .wait_for_runtime_done();
        let rows = [
            (
                plain,
                r#"{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/"}}"#,
            ),
            (
                waiting,
                r#"{"schemaVersion":"2025-01-29","types":["platform","function"],"buffering":{"maxItems":10000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"TCP","port":9}}"#,
            ),
            (
                full,
                r#"{"schemaVersion":"2021-03-18","types":["platform"],"buffering":{"maxItems":1000,"maxBytes":1048576,"timeoutMs":30000},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:1/path?a=b"}}"#,
            ),
        ];
        for (subscription, body) in rows {
            assert_eq!(subscription.body().unwrap(), body);
        }
    }

    #[test]
    fn the_schema_says_which_api_it_is_and_whether_there_is_an_end_to_wait_for() {
        for (schema, call, has_end) in [
            (Schema::Logs20200815, Call::SubscribeLogs, false),
            (Schema::Logs20210318, Call::SubscribeLogs, true),
            (Schema::Telemetry20220701, Call::SubscribeTelemetry, true),
            (Schema::Telemetry20250129, Call::SubscribeTelemetry, true),
        ] {
            let plain = Subscription::new(&[], Destination::tcp(1)).schema(schema);
            assert_eq!((plain.call(), plain.awaits_runtime_done()), (call, false));
            assert_eq!(plain.wait_for_runtime_done().awaits_runtime_done(), has_end, "{schema:?}");
        }
    }
}
