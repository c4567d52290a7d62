//! [`Event`]: what the platform hands to an extension.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wire::{self, EventReply, TracingReply};

/// An invocation or the end of the environment, as [`Client::next_event`] brings it.
///
/// A key that the platform leaves out, as it does in SHUTDOWN with most of them, is empty here.
/// The fields are open, so that a handler can be tested:
///
/// ```
/// use rapid_extension::{Event, EventType};
///
/// let event = Event {
///     event_type: EventType::Invoke,
///     request_id: "5cf8b610-1f9f-4925-9780-cc13681b421a".into(),
///     ..Event::default()
/// };
/// # assert_eq!(event.deadline_ms, 0);
/// ```
///
/// # Source
/// Extensions API, "Next" and "Shutdown".
///
/// [`Client::next_event`]: crate::Client::next_event
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What kind of event it is.
    pub event_type: EventType,
    /// When the invocation times out, or when the extension has to have ended after SHUTDOWN, in
    /// milliseconds since 1970 (UTC). [`Event::deadline`] has it as a time.
    pub deadline_ms: i64,
    /// The id of the invocation; empty in SHUTDOWN.
    pub request_id: String,
    /// The ARN that the function was invoked by; empty in SHUTDOWN.
    pub invoked_function_arn: String,
    /// The trace of the invocation; empty in SHUTDOWN, and when the platform gave none.
    pub tracing: Tracing,
    /// Why the environment ends; `None` in INVOKE.
    pub shutdown_reason: Option<ShutdownReason>,
}

impl Event {
    /// When the time for this event is over, by the wall clock.
    ///
    /// For INVOKE that is the function's timeout; for SHUTDOWN the platform kills whoever still
    /// runs then. Without a deadline on the wire it is the beginning of 1970.
    #[must_use]
    pub fn deadline(&self) -> SystemTime {
        let distance = Duration::from_millis(self.deadline_ms.unsigned_abs());
        let deadline = if self.deadline_ms < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        deadline.unwrap_or(UNIX_EPOCH)
    }

    /// How much time is left until [`Event::deadline`]: zero when it is over.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.left_at(SystemTime::now())
    }

    fn left_at(&self, now: SystemTime) -> Duration {
        // The error says by how much it is over, and a wait cannot be negative.
        self.deadline().duration_since(now).unwrap_or_default()
    }
}

impl From<EventReply<'_>> for Event {
    fn from(reply: EventReply<'_>) -> Self {
        Self {
            event_type: reply.event_type.unwrap_or_default().into(),
            deadline_ms: reply.deadline_ms.unwrap_or_default(),
            request_id: reply.request_id.unwrap_or_default(),
            invoked_function_arn: reply.invoked_function_arn.unwrap_or_default(),
            tracing: reply.tracing.map(Tracing::from).unwrap_or_default(),
            shutdown_reason: reply.shutdown_reason.map(ShutdownReason::from),
        }
    }
}

/// What kind an event is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `INVOKE`: the function is being invoked, at the same time.
    Invoke,
    /// `SHUTDOWN`: the environment ends.
    Shutdown,
    /// A type that this crate does not know, verbatim. Made from text with `From`, the known ones
    /// never end up here.
    Other(String),
}

impl EventType {
    /// As the API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invoke => wire::INVOKE,
            Self::Shutdown => wire::SHUTDOWN,
            Self::Other(name) => name,
        }
    }
}

impl Default for EventType {
    /// The empty type, which an event without any has.
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl From<Cow<'_, str>> for EventType {
    fn from(name: Cow<'_, str>) -> Self {
        match name.as_ref() {
            wire::INVOKE => Self::Invoke,
            wire::SHUTDOWN => Self::Shutdown,
            _ => Self::Other(name.into_owned()),
        }
    }
}

impl From<&str> for EventType {
    fn from(name: &str) -> Self {
        Cow::Borrowed(name).into()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the environment ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ShutdownReason {
    /// `spindown`: it is not needed any more.
    Spindown,
    /// `timeout`: an invocation took too long.
    Timeout,
    /// `failure`: the runtime or an extension failed.
    Failure,
    /// Another reason, verbatim: emulators have some of their own. Made from text with `From`, the
    /// known ones never end up here.
    Other(String),
}

impl ShutdownReason {
    /// As the API spells it, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Spindown => wire::SPINDOWN,
            Self::Timeout => wire::TIMEOUT,
            Self::Failure => wire::FAILURE,
            Self::Other(reason) => reason,
        }
    }
}

impl From<Cow<'_, str>> for ShutdownReason {
    fn from(reason: Cow<'_, str>) -> Self {
        match reason.as_ref() {
            wire::SPINDOWN => Self::Spindown,
            wire::TIMEOUT => Self::Timeout,
            wire::FAILURE => Self::Failure,
            _ => Self::Other(reason.into_owned()),
        }
    }
}

impl From<&str> for ShutdownReason {
    fn from(reason: &str) -> Self {
        Cow::Borrowed(reason).into()
    }
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trace that an invocation belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracing {
    /// What kind of trace it is, `type` on the wire: `X-Amzn-Trace-Id`.
    pub kind: String,
    /// The trace header: `Root=…;Parent=…;Sampled=…`.
    pub value: String,
}

impl From<TracingReply> for Tracing {
    fn from(reply: TracingReply) -> Self {
        Self { kind: reply.kind.unwrap_or_default(), value: reply.value.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> Event {
        wire::read::<EventReply<'_>>(json.as_bytes()).unwrap().into()
    }

    fn due(deadline_ms: i64) -> Event {
        Event { deadline_ms, ..Event::default() }
    }

    #[test]
    fn missing_keys_and_null_are_empty_and_unknown_keys_are_read_over() {
        assert_eq!(event("{}"), Event::default());
        assert_eq!(event(r#"{"eventType":null,"tracing":null,"new":[1]}"#), Event::default());
        assert_eq!(event(r#"{"tracing":{"value":"v"}}"#).tracing.value, "v");
    }

    #[test]
    fn types_and_reasons_keep_the_spelling_of_the_wire() {
        for name in ["INVOKE", "SHUTDOWN", "invoke", "RESTORE", ""] {
            assert_eq!(EventType::from(name).to_string(), name);
        }
        for reason in ["spindown", "timeout", "failure", "Timeout", ""] {
            assert_eq!(ShutdownReason::from(reason).to_string(), reason);
        }
        assert_eq!(EventType::from("INVOKE"), EventType::Invoke);
        assert_eq!(ShutdownReason::from("timeout"), ShutdownReason::Timeout);
        assert_eq!(ShutdownReason::from("Timeout"), ShutdownReason::Other("Timeout".into()));
    }

    #[test]
    fn a_deadline_is_a_time_whatever_the_wire_says() {
        assert_eq!(due(1_500).deadline(), UNIX_EPOCH + Duration::from_millis(1_500));
        assert_eq!(due(-1_500).deadline(), UNIX_EPOCH - Duration::from_millis(1_500));
        assert!(due(i64::MAX).deadline() > UNIX_EPOCH);
        assert!(due(i64::MIN).deadline() < UNIX_EPOCH);
    }

    #[test]
    fn a_deadline_that_is_over_leaves_no_time() {
        let now = UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(due(1_250).left_at(now), Duration::from_millis(250));
        assert_eq!(due(1_000).left_at(now), Duration::ZERO);
        assert_eq!(due(-5).left_at(now), Duration::ZERO);
        assert_eq!(due(0).timeout(), Duration::ZERO);
    }
}
