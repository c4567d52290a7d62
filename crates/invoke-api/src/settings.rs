//! [`Settings`]: what the Invoke API is to be.

use std::fmt;
use std::sync::Arc;

use rapid_interop::ports::EventPort;

use crate::cors::Origins;
use crate::function::FunctionIdentity;
use crate::persona::Persona;

/// What the Invoke API is to be.
#[derive(Clone)]
pub struct Settings {
    /// In whose manner invokers are answered.
    pub persona: Persona,
    /// The function that is invoked.
    pub function: FunctionIdentity,
    /// Who takes invocations that nobody waits for; without, they are refused.
    pub events: Option<Arc<dyn EventPort>>,
    /// Whose web pages may invoke.
    pub origins: Origins,
}

impl Settings {
    /// Of a function whose invokers all wait, and, if they are web pages, are this machine's.
    #[must_use]
    pub const fn new(persona: Persona, function: FunctionIdentity) -> Self {
        Self { persona, function, events: None, origins: Origins::Loopback }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("persona", &self.persona)
            .field("function", &self.function)
            .field("takes_events", &self.events.is_some())
            .field("origins", &self.origins)
            .finish()
    }
}
