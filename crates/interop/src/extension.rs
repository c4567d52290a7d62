//! Extensions: what the Extensions API and the lifecycle say to each other about them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use crate::id::Generation;
use crate::invoke::Invoke;
use crate::message::{FunctionMetadata, ResetReason};
use crate::ports::Receipt;
use crate::time::EpochMillis;

/// The extensions' side of an execution environment: what the Extensions API calls.
///
/// Every call says to which generation its connection belongs; calls from an earlier one are
/// refused.
pub trait ExtensionPort: Clone + Send + Sync + 'static {
    /// Proof that an event went out (see [`Receipt`]).
    type EventReceipt: Receipt;

    /// Whether extensions take part at all; if not, their routes do not exist.
    fn extensions_enabled(&self) -> bool;

    /// Registers an extension: one whose process waits for it, or a new internal one.
    ///
    /// # Errors
    /// [`ExtensionRefusal`]; nothing changed then.
    fn register(
        &self,
        generation: Generation,
        registration: Registration,
    ) -> impl Future<Output = Result<Registered, ExtensionRefusal>> + Send;

    /// Parks the caller until there is an event for the extension.
    ///
    /// # Errors
    /// [`ExtensionRefusal`]; nothing changed then.
    ///
    /// # Cancel safety
    /// Dropping the future un-parks the caller; an event that is due waits for the next call.
    fn next_event(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> impl Future<Output = Result<NextExtensionEvent<Self::EventReceipt>, ExtensionRefusal>> + Send;

    /// Takes in the report that an extension cannot start, or has to end. Its process is expected
    /// to exit.
    ///
    /// # Errors
    /// [`ExtensionRefusal`]; nothing changed then.
    fn extension_error(
        &self,
        generation: Generation,
        id: ExtensionId,
        report: ExtensionErrorReport,
    ) -> impl Future<Output = Result<(), ExtensionRefusal>> + Send;

    /// The name under which an extension has registered: what its subscriptions to logs and
    /// telemetry belong to.
    ///
    /// # Errors
    /// [`ExtensionRefusal::Unknown`], and [`ExtensionRefusal::Internal`].
    fn extension_name(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> impl Future<Output = Result<Box<str>, ExtensionRefusal>> + Send;
}

/// The id of an extension in one generation: what `Lambda-Extension-Identifier` carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionId(Uuid);

impl ExtensionId {
    /// The id with this value.
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self(Uuid::from_u128(value))
    }

    /// Parses an id in any of the usual spellings of a UUID: with hyphens, without, in braces, or
    /// as a URN; letters of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }
}

impl From<Uuid> for ExtensionId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for ExtensionId {
    /// In lower case, with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for ExtensionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtensionId({self})")
    }
}

/// Whether an extension has a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtensionKind {
    /// A process started ahead of the runtime.
    External,
    /// Code inside the runtime's process.
    Internal,
}

/// An event that extensions may register for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// An invocation begins.
    Invoke,
    /// The execution environment is about to end.
    Shutdown,
}

impl EventType {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Shutdown => "SHUTDOWN",
        }
    }

    /// Reads a name; upper case only, as the service does.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Invoke, Self::Shutdown].into_iter().find(|known| known.as_str() == name)
    }
}

/// The events that an extension has registered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscriptions {
    /// [`EventType::Invoke`].
    pub invoke: bool,
    /// [`EventType::Shutdown`].
    pub shutdown: bool,
}

impl Subscriptions {
    /// Adds an event.
    pub const fn add(&mut self, event: EventType) {
        match event {
            EventType::Invoke => self.invoke = true,
            EventType::Shutdown => self.shutdown = true,
        }
    }

    /// The events, in the order of a lifecycle.
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        let invoke = self.invoke.then_some(EventType::Invoke);
        invoke.into_iter().chain(self.shutdown.then_some(EventType::Shutdown))
    }
}

/// What an extension says when it registers, checked for form but not for sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its name, not empty. The base name of a launched file makes it external.
    pub name: Box<str>,
    /// The events it wants, as it wrote them.
    pub events: Vec<Box<str>>,
}

/// What an extension is told when it has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: ExtensionId,
    /// The function it extends.
    pub function: Arc<FunctionMetadata>,
}

/// An event for an extension.
#[derive(Clone, Debug)]
pub enum ExtensionEvent {
    /// An invocation begins.
    Invoke {
        /// The invocation. Its payload is not for extensions, and may be gone already.
        invoke: Arc<Invoke>,
        /// When it times out.
        deadline: EpochMillis,
    },
    /// The execution environment is about to end.
    Shutdown {
        /// Why.
        reason: ResetReason,
        /// When the extension is killed if it has not exited by then.
        deadline: EpochMillis,
    },
}

/// An event, and the proof of its delivery.
#[derive(Debug)]
pub struct NextExtensionEvent<R> {
    /// The event.
    pub event: ExtensionEvent,
    /// To be settled once the event is on its way to the extension.
    pub receipt: R,
}

/// The two APIs through which extensions subscribe to logs and platform events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TelemetryApi {
    /// The Telemetry API.
    Telemetry,
    /// The Logs API before it.
    Logs,
}

impl TelemetryApi {
    /// The name, as error types and log lines begin with it: `Telemetry`, `Logs`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "Telemetry",
            Self::Logs => "Logs",
        }
    }
}

/// When an extension found out that it cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtensionErrorKind {
    /// Before its first event: `init/error`.
    Init,
    /// Later: `exit/error`.
    Exit,
}

/// An extension cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionErrorReport {
    /// When it found out.
    pub kind: ExtensionErrorKind,
    /// What it calls the error: free text, not empty.
    pub error_type: Box<str>,
}

/// Why a call of an extension was refused.
///
/// # Source
/// Extensions API, the tables of each route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionRefusal {
    /// It asked for an event that does not exist.
    #[error("{event}: ErrorInvalidEventType")]
    UnknownEvent {
        /// The event as it was named.
        event: Box<str>,
    },
    /// An internal extension asked for `SHUTDOWN`.
    #[error("SHUTDOWN: ShutdownEventNotSupportedForInternalExtension")]
    ShutdownOfInternal,
    /// The runtime has asked for its first event already.
    #[error("Extension registration closed already")]
    RegistrationClosed,
    /// As many extensions as there may be have registered or were launched.
    #[error("Extension limit ({}) reached", crate::limits::MAX_EXTENSIONS)]
    TooManyExtensions,
    /// An internal extension of that name exists.
    #[error("Extension with this name already registered")]
    NameTaken,
    /// The extension's state does not allow the call.
    #[error("State transition from {from} to {to} failed for extension {extension}. Error: {why}")]
    InvalidState {
        /// The state it stays in.
        from: &'static str,
        /// The state it asked for.
        to: &'static str,
        /// Its name when it registers, its id afterwards.
        extension: Box<str>,
        /// Why not.
        why: StateConflict,
    },
    /// No extension of this generation has that id.
    #[error("Unknown extension {id}")]
    Unknown {
        /// The id.
        id: ExtensionId,
    },
    /// The engine has ended.
    #[error("Internal Server Error")]
    Internal,
}

/// Why a state does not allow a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateConflict {
    /// It never does.
    NotAllowed,
    /// Another call of the same extension changed the state while this one was parked.
    Concurrent,
}

impl fmt::Display for StateConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "State transition is not allowed",
            Self::Concurrent => "Concurrent state modification",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_every_usual_spelling_and_written_in_one() {
        let plain = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";
        let id = ExtensionId::parse(plain).unwrap();
        assert_eq!(id.to_string(), plain);
        for spelling in [
            "6F1C8E2A-0B7D-4F4E-9A51-2F8F0C2D1A11",
            "6f1c8e2a0b7d4f4e9a512f8f0c2d1a11",
            "{6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11}",
            "urn:uuid:6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11",
        ] {
            assert_eq!(ExtensionId::parse(spelling), Some(id), "{spelling}");
        }
        for bad in ["", "6f1c8e2a", "not-a-uuid", &format!("{plain}0")] {
            assert_eq!(ExtensionId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn event_names_are_upper_case() {
        assert_eq!(EventType::parse("INVOKE"), Some(EventType::Invoke));
        assert_eq!(EventType::parse("SHUTDOWN"), Some(EventType::Shutdown));
        assert_eq!(EventType::parse("invoke"), None);
    }

    #[test]
    fn subscriptions_list_invoke_first() {
        let mut both = Subscriptions::default();
        both.add(EventType::Shutdown);
        both.add(EventType::Invoke);
        both.add(EventType::Invoke);
        let names: Vec<&str> = both.iter().map(EventType::as_str).collect();
        assert_eq!(names, ["INVOKE", "SHUTDOWN"]);
    }
}
