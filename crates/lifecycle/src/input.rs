//! [`Input`]: everything that can happen to a sandbox, in one closed list.

use rapid_fatal_error::ErrorType;
use rapid_interop::extension::{ExtensionErrorReport, Registration};
use rapid_interop::ports::Failure;
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{ExtensionId, Generation, Mono, RequestId};

/// An invocation inside one sandbox: unique, unlike a request id, which invokers may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A parked `next` call, of the runtime or of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// A process of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Participant {
    /// The runtime.
    Runtime,
    /// An external extension.
    Extension(ExtensionId),
}

/// The extensions that are to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Extensions are turned off, from now on for good.
    Disabled,
    /// Each of these, in this order: the id it will have, and its name.
    Files(Vec<(ExtensionId, Box<str>)>),
}

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
    /// The places for extensions were looked at.
    Discovered {
        /// What was there.
        found: Found,
    },
    /// A process was started.
    Launched {
        /// Whose.
        participant: Participant,
    },
    /// A process could not be started.
    LaunchFailed {
        /// Whose.
        participant: Participant,
        /// Why.
        error: LaunchError,
    },
    /// A process ended.
    Exited {
        /// The generation it belonged to.
        generation: Generation,
        /// Whose it was.
        participant: Participant,
        /// How it ended.
        termination: Termination,
    },
    /// All of a process and its descendants is gone, as it was to be.
    Stopped {
        /// The generation it belonged to.
        generation: Generation,
        /// Whose it was.
        participant: Participant,
        /// `false` when something was still there at the end of the time.
        clean: bool,
    },
    /// An extension registers.
    Register {
        /// The generation of the caller's connection.
        generation: Generation,
        /// The id it gets if it is an internal one.
        id: ExtensionId,
        /// What it says.
        registration: Registration,
    },
    /// An extension asks for the next event.
    NextEvent {
        /// The generation of the caller's connection.
        generation: Generation,
        /// Which extension.
        id: ExtensionId,
        /// Names the parked call.
        caller: Caller,
    },
    /// An extension reports that it cannot go on.
    ExtensionError {
        /// The generation of the caller's connection.
        generation: Generation,
        /// Which extension.
        id: ExtensionId,
        /// What it says.
        report: ExtensionErrorReport,
    },
    /// An event was to be given to a call of an extension that had gone.
    EventVanished {
        /// The generation it was given in.
        generation: Generation,
        /// Which extension.
        id: ExtensionId,
        /// The invocation it told of; `None` for a shutdown.
        ticket: Option<Ticket>,
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
    /// End the execution environment in order.
    Shutdown {
        /// When the running invocation must have ended.
        deadline: Mono,
    },
    /// End the execution environment at once: everything is killed.
    Kill,
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
