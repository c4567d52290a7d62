//! [`Input`]: everything that can happen to a sandbox, in one closed list.

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::Failure;
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{Generation, Mono, RequestId};

/// An invocation inside one sandbox: unique, unlike a request id, which invokers may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A parked `next` call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// Initialise now, ahead of the first invocation.
    Start,
    /// An invocation arrived.
    Arrive {
        /// Names it from now on.
        ticket: Ticket,
        /// The id the runtime will answer under.
        id: RequestId,
    },
    /// The invoker of an invocation has gone.
    Withdraw {
        /// The invocation.
        ticket: Ticket,
    },
    /// The runtime process was started.
    Launched,
    /// The runtime process could not be started.
    LaunchFailed {
        /// Why.
        error: LaunchError,
    },
    /// The runtime process ended.
    Exited {
        /// Whose runtime it was.
        generation: Generation,
        /// How it ended.
        termination: Termination,
    },
    /// Everything of a generation that was to be stopped is gone.
    Stopped {
        /// The generation.
        generation: Generation,
        /// `false` when something was still there at the end of the time.
        clean: bool,
    },
    /// The runtime asks for the next event.
    Next {
        /// The generation of the caller's connection.
        generation: Generation,
        /// Names the parked call.
        caller: Caller,
    },
    /// An event was to be handed to a caller that had gone.
    Vanished {
        /// The invocation.
        ticket: Ticket,
        /// The generation it was handed over in.
        generation: Generation,
    },
    /// The runtime begins to send a response.
    BeginResponse {
        /// The generation of the caller's connection.
        generation: Generation,
        /// The id in the path.
        id: RequestId,
    },
    /// The runtime begins to send an error.
    BeginError {
        /// The generation of the caller's connection.
        generation: Generation,
        /// The id in the path.
        id: RequestId,
    },
    /// A response or error is in, or has come to nothing.
    Finish {
        /// The invocation it was begun for.
        ticket: Ticket,
        /// The generation it was begun in.
        generation: Generation,
        /// What came in.
        end: UploadEnd,
    },
    /// The runtime reports that it cannot initialise.
    InitError {
        /// The generation of the caller's connection.
        generation: Generation,
        /// The scrubbed type.
        error_type: ErrorType,
    },
    /// Time has passed; see [`crate::Sandbox::deadline`].
    Tick,
    /// End the execution environment.
    Shutdown {
        /// When the running invocation must have ended.
        deadline: Mono,
    },
}

/// How an upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEnd {
    /// A response is in.
    Response,
    /// An error report is in.
    Error,
    /// It cannot be used; the invoker is told this instead.
    Failed(Failure),
}
