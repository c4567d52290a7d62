//! Who listens, and who subscribes.

use std::sync::{Arc, Mutex};

use rapid_e2e::{
    Agent, Connection, Extensions, Rapid, Reply, Request, Subscriber, eventually_some,
};
use serde_json::{Value, json};

pub(crate) const TELEMETRY: &str = "/2022-07-01/telemetry";
pub(crate) const LOGS: &str = "/2020-08-15/logs";

/// An extension that says a line, so that the test can speak for it.
const SPEAKS: &str = "#!/bin/sh\necho the extension speaks\nsleep 3600\n";

// --- Who listens -----------------------------------------------------------------------------

/// Keeps the events that come, for as long as the test runs.
pub(crate) struct Listener {
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let shared = Arc::clone(&events);
        let subscriber = Subscriber::start(move |batch| {
            assert!(batch.head.starts_with("POST /batch HTTP/1.1\r\n"), "{}", batch.head);
            let batch: Vec<Value> = serde_json::from_str(&batch.body).unwrap();
            shared.lock().unwrap().extend(batch);
        });
        Self { port: subscriber.port(), events }
    }

    pub(crate) fn subscription(&self) -> Value {
        self.subscription_to("2022-12-13")
    }

    pub(crate) fn subscription_to(&self, schema: &str) -> Value {
        json!({
            "schemaVersion": schema,
            "types": ["platform", "function", "extension"],
            "buffering": { "timeoutMs": 25 },
            "destination": {
                "protocol": "HTTP",
                "URI": format!("http://sandbox.localdomain:{}/batch", self.port),
            },
        })
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until there have been as many events of this type, and returns all there are.
    #[track_caller]
    pub(crate) fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        eventually_some(&format!("{count} events {kind}"), || {
            let events = self.events();
            let found = events.iter().filter(|event| event["type"] == kind).count();
            (found >= count).then_some(events)
        })
    }
}

/// The types of events, without `platform.`; what extensions write is left out, since it may come
/// at any time.
pub(crate) fn order(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds
        .filter(|kind| *kind != "extension")
        .map(|kind| kind.strip_prefix("platform.").unwrap_or(kind))
        .collect()
}

/// The records of events of one type.
pub(crate) fn records<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).map(|event| &event["record"]).collect()
}

/// The names of an object's members, sorted.
pub(crate) fn members(record: &Value) -> Vec<&str> {
    record.as_object().unwrap().keys().map(String::as_str).collect()
}

// --- Who subscribes --------------------------------------------------------------------------

pub(crate) fn extensions() -> Extensions {
    Extensions::none().file("first", SPEAKS, 0o755).mute("second")
}

#[track_caller]
pub(crate) fn subscribe(rapid: &Rapid, agent: &Agent, path: &str, subscription: &Value) -> Reply {
    let request = Request::post(path, subscription.to_string()).method("PUT");
    rapid.call(&agent.signed(request))
}

/// Speaks for both extensions while they initialise: the first one subscribes, and the runtime is
/// started only when both have registered.
///
/// The connections have to be kept: the extensions wait for events on them.
#[track_caller]
pub(crate) fn initialise(rapid: &Rapid, listener: &Listener, answer: &str) -> [Connection; 2] {
    initialise_with(rapid, TELEMETRY, &[listener.subscription()], answer)
}

/// The same with any subscriptions.
#[track_caller]
pub(crate) fn initialise_with(
    rapid: &Rapid,
    path: &str,
    subscriptions: &[Value],
    answer: &str,
) -> [Connection; 2] {
    // The processes before a new initialisation may still be there.
    let first = eventually_some("the first extension may register", || {
        let reply = rapid.call(&Agent::registration("first", &[]));
        (reply.status == 200).then(|| Agent::registered(&reply))
    });
    for subscription in subscriptions {
        let reply = subscribe(rapid, &first, path, subscription);
        assert_eq!((reply.status, reply.text().as_str()), (200, answer));
    }
    let second = Agent::register(rapid, "second", &[]);
    [first.ask(rapid), second.ask(rapid)]
}
