//! [`ExtensionState`]: what an extension has said so far, and what it may say next.

use std::fmt;

use rapid_interop::extension::{ExtensionRefusal, StateConflict};

/// An extension's states. Their names appear in error messages and in `platform.extension`.
///
/// # Source
/// Extensions API, "State machines".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExtensionState {
    /// Its process may run but has not registered.
    #[default]
    Started,
    /// It has registered and has not asked for an event yet.
    Registered,
    /// It waits for an event.
    Ready,
    /// It has an event, or one is on its way.
    Running,
    /// It reported that it cannot start.
    InitError,
    /// It reported that it has to end.
    ExitError,
    /// It ended otherwise than with status 0 when everything ended.
    ShutdownFailed,
    /// It ended as it should when everything ended.
    Exited,
    /// Its process could not be started.
    LaunchError,
}

/// What can happen to an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionCall {
    /// It registers.
    Register,
    /// It asks for the next event.
    Next,
    /// The sandbox has an event for it.
    Release,
    /// It reports that it cannot start.
    InitError,
    /// It reports that it has to end.
    ExitError,
    /// Its process ended with status 0 when everything ended.
    Exit,
    /// Its process ended in another way when everything ended.
    ShutdownFail,
    /// Its process could not be started.
    LaunchFail,
}

impl ExtensionCall {
    /// Every call, for exhaustive tests.
    pub const ALL: [Self; 8] = [
        Self::Register,
        Self::Next,
        Self::Release,
        Self::InitError,
        Self::ExitError,
        Self::Exit,
        Self::ShutdownFail,
        Self::LaunchFail,
    ];

    /// What a refusal names as the target.
    const fn target(self) -> &'static str {
        match self {
            Self::Register => ExtensionState::Registered.name(),
            Self::Next => ExtensionState::Ready.name(),
            Self::Release => ExtensionState::Running.name(),
            Self::InitError => ExtensionState::InitError.name(),
            // The service's own choice of words for `exit/error`.
            Self::ExitError | Self::Exit => ExtensionState::Exited.name(),
            Self::ShutdownFail => ExtensionState::ShutdownFailed.name(),
            Self::LaunchFail => ExtensionState::LaunchError.name(),
        }
    }
}

impl ExtensionState {
    /// The name in messages and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::ShutdownFailed => "ShutdownFailed",
            Self::Exited => "Exited",
            Self::LaunchError => "LaunchError",
        }
    }

    /// The one way an extension changes state; `None` when the call is not allowed.
    ///
    /// Internal extensions never get the calls that are about a process.
    #[must_use]
    pub const fn on(self, call: ExtensionCall) -> Option<Self> {
        use ExtensionCall as Call;
        Some(match (self, call) {
            (Self::Started, Call::Register) => Self::Registered,
            (Self::Started, Call::LaunchFail) => Self::LaunchError,
            (Self::Registered | Self::Running, Call::Next) => Self::Ready,
            (Self::Ready, Call::Release) => Self::Running,
            (Self::Registered | Self::InitError, Call::InitError) => Self::InitError,
            (Self::Registered | Self::Ready | Self::Running | Self::ExitError, Call::ExitError) => {
                Self::ExitError
            }
            (Self::Running, Call::Exit) => Self::Exited,
            (Self::Running, Call::ShutdownFail) => Self::ShutdownFailed,
            _ => return None,
        })
    }

    /// The refusal of `call` in this state; `extension` is its name or its id.
    #[must_use]
    pub fn refuse(
        self,
        call: ExtensionCall,
        extension: &dyn fmt::Display,
        why: StateConflict,
    ) -> ExtensionRefusal {
        ExtensionRefusal::InvalidState {
            from: self.name(),
            to: call.target(),
            extension: extension.to_string().into(),
            why,
        }
    }
}

impl fmt::Display for ExtensionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STATES: [ExtensionState; 9] = [
        ExtensionState::Started,
        ExtensionState::Registered,
        ExtensionState::Ready,
        ExtensionState::Running,
        ExtensionState::InitError,
        ExtensionState::ExitError,
        ExtensionState::ShutdownFailed,
        ExtensionState::Exited,
        ExtensionState::LaunchError,
    ];

    /// Every pair of state and call; `-` is a refusal.
    #[test]
    fn every_call_in_every_state_does_what_the_table_says() {
        let table = "
                            register   next  release init-error exit-error exit   shutdown-fail  launch-fail
            Started         Registered -     -       -          -          -      -              LaunchError
            Registered      -          Ready -       InitError  ExitError  -      -              -
            Ready           -          -     Running -          ExitError  -      -              -
            Running         -          Ready -       -          ExitError  Exited ShutdownFailed -
            InitError       -          -     -       InitError  -          -      -              -
            ExitError       -          -     -       -          ExitError  -      -              -
            ShutdownFailed  -          -     -       -          -          -      -              -
            Exited          -          -     -       -          -          -      -              -
            LaunchError     -          -     -       -          -          -      -              -";
        let rows: Vec<Vec<&str>> =
            table.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), STATES.len());
        for (state, row) in STATES.into_iter().zip(rows) {
            assert_eq!(state.name(), row[0]);
            for (call, expected) in ExtensionCall::ALL.into_iter().zip(&row[1..]) {
                let found = state.on(call).map_or("-", ExtensionState::name);
                assert_eq!(found, *expected, "{state} on {call:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_both_states_in_the_words_of_the_api() {
        let refusal = ExtensionState::Ready.refuse(
            ExtensionCall::Register,
            &"agent",
            StateConflict::NotAllowed,
        );
        assert_eq!(
            refusal.to_string(),
            "State transition from Ready to Registered failed for extension agent. \
             Error: State transition is not allowed"
        );
        let refusal = ExtensionState::InitError.refuse(
            ExtensionCall::ExitError,
            &"id",
            StateConflict::Concurrent,
        );
        assert_eq!(
            refusal.to_string(),
            "State transition from InitError to Exited failed for extension id. \
             Error: Concurrent state modification"
        );
    }

    #[test]
    fn every_state_can_be_reached_and_the_ends_are_never_left() {
        let start = ExtensionState::Started;
        let (mut seen, mut todo) = (BTreeSet::from([start]), vec![start]);
        while let Some(state) = todo.pop() {
            for call in ExtensionCall::ALL {
                let Some(next) = state.on(call) else { continue };
                assert!(
                    state < ExtensionState::InitError || next == state,
                    "{call:?} left {state}"
                );
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        assert_eq!(seen.len(), STATES.len());
    }
}
