//! What the core reports about initialisations, invocations and shutdowns.

use rapid_fatal_error::ErrorType;

use crate::error::ErrorInvokeResponse;
use crate::id::RequestId;
use crate::limits::MAX_EXTENSION_NAMES;
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

/// What extensions and events are told about the function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionMetadata {
    /// The account; `None` when extensions are not to be told.
    pub account_id: Option<String>,
    /// The function's name.
    pub function_name: String,
    /// The function's version.
    pub function_version: String,
    /// The memory it was given, in MB.
    pub memory_mb: u32,
    /// The effective handler; empty when there is none.
    pub handler: String,
    /// The managed runtime, if there is one.
    pub runtime: RuntimeInfo,
}

/// The extensions that took part: how many, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveExtensions {
    /// How many there were, of both kinds.
    pub count: usize,
    /// Their names (see [`ActiveExtensions::of`]).
    pub names: String,
}

impl ActiveExtensions {
    /// Counts and lists `names`, which should come sorted, external ones first.
    ///
    /// The list is joined by `;`. One of more than [`MAX_EXTENSION_NAMES`] bytes ends before the
    /// last `;` within them.
    ///
    /// # Source
    /// Lifecycle, "Extension names string".
    #[must_use]
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        let count = names.len();
        let mut names = names.join(";");
        if names.len() > MAX_EXTENSION_NAMES {
            let inside = &names.as_bytes()[..MAX_EXTENSION_NAMES];
            let last = inside.iter().rposition(|byte| *byte == b';');
            names.truncate(last.unwrap_or(0));
        }
        Self { count, names }
    }
}

/// An initialisation succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitSuccess {
    /// The extensions that take part.
    pub extensions: ActiveExtensions,
    /// What the runtime calls itself (see [`crate::RuntimeRelease`]).
    pub runtime_release: String,
}

/// An initialisation failed. The next invocation is expected to work all the same: it runs a
/// suppressed initialisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitFailure {
    /// The extensions that took part.
    pub extensions: ActiveExtensions,
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
    /// The extensions that took part.
    pub extensions: ActiveExtensions,
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
    /// The extensions that took part.
    pub extensions: ActiveExtensions,
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

/// Asks for the end of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Why.
    pub reason: ResetReason,
    /// How long runtime and extensions together may take to end.
    pub budget: std::time::Duration,
}

/// A generation has ended in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetSuccess {
    /// How long the extensions that get `SHUTDOWN` kept the rest waiting; zero without any.
    pub extensions_reset: std::time::Duration,
}

/// A generation has ended, but extensions did not end in time and were killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetFailure {
    /// The whole time that they had.
    pub extensions_reset: std::time::Duration,
}

/// Asks for an orderly end of the execution environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long the running invocation may go on. Runtime and extensions then have the time of
    /// any other reset to end.
    pub budget: std::time::Duration,
}

/// The execution environment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownSuccess {
    /// `false` when processes were still there at the end of their time.
    pub clean: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_extensions_are_joined_and_cut_between_two_names() {
        let none = ActiveExtensions::of([]);
        assert_eq!((none.count, none.names.as_str()), (0, ""));
        let two = ActiveExtensions::of(["a", "b"]);
        assert_eq!((two.count, two.names.as_str()), (2, "a;b"));
        let long = "x".repeat(100);
        let cut = ActiveExtensions::of(["first", &long, &long, "z"]);
        assert_eq!((cut.count, cut.names), (4, format!("first;{long}")));
        let exact = "y".repeat(MAX_EXTENSION_NAMES);
        assert_eq!(ActiveExtensions::of([exact.as_str()]).names, exact);
        let over = "y".repeat(MAX_EXTENSION_NAMES + 1);
        assert_eq!(ActiveExtensions::of([over.as_str()]).names, "");
    }
}
