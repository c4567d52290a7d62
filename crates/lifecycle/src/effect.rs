//! [`Effect`]: everything a sandbox can ask to be done, in one closed list.

use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, InvokeRefusal, RuntimeRefusal};
use rapid_interop::process::StopPlan;
use rapid_interop::{Generation, InitPhase, Mono, ResetReason};

use crate::input::{Caller, Ticket};

/// What is to be done, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the runtime process; [`crate::Input::Launched`] or
    /// [`crate::Input::LaunchFailed`] is to follow.
    Launch {
        /// The generation it belongs to.
        generation: Generation,
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
    /// Refuse a parked caller.
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
    /// End all processes of a generation; [`crate::Input::Stopped`] is to follow.
    Stop {
        /// The generation.
        generation: Generation,
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

/// With what an invoker is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upload that was just finished.
    Upload,
    /// What the runtime reported as its reason not to initialise.
    InitError(ErrorType),
    /// What the platform says of a failure.
    Failure(Failure),
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
        /// Whether the environment was reset because of it.
        reset: bool,
    },
}

/// The time of an initialisation, and whether the invocation's own time contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitTime {
    /// How long it took.
    pub duration: Duration,
    /// [`InitPhase::Invoke`]: it ran inside the invocation and counts into its duration.
    pub phase: InitPhase,
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
