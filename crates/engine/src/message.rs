//! What reaches the engine: one closed list of requests, one of notices.

use std::sync::Arc;

use bytes::Bytes;
use rapid_interop::extension::{
    ExtensionErrorReport, ExtensionId, ExtensionRefusal, NextExtensionEvent, Registered,
    Registration,
};
use rapid_interop::ports::{
    InvokeRefusal, Invoked, NextEvent, RuntimeCaller, RuntimeRefusal, UploadOutcome,
};
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{
    ErrorInvokeResponse, Generation, InteropError, Invoke, InvokeResponseHeaders, Mono, RequestId,
};
use rapid_lifecycle::{Caller, Found, Participant, Ticket};
use tokio::sync::{mpsc, oneshot};

use crate::handle::{EngineReceipt, ExtensionReceipt, UploadToken};

/// The invoker's end of an invocation.
pub(crate) type InvokeReply = oneshot::Sender<Result<Invoked, InvokeRefusal>>;
/// The runtime's end of a parked call.
pub(crate) type NextReply = oneshot::Sender<Result<NextEvent<EngineReceipt>, RuntimeRefusal>>;

/// An extension's end of a parked call.
pub(crate) type EventReply =
    oneshot::Sender<Result<NextExtensionEvent<ExtensionReceipt>, ExtensionRefusal>>;

/// A request; the mailbox for these is bounded, so a sender may have to wait.
#[derive(Debug)]
pub(crate) enum Message {
    /// Initialise now.
    Start,
    /// Run an invocation.
    Invoke { ticket: Ticket, invoke: Arc<Invoke>, reply: InvokeReply },
    /// The runtime asks for an event.
    Next { caller: Caller, from: RuntimeCaller, reply: NextReply },
    /// The runtime begins to send a response or an error.
    Begin {
        generation: Generation,
        id: RequestId,
        kind: UploadKind,
        reply: oneshot::Sender<Result<UploadToken, RuntimeRefusal>>,
    },
    /// A response that is passed on while it comes in has begun.
    Open {
        ticket: Ticket,
        generation: Generation,
        headers: InvokeResponseHeaders,
        pieces: mpsc::Receiver<Bytes>,
    },
    /// A response or error is in, or has come to nothing.
    Finish {
        ticket: Ticket,
        generation: Generation,
        outcome: UploadOutcome,
        reply: oneshot::Sender<Result<(), InteropError>>,
    },
    /// The runtime reports that it cannot initialise.
    InitError {
        generation: Generation,
        error: ErrorInvokeResponse,
        reply: oneshot::Sender<Result<(), RuntimeRefusal>>,
    },
    /// An extension registers.
    Register {
        generation: Generation,
        registration: Registration,
        reply: oneshot::Sender<Result<Registered, ExtensionRefusal>>,
    },
    /// An extension asks for an event.
    NextEvent { caller: Caller, generation: Generation, id: ExtensionId, reply: EventReply },
    /// An extension reports that it cannot go on.
    ExtensionError {
        generation: Generation,
        id: ExtensionId,
        report: ExtensionErrorReport,
        reply: oneshot::Sender<Result<(), ExtensionRefusal>>,
    },
    /// Somebody wants to know the name of an extension.
    ExtensionName {
        generation: Generation,
        id: ExtensionId,
        reply: oneshot::Sender<Result<Box<str>, ExtensionRefusal>>,
    },
}

/// A call of an extension for an event.
#[derive(Debug)]
pub(crate) struct EventCall {
    pub(crate) caller: Caller,
    pub(crate) generation: Generation,
    pub(crate) id: ExtensionId,
    pub(crate) reply: EventReply,
}

/// Which of the two routes an upload came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadKind {
    /// `/response`.
    Response,
    /// `/error`.
    Error,
}

/// Something that happened. Notices are never refused and never waited for: each sender sends at
/// most one for every request or process, which bounds them.
#[derive(Debug)]
pub(crate) enum Notice<P> {
    /// Extensions were looked for.
    Discovered(Found),
    /// A process was started.
    Launched(Participant, P),
    /// A process could not be started.
    LaunchFailed(Participant, LaunchError),
    /// A process ended.
    Exited { generation: Generation, participant: Participant, termination: Termination },
    /// An upload has stayed incomplete.
    Truncated {
        ticket: Ticket,
        generation: Generation,
        /// The handler that waits for the end, if it still does.
        reply: Option<oneshot::Sender<Result<(), InteropError>>>,
    },
    /// A call for an event that was refused is to be looked at once more.
    NextEventAgain(EventCall),
    /// A process and its descendants are gone.
    Stopped { generation: Generation, participant: Participant, clean: bool },
}

/// What a handle or the tokens it gave out noticed.
#[derive(Debug)]
pub(crate) enum HandleNotice {
    /// An invoker hung up before it was answered.
    InvokerGone(Ticket),
    /// A parked caller hung up.
    CallerGone(Caller),
    /// An event was given to a caller that never got it.
    Undelivered { ticket: Ticket, generation: Generation },
    /// An event was given to a caller of an extension that never got it.
    EventUndelivered { generation: Generation, id: ExtensionId, ticket: Option<Ticket> },
    /// An upload was abandoned.
    UploadDropped { ticket: Ticket, generation: Generation },
    /// Everything is to end in order.
    Shutdown { deadline: Mono },
    /// Everything is to end at once.
    Kill,
}
