//! [`EventsError`]: why something is no event.

/// What can go wrong while events are read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// It is not JSON, or has no time, type and record.
    #[error("this is not an event of the Telemetry or the Logs API")]
    NotAnEvent(#[source] serde_json::Error),
}
