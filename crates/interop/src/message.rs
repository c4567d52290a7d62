//! What the core reports about initialisations, invocations and shutdowns.

use rapid_fatal_error::ErrorType;

use crate::error::ErrorInvokeResponse;
use crate::id::RequestId;
use crate::metrics::{InvokeMetrics, ResponseMetrics};
use crate::mode::InvokeResponseMode;
use crate::time::Mono;

/// Which runtime the sandbox runs, for `platform.initStart`; empty when nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeInfo {
    /// The ARN of the managed runtime.
    pub arn: String,
    /// Its human-readable version, `python:3.13.v1` or the like.
    pub version: String,
}

/// An initialisation succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitSuccess {
    /// What the runtime calls itself (see [`crate::RuntimeRelease`]).
    pub runtime_release: String,
}

/// An initialisation failed. The next invocation is expected to work all the same: it runs a
/// suppressed initialisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitFailure {
    /// What the runtime reported or the platform saw; `Runtime.Unknown` when time ran out.
    pub error_type: ErrorType,
    /// How it ended, in words.
    pub error_message: String,
    /// What the runtime calls itself, if it got that far.
    pub runtime_release: String,
}

/// An invocation succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct InvokeSuccess {
    /// The invocation.
    pub id: RequestId,
    /// What the runtime calls itself.
    pub runtime_release: String,
    /// From the response to the end of the invocation.
    pub invoke_completion_time: std::time::Duration,
    /// When the request had been read.
    pub invoke_received_time: Mono,
    /// Measurements of the way in and back.
    pub invoke_metrics: InvokeMetrics,
    /// Measurements of a streamed response.
    pub response_metrics: ResponseMetrics,
    /// How the invoker wanted the response.
    pub invoke_response_mode: InvokeResponseMode,
}

/// An invocation failed.
#[derive(Clone, Debug, PartialEq)]
pub struct InvokeFailure {
    /// The invocation.
    pub id: RequestId,
    /// Whether the execution environment has to be reset before the next one.
    pub request_reset: bool,
    /// The first fatal error, or what the invocation ran into.
    pub error_type: ErrorType,
    /// What happened, in words.
    pub error_message: String,
    /// What the runtime calls itself.
    pub runtime_release: String,
    /// When the request had been read.
    pub invoke_received_time: Mono,
    /// Measurements of the way in and back.
    pub invoke_metrics: InvokeMetrics,
    /// Measurements of a streamed response.
    pub response_metrics: ResponseMetrics,
    /// What the invoker is told unless a response went out before.
    pub default_error_response: ErrorInvokeResponse,
    /// How the invoker wanted the response.
    pub invoke_response_mode: InvokeResponseMode,
}

/// Why a generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// A process ended, could not be started, or reported that it cannot go on.
    Failure,
    /// An invocation or an initialisation exceeded its time.
    Timeout,
    /// The execution environment is no longer wanted.
    Spindown,
}

impl ResetReason {
    /// The value of `shutdownReason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Spindown => "spindown",
        }
    }
}

/// Asks for an orderly end of the execution environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long everything together may take: the running invocation, then the processes.
    pub budget: std::time::Duration,
}

/// The execution environment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownSuccess {
    /// `false` when processes were still there at the end of their time.
    pub clean: bool,
}
