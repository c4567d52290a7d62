//! [`Events`]: what an extension registers for.

use crate::event::EventType;

/// What an extension registers for.
///
/// Wherever one is asked for, a reference to a list of [`EventType`] does: `&[EventType::Invoke]`.
/// An empty list stands for everything there is, INVOKE and SHUTDOWN. For no event at all there is
/// [`Events::none`], so that nobody asks for it by accident.
///
/// ```
/// use rapid_extension::{EventType, Events};
///
/// assert_eq!(Events::from(&[]), Events::all());
/// assert_eq!(Events::from(&[EventType::Shutdown]).as_slice(), [EventType::Shutdown]);
/// assert!(Events::none().as_slice().is_empty());
/// ```
///
/// # Source
/// Extensions API, "Register".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events(Vec<EventType>);

impl Events {
    /// INVOKE and SHUTDOWN.
    ///
    /// An internal extension, which lives in the runtime's process, may not ask for SHUTDOWN and
    /// is refused with this.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![EventType::Invoke, EventType::Shutdown])
    }

    /// No event, `{"events":[]}` on the wire.
    ///
    /// The extension takes part in the initialisation only: its first request for an event says
    /// that it is ready, and is never answered. The platform ends it without a warning.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The events, in the order in which they are sent.
    #[must_use]
    pub fn as_slice(&self) -> &[EventType] {
        &self.0
    }
}

impl Default for Events {
    /// [`Events::all`].
    fn default() -> Self {
        Self::all()
    }
}

impl From<&[EventType]> for Events {
    fn from(events: &[EventType]) -> Self {
        if events.is_empty() { Self::all() } else { Self(events.to_vec()) }
    }
}

impl<const N: usize> From<&[EventType; N]> for Events {
    fn from(events: &[EventType; N]) -> Self {
        events.as_slice().into()
    }
}

impl From<&Vec<EventType>> for Events {
    fn from(events: &Vec<EventType>) -> Self {
        events.as_slice().into()
    }
}
