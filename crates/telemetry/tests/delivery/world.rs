//! What most tests need: a hub, requests and events.

use std::future::Future;
use std::time::Duration;

use rapid_events::{Api, Event, LogRecord, Record};
use rapid_interop::EpochMillis;
use rapid_telemetry::{Rules, Subscribed, Telemetry};
use tokio::runtime::Handle;

/// Fails a test that would wait for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it took too long")
}

/// A hub during an initialisation.
pub(crate) fn opened() -> Telemetry {
    let telemetry = Telemetry::new(Rules::default(), Handle::current());
    telemetry.open();
    telemetry
}

/// How long the first event of a batch waits: not at all, as far as a test can tell, or longer than
/// any test.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    Short,
    Endless,
}

/// A request with this destination, a JSON object.
pub(crate) fn request(types: &[&str], patience: Patience, destination: &str) -> String {
    let timeout = match patience {
        Patience::Short => 25,
        Patience::Endless => 30_000,
    };
    format!(
        r#"{{"schemaVersion":"2022-12-13","types":{types:?},"buffering":{{"maxItems":1000,"timeoutMs":{timeout}}},"destination":{destination}}}"#
    )
}

pub(crate) fn http(port: u16) -> String {
    format!(r#"{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}"}}"#)
}

pub(crate) fn tcp(port: u16) -> String {
    format!(r#"{{"protocol":"TCP","port":{port}}}"#)
}

/// Subscribes a new subscriber to the function's log.
pub(crate) fn subscribe(telemetry: &Telemetry, patience: Patience, destination: &str) {
    let body = request(&["function"], patience, destination);
    let answer = telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes());
    assert_eq!(answer, Ok(Subscribed::Newly));
}

/// A line of the function's log, at the moment of the contract's example.
pub(crate) fn line(text: &str) -> Event {
    let text = text.to_owned().into();
    let time = EpochMillis(1_789_456_390_674);
    Event { time, record: Record::Function(LogRecord::text(text)) }
}

/// The texts of log records.
pub(crate) fn texts(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["record"].as_str()).collect()
}

/// The types of events.
pub(crate) fn types(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}
