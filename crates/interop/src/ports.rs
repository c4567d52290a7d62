//! The ports between the HTTP crates and the engine.
//!
//! A port is a generic trait: the HTTP crates are written against it, the engine implements it,
//! and an emulator may bring an implementation of its own. Futures are returned as
//! `impl Future + Send`; nothing is boxed. [`TelemetryPort`] and [`EventPort`] alone are made for
//! `dyn`: they may be left out, and no invocation that somebody waits for calls them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use rapid_fatal_error::ErrorType;

use crate::error::{ErrorInvokeResponse, InteropError};
use crate::extension::{ExtensionErrorKind, TelemetryApi};
use crate::id::Generation;
use crate::invoke::{
    Invoke, InvokeErrorTraceData, InvokeResponseHeaders, StreamableInvokeResponse,
};
use crate::process::{LaunchError, Termination};
use crate::stream::InvokeStream;
use crate::time::{EpochMillis, Mono};

/// The invoker's side of an execution environment.
pub trait InvokePort: Clone + Send + Sync + 'static {
    /// Takes an invocation in and resolves with its answer.
    ///
    /// The answer comes as soon as the runtime has given it; the rest of the invoke phase only
    /// delays the next invocation. Who wants the log as well ([`Invoke::log_tail`]) waits for that
    /// rest, whose log counts too.
    ///
    /// # Errors
    /// [`InvokeRefusal`] when the invocation was not taken in; nothing ran then.
    ///
    /// # Cancel safety
    /// Dropping the future says that the invoker has gone. An invocation that still waits for its
    /// turn is withdrawn; one that runs goes on to its end.
    fn invoke(&self, invoke: Invoke)
    -> impl Future<Output = Result<Invoked, InvokeRefusal>> + Send;

    /// What the execution environment is doing.
    fn health(&self) -> Health;

    /// The port's clock, for [`Invoke::received`].
    fn now(&self) -> Mono;
}

/// Who takes in invocations that nobody waits for, and runs them some time.
///
/// # Source
/// Asynchronous invocation, "Accepting an event".
pub trait EventPort: Send + Sync + 'static {
    /// Takes an invocation in. Once this has resolved without an error, the invocation runs or is
    /// known to have failed, whatever happens; its id stays the same however often it is tried.
    ///
    /// # Errors
    /// [`InvokeRefusal`] when it was not taken in; it never runs then.
    ///
    /// # Cancel safety
    /// If the future is dropped, the invocation may have been taken in or not.
    fn accept(&self, invoke: Invoke) -> Accepting<'_>;

    /// What was taken in and has not come to its end.
    fn pending(&self) -> PendingEvents;
}

/// How many invocations were taken in and have not come to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingEvents {
    /// Those that have not run yet.
    pub queued: usize,
    /// Those that wait to be tried again.
    pub retrying: usize,
    /// Those that run, or whose end is being told.
    pub in_flight: usize,
    /// How long ago the oldest of them was taken in.
    pub oldest_age: Option<Duration>,
}

/// What [`EventPort::accept`] gives.
pub type Accepting<'a> = Pin<Box<dyn Future<Output = Result<(), InvokeRefusal>> + Send + 'a>>;

/// What came of an invocation.
#[derive(Debug)]
pub struct Invoked {
    /// What the invoker gets.
    pub answer: InvokeAnswer,
    /// The last that the invocation has logged; `None` unless it was asked for, and kept. Of a
    /// streamed response, [`crate::StreamEnd`] has it.
    pub log_tail: Option<Bytes>,
}

/// Without a log.
impl From<InvokeAnswer> for Invoked {
    fn from(answer: InvokeAnswer) -> Self {
        Self { answer, log_tail: None }
    }
}

/// What an invoker gets.
#[derive(Debug)]
pub enum InvokeAnswer {
    /// The runtime's response.
    Response(StreamableInvokeResponse),
    /// The runtime's response as it comes, for invokers that want it so
    /// ([`Invoke::response_mode`]).
    Streamed(InvokeStream),
    /// A function error: what it was, and the body that tells the invoker.
    Failed(Failure, ErrorInvokeResponse),
}

/// What an invocation failed with.
///
/// # Source
/// Invoke API, "Function errors".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The runtime reported an error of the handler.
    Reported,
    /// The runtime reported that it could not initialise.
    InitReported,
    /// The runtime process ended while it initialised.
    InitExit(Termination),
    /// The runtime process ended.
    Exit(Termination),
    /// The runtime process could not be started.
    Launch(LaunchError),
    /// An extension kept the environment from being initialised.
    InitExtension(ExtensionFault),
    /// An extension ended the invocation.
    Extension(ExtensionFault),
    /// The invocation took longer than the function timeout.
    Timeout {
        /// The function timeout.
        limit: Duration,
    },
    /// The response was larger than the limit.
    ResponseTooLarge,
    /// The runtime cut its response short.
    Truncated,
    /// The runtime named a response mode that does not exist.
    InvalidResponseMode,
    /// The execution environment was shut down before the function had answered.
    Shutdown,
}

impl Failure {
    /// The error type that stands for this failure in reports and default bodies; what the
    /// runtime itself reported has a type of its own.
    #[must_use]
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Reported | Self::InitReported => ErrorType::RuntimeUnknown,
            Self::InitExit(termination) | Self::Exit(termination) => termination.error_type(),
            Self::Launch(error) => error.error_type(),
            Self::InitExtension(fault) | Self::Extension(fault) => fault.error_type(),
            Self::Timeout { .. } => ErrorType::SandboxTimedout,
            Self::ResponseTooLarge => ErrorType::FunctionResponseSizeTooLarge,
            Self::Truncated => ErrorType::RuntimeTruncatedResponse,
            Self::InvalidResponseMode => ErrorType::RuntimeInvalidResponseModeHeader,
            Self::Shutdown => ErrorType::SandboxFailure,
        }
    }

    /// What happened, in the words of the service.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Reported => "the function reported an error".to_owned(),
            Self::InitReported => "the runtime reported that it could not initialise".to_owned(),
            Self::InitExit(termination) | Self::Exit(termination) => termination.runtime_message(),
            Self::Launch(error) => error.to_string(),
            Self::InitExtension(fault) | Self::Extension(fault) => fault.to_string(),
            Self::Timeout { limit } => {
                format!("Task timed out after {:.2} seconds", limit.as_secs_f64())
            }
            Self::ResponseTooLarge => crate::error::ErrorResponseTooLarge::default().to_string(),
            Self::Truncated => "Response was truncated by the runtime".to_owned(),
            Self::InvalidResponseMode => {
                "Invalid Lambda-Runtime-Function-Response-Mode header".to_owned()
            }
            Self::Shutdown => {
                "the execution environment was shut down before the function answered".to_owned()
            }
        }
    }
}

/// What an extension did to end a generation.
///
/// # Source
/// Lifecycle, "First fatal error"; Extensions API, "Discovery and launch".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionFault {
    /// Its process ended.
    Exit(Termination),
    /// It reported an error and then neither exited nor was waited for any longer.
    Lingered(ExtensionErrorKind),
    /// Its process could not be started.
    Launch(LaunchError),
    /// There are more files than there may be extensions.
    TooMany,
}

impl ExtensionFault {
    /// The error type, unless an earlier fatal error stands for it.
    #[must_use]
    pub const fn error_type(&self) -> ErrorType {
        match self {
            Self::Exit(_) => ErrorType::ExtensionCrash,
            Self::Lingered(ExtensionErrorKind::Init) => ErrorType::ExtensionInitError,
            Self::Lingered(ExtensionErrorKind::Exit) => ErrorType::ExtensionExitError,
            Self::Launch(_) | Self::TooMany => ErrorType::ExtensionLaunchError,
        }
    }
}

impl fmt::Display for ExtensionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(termination) => f.write_str(&termination.extension_message()),
            Self::Lingered(_) => f.write_str("the extension reported an error and did not exit"),
            Self::Launch(error) => error.fmt(f),
            Self::TooMany => f.write_str("ErrTooManyExtensions"),
        }
    }
}

/// Why an invocation was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeRefusal {
    /// As many invocations wait as may.
    #[error("too many invocations are waiting already")]
    TooManyRequests,
    /// The event is larger than [`crate::MAX_PAYLOAD_SIZE`].
    #[error("the event is larger than {} bytes", crate::MAX_PAYLOAD_SIZE)]
    TooLarge,
    /// The execution environment is shutting down.
    #[error("the execution environment is shutting down")]
    ShuttingDown,
    /// It could not be kept for later.
    #[error("the invocation could not be stored")]
    NotStored,
}

/// What an execution environment is doing, for health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing runs; the next invocation starts with an initialisation.
    Idle,
    /// An initialisation runs.
    Initializing,
    /// The runtime waits for an invocation.
    Ready,
    /// An invocation runs.
    Invoking,
    /// Nothing runs, and the last initialisation failed; the next invocation tries again.
    Failed,
    /// Processes are being ended after a failure; invocations wait.
    Resetting,
    /// It has ended or is about to.
    ShuttingDown,
}

impl Health {
    /// The state as one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Initializing => "initializing",
            Self::Ready => "ready",
            Self::Invoking => "invoking",
            Self::Failed => "failed",
            Self::Resetting => "resetting",
            Self::ShuttingDown => "shutting-down",
        }
    }
}

/// The runtime's side of an execution environment: what the Runtime API calls.
///
/// Every call says to which generation its connection belongs; calls from an earlier one are
/// refused.
pub trait RuntimePort: Clone + Send + Sync + 'static {
    /// Proof that an event went out (see [`Receipt`]).
    type Receipt: Receipt;
    /// A response or an error on its way in (see [`Upload`]).
    type Upload: Upload;

    /// The generation that a connection accepted now belongs to.
    fn generation(&self) -> Generation;

    /// Resolves when `generation` is over and its connections are to be cut.
    fn ended(&self, generation: Generation) -> impl Future<Output = ()> + Send;

    /// Parks the caller until an invocation is handed over. While one runs, the same event again.
    ///
    /// # Errors
    /// [`RuntimeRefusal`]; nothing changed then.
    ///
    /// # Cancel safety
    /// Dropping the future un-parks the caller; an event on its way is given to the next caller.
    fn next(
        &self,
        caller: RuntimeCaller,
    ) -> impl Future<Output = Result<NextEvent<Self::Receipt>, RuntimeRefusal>> + Send;

    /// Checks the id and begins to take a response in.
    ///
    /// # Errors
    /// [`RuntimeRefusal`]; nothing changed then.
    fn begin_response(
        &self,
        generation: Generation,
        id: &str,
    ) -> impl Future<Output = Result<Self::Upload, RuntimeRefusal>> + Send;

    /// Checks the id and begins to take an error report in.
    ///
    /// # Errors
    /// [`RuntimeRefusal`]; nothing changed then.
    fn begin_error(
        &self,
        generation: Generation,
        id: &str,
    ) -> impl Future<Output = Result<Self::Upload, RuntimeRefusal>> + Send;

    /// Takes in the report that the runtime could not initialise.
    ///
    /// # Errors
    /// [`RuntimeRefusal`]; nothing changed then.
    fn init_error(
        &self,
        generation: Generation,
        error: ErrorInvokeResponse,
    ) -> impl Future<Output = Result<(), RuntimeRefusal>> + Send;
}

/// Who asks for the next event.
#[derive(Clone, Debug)]
pub struct RuntimeCaller {
    /// The generation of the caller's connection.
    pub generation: Generation,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// `Lambda-Runtime-Features`.
    pub features: Option<HeaderValue>,
}

/// An event for the runtime.
#[derive(Debug)]
pub struct NextEvent<R> {
    /// The invocation.
    pub invoke: Arc<Invoke>,
    /// When it times out.
    pub deadline: EpochMillis,
    /// To be settled once the event is on its way to the runtime.
    pub receipt: R,
}

/// Says that an event went out. Dropped unsettled it says that the caller vanished, and the event
/// goes to the next one.
pub trait Receipt: Send + 'static {
    /// The event is on its way.
    fn settle(self);
}

/// A response or an error that the runtime is sending. Dropped unfinished it counts as truncated.
pub trait Upload: Send + 'static {
    /// Begins to pass a response on while it comes in, if the invoker wants it so; `false` if it
    /// wants it whole, which is what ports do that know nothing else.
    fn stream(&mut self, _headers: &InvokeResponseHeaders) -> impl Future<Output = bool> + Send {
        std::future::ready(false)
    }

    /// Passes the next bytes on, once the invoker has taken enough of those before. Bytes that
    /// nobody waits for any more are dropped, and so are those of a response that is not streamed.
    ///
    /// # Cancel safety
    /// Dropping the future loses the bytes.
    fn pass_on(&mut self, _bytes: Bytes) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Ends the upload: with what came in, or with what went wrong.
    ///
    /// # Errors
    /// [`InteropError`] when the platform cannot take it any more.
    fn finish(
        self,
        outcome: UploadOutcome,
    ) -> impl Future<Output = Result<(), InteropError>> + Send;
}

/// What came of an upload.
#[derive(Debug)]
pub enum UploadOutcome {
    /// A whole response.
    Response(StreamableInvokeResponse),
    /// The end of a response that was passed on.
    Streamed(StreamedResponse),
    /// The end of a response that was passed on, and what its trailers say of the function, which
    /// has failed meanwhile.
    StreamFailed(StreamedResponse, ErrorInvokeResponse),
    /// A whole error report, or what trailers say of a function that has failed while it responded.
    Error(ErrorInvokeResponse, InvokeErrorTraceData),
    /// The response exceeded the limit.
    TooLarge,
    /// The body ended before it was complete.
    Truncated,
    /// The response mode does not exist.
    InvalidMode,
}

/// A response that was passed on while it came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamedResponse {
    /// How many bytes were passed on.
    pub produced_bytes: u64,
    /// How long they were held back to keep to a bandwidth.
    pub time_shaped: Duration,
}

/// Why a call of the runtime was refused.
///
/// # Source
/// Runtime API, "Id check" and "Messages".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeRefusal {
    /// No invocation of that id runs.
    #[error("Invalid request ID")]
    InvalidRequestId,
    /// The runtime's state does not allow the call.
    #[error(
        "State transition from {from} to {to} failed for runtime. \
         Error: State transition is not allowed"
    )]
    InvalidStateTransition {
        /// The state the runtime stays in.
        from: &'static str,
        /// The state it asked for.
        to: &'static str,
    },
    /// More callers are parked than anybody could need.
    #[error("too many callers wait for the next event")]
    TooManyIdleRuntimes,
    /// The engine has ended.
    #[error("Internal Server Error")]
    Internal,
}

/// The longest body of a request to subscribe, in bytes.
///
/// # Source
/// Telemetry API, "Endpoints".
pub const MAX_SUBSCRIBE_REQUEST_SIZE: usize = 1024 * 1024;

/// Who takes subscriptions to logs and platform events: what the Telemetry API and the Logs API call.
///
/// # Source
/// Telemetry API, "Endpoints"; Extensions API, "Enabled handler".
pub trait TelemetryPort: Send + Sync + 'static {
    /// Answers a request that the extension called `name` has sent to `api`; `None` stands for a
    /// body that was longer than [`MAX_SUBSCRIBE_REQUEST_SIZE`]. Must not wait.
    fn subscribe(&self, api: TelemetryApi, name: &str, body: Option<&[u8]>) -> TelemetryAnswer;

    /// Counts a request that was answered with this status before it got here.
    fn count_refusal(&self, status: StatusCode);
}

/// The answer to a request to subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, which is JSON, also of a refusal: `application/json`.
    pub body: Bytes,
}
