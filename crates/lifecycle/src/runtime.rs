//! [`Runtime`]: what the runtime has said so far, and what it may say next.

use std::fmt;

use rapid_interop::ports::RuntimeRefusal;

/// The runtime's states. Their names appear in error messages.
///
/// The states of a restore (`RestoreReady`, `Restoring`, `RuntimeRestoreErrorState`) join with the
/// restore routes.
///
/// # Source
/// Runtime API, "Runtime state machine".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Runtime {
    /// The process may run but has not asked for anything.
    #[default]
    Started,
    /// It reported that it cannot initialise.
    InitError,
    /// It waits for an event.
    Ready,
    /// It has the event.
    Running,
    /// Its response is on the way in.
    InvocationResponse,
    /// Its error report is on the way in.
    InvocationErrorResponse,
    /// It has answered and has not asked for the next event yet.
    ResponseSent,
}

/// What can happen to a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// The runtime asks for the next event.
    Next,
    /// The sandbox hands an event over.
    HandOver,
    /// The event never reached the runtime.
    TakeBack,
    /// The runtime begins to send a response.
    Response,
    /// The runtime begins to send an error.
    Error,
    /// The runtime reports that it cannot initialise.
    InitError,
    /// The response or error is in.
    Sent,
}

impl Call {
    /// Every call, for exhaustive tests.
    pub const ALL: [Self; 7] = [
        Self::Next,
        Self::HandOver,
        Self::TakeBack,
        Self::Response,
        Self::Error,
        Self::InitError,
        Self::Sent,
    ];

    /// The state that a refused call names as its target.
    const fn target(self) -> Runtime {
        match self {
            Self::Next | Self::TakeBack => Runtime::Ready,
            Self::HandOver => Runtime::Running,
            Self::Response => Runtime::InvocationResponse,
            Self::Error => Runtime::InvocationErrorResponse,
            Self::InitError => Runtime::InitError,
            Self::Sent => Runtime::ResponseSent,
        }
    }
}

impl Runtime {
    /// The name in messages and in internal-state JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::InitError => "InitError",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InvocationResponse => "InvocationResponse",
            Self::InvocationErrorResponse => "InvocationErrorResponse",
            Self::ResponseSent => "RuntimeResponseSentState",
        }
    }

    /// The one way a runtime changes state; a refused call changes nothing.
    ///
    /// # Errors
    /// [`RuntimeRefusal::InvalidStateTransition`] when the state does not allow the call.
    pub fn on(self, call: Call) -> Result<Self, RuntimeRefusal> {
        Ok(match (self, call) {
            (Self::Started | Self::Ready | Self::ResponseSent, Call::Next) => Self::Ready,
            // The same event again: a runtime may lose an event and ask once more.
            (Self::Running, Call::Next) => Self::Running,
            (Self::Ready, Call::HandOver) => Self::Running,
            (Self::Running, Call::TakeBack) => Self::Ready,
            (Self::Running, Call::Response) => Self::InvocationResponse,
            (Self::Running, Call::Error) => Self::InvocationErrorResponse,
            (Self::Started, Call::InitError) => Self::InitError,
            (Self::InvocationResponse | Self::InvocationErrorResponse, Call::Sent) => {
                Self::ResponseSent
            }
            (from, call) => return Err(from.refuse(call)),
        })
    }

    /// The refusal of `call` in this state.
    #[must_use]
    pub const fn refuse(self, call: Call) -> RuntimeRefusal {
        RuntimeRefusal::InvalidStateTransition { from: self.name(), to: call.target().name() }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STATES: [Runtime; 7] = [
        Runtime::Started,
        Runtime::InitError,
        Runtime::Ready,
        Runtime::Running,
        Runtime::InvocationResponse,
        Runtime::InvocationErrorResponse,
        Runtime::ResponseSent,
    ];

    /// Every pair of state and call; `-` is a refusal.
    #[test]
    fn every_call_in_every_state_does_what_the_table_says() {
        let table = "
                                  next     hand-over take-back response            error                    init-error sent
            Started               Ready    -         -         -                   -                        InitError  -
            InitError             -        -         -         -                   -                        -          -
            Ready                 Ready    Running   -         -                   -                        -          -
            Running               Running  -         Ready     InvocationResponse  InvocationErrorResponse  -          -
            InvocationResponse    -        -         -         -                   -                        -          RuntimeResponseSentState
            InvocationErrorResponse -      -         -         -                   -                        -          RuntimeResponseSentState
            RuntimeResponseSentState Ready -         -         -                   -                        -          -";
        let rows: Vec<Vec<&str>> =
            table.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), STATES.len());
        for (state, row) in STATES.into_iter().zip(rows) {
            assert_eq!(state.name(), row[0]);
            for (call, expected) in Call::ALL.into_iter().zip(&row[1..]) {
                let found = state.on(call).map_or("-", Runtime::name);
                assert_eq!(found, *expected, "{state} on {call:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_both_states_in_the_words_of_the_api() {
        let refusal = Runtime::ResponseSent.on(Call::Response).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "State transition from RuntimeResponseSentState to InvocationResponse failed for \
             runtime. Error: State transition is not allowed"
        );
    }

    #[test]
    fn every_state_can_be_reached_and_init_error_is_never_left() {
        let (mut seen, mut todo) = (BTreeSet::from([Runtime::Started]), vec![Runtime::Started]);
        while let Some(state) = todo.pop() {
            for call in Call::ALL {
                let Ok(next) = state.on(call) else { continue };
                assert_ne!(state, Runtime::InitError, "{call:?} left InitError");
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        assert_eq!(seen.len(), STATES.len());
    }
}
