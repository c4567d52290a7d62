//! [`Effect`]: everything a sandbox can ask to be done, in one closed list.

use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::extension::{ExtensionRefusal, Subscriptions};
use rapid_interop::ports::{Failure, InvokeRefusal, RuntimeRefusal};
use rapid_interop::process::StopPlan;
use rapid_interop::{ExtensionId, Generation, InitPhase, Mono, ResetReason};

use crate::extension::ExtensionState;
use crate::input::{Caller, Participant, Ticket};

/// What is to be done, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look for extensions; [`crate::Input::Discovered`] is to follow.
    Discover,
    /// Start a process; [`crate::Input::Launched`] or [`crate::Input::LaunchFailed`] is to follow.
    Launch {
        /// The generation it belongs to.
        generation: Generation,
        /// Whose.
        participant: Participant,
    },
    /// Give the event to a parked caller.
    HandOver {
        /// The caller.
        caller: Caller,
        /// The invocation.
        ticket: Ticket,
        /// When it times out.
        deadline: Mono,
    },
    /// Give an extension its event.
    Notify {
        /// The caller.
        caller: Caller,
        /// Which extension.
        id: ExtensionId,
        /// The event.
        event: ExtensionNotice,
    },
    /// Refuse a parked caller of an extension.
    ReleaseExtension {
        /// The caller.
        caller: Caller,
        /// Why.
        refusal: ExtensionRefusal,
    },
    /// Refuse a parked caller of the runtime.
    Release {
        /// The caller.
        caller: Caller,
        /// Why.
        refusal: RuntimeRefusal,
    },
    /// Answer the invoker; it happens once for every invocation taken in.
    Answer {
        /// The invocation.
        ticket: Ticket,
        /// With what.
        answer: Answer,
    },
    /// Tell the invoker that the invocation was not taken in; nothing else follows for it.
    Refuse {
        /// The invocation.
        ticket: Ticket,
        /// Why.
        refusal: InvokeRefusal,
    },
    /// Forget an invocation whose invoker has gone before it began.
    Forget {
        /// The invocation.
        ticket: Ticket,
    },
    /// End a process and its descendants; [`crate::Input::Stopped`] is to follow, also when there
    /// is no such process. Said again for a process that is being ended, it means to hurry.
    Stop {
        /// The generation.
        generation: Generation,
        /// Whose.
        participant: Participant,
        /// How.
        plan: StopPlan,
        /// Why.
        reason: ResetReason,
    },
    /// Something worth reporting happened.
    Reached(Milestone),
    /// The sandbox has ended; nothing follows.
    Closed {
        /// `false` when processes were still there at the end of their time.
        clean: bool,
    },
}

/// An event for an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionNotice {
    /// An invocation begins.
    Invoke {
        /// The invocation.
        ticket: Ticket,
        /// When it times out.
        deadline: Mono,
    },
    /// The execution environment ends.
    Shutdown {
        /// Why.
        reason: ResetReason,
        /// When the extension is killed.
        deadline: Mono,
    },
}

/// With what an invoker is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upload that was just finished.
    Upload,
    /// What the runtime reported as its reason not to initialise.
    InitError(ErrorType),
    /// What the platform says of a failure.
    Failure {
        /// What happened.
        failure: Failure,
        /// The first fatal error, or the type of the failure.
        error_type: ErrorType,
    },
}

/// A step of the lifecycle that platform events and log lines tell of.
///
/// # Source
/// Lifecycle, "Platform events" (order and content).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// An initialisation begins.
    InitStart {
        /// On its own or inside an invocation.
        phase: InitPhase,
    },
    /// The runtime's part of the initialisation has ended.
    InitRuntimeDone {
        /// On its own or inside an invocation.
        phase: InitPhase,
        /// How it ended.
        status: EndStatus,
    },
    /// How an extension came out of the initialisation.
    Extension {
        /// Its name.
        name: Box<str>,
        /// Its state.
        state: ExtensionState,
        /// The events it has registered for.
        events: Subscriptions,
        /// What it or the platform called its error.
        error_type: Option<Box<str>>,
    },
    /// Extensions are waited for, and have been for a while.
    Awaiting {
        /// What they have not done.
        what: Awaited,
        /// Their names.
        names: Vec<Box<str>>,
        /// They are not waited for any longer.
        given_up: bool,
    },
    /// The initialisation has ended.
    InitReport {
        /// On its own or inside an invocation.
        phase: InitPhase,
        /// How it ended.
        status: EndStatus,
        /// How long it took.
        duration: Duration,
    },
    /// An invocation begins.
    Start {
        /// The invocation.
        ticket: Ticket,
    },
    /// The runtime's part of the invocation has ended.
    RuntimeDone {
        /// The invocation.
        ticket: Ticket,
        /// How it ended.
        status: EndStatus,
        /// From the hand-over to the end; zero when it was never handed over.
        duration: Duration,
    },
    /// The invocation has ended, and so has everything that was stopped because of it.
    End {
        /// The invocation.
        ticket: Ticket,
        /// How it ended.
        status: EndStatus,
        /// From its start to the end, at most the function timeout.
        duration: Duration,
        /// How long the initialisation took that ran for it or since the last invocation.
        init: Option<InitTime>,
        /// When the runtime asked for the next event, and how long after its answer that was.
        ready: Option<(Mono, Duration)>,
        /// How long extensions kept the invocation from ending once the runtime was ready; `None`
        /// without extensions, and when it ended in another way.
        overhead: Option<Duration>,
        /// Whether the environment was reset because of it.
        reset: bool,
    },
    /// Extensions were ended with their generation.
    Reset {
        /// Why.
        reason: ResetReason,
        /// How long the end took because some of them get `SHUTDOWN`; zero if none does.
        extensions: Duration,
        /// Those that did not end in time and were killed.
        late: Vec<Box<str>>,
        /// Those that were told and ended otherwise than with status 0.
        failed: Vec<Box<str>>,
    },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Extensions that were started have not registered.
    Registration,
    /// Extensions that have registered have not asked for their first event.
    FirstEvent,
    /// Extensions that were told of an invocation have not asked for the next event.
    NextEvent,
    /// The runtime has not asked for its first event.
    Runtime,
}

/// The time of an initialisation, and whether the invocation's own time contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitTime {
    /// How long it took.
    pub duration: Duration,
    /// [`InitPhase::Invoke`]: it ran inside the invocation and counts into its duration.
    pub phase: InitPhase,
}

impl InitTime {
    /// How long it took, if it ran in this phase.
    #[must_use]
    pub fn of(self, phase: InitPhase) -> Option<Duration> {
        (self.phase == phase).then_some(self.duration)
    }
}

/// How an initialisation or invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndStatus {
    /// As it should.
    Success,
    /// The function, the runtime or an extension failed.
    Error(ErrorType),
    /// The platform failed.
    Failure(ErrorType),
    /// Its time ran out.
    Timeout,
}

impl EndStatus {
    /// `Failure` for types of the sandbox, `Error` for all others.
    #[must_use]
    pub fn of(error_type: ErrorType) -> Self {
        if error_type.as_str().starts_with("Sandbox.") {
            Self::Failure(error_type)
        } else {
            Self::Error(error_type)
        }
    }

    /// The value of `status` in events and log lines.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error(_) => "error",
            Self::Failure(_) => "failure",
            Self::Timeout => "timeout",
        }
    }

    /// The error type, if there is one to tell.
    #[must_use]
    pub const fn error_type(&self) -> Option<&ErrorType> {
        match self {
            Self::Error(error_type) | Self::Failure(error_type) => Some(error_type),
            Self::Success | Self::Timeout => None,
        }
    }
}
