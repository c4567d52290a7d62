//! [`Exit`]: the exit codes, which are part of the interface.

use std::process::ExitCode;

use rapid::{Failure, InvokeRefusal};

/// How rapid ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// As it should: a response, or SIGTERM while serving.
    Ok = 0,
    /// The function reported an error or answered with something unusable.
    FunctionError = 1,
    /// The command line, a variable or the configuration file is wrong.
    Usage = 2,
    /// The initialisation failed.
    InitFailed = 3,
    /// The function ran into its timeout.
    Timeout = 4,
    /// The runtime or an extension crashed, or memory ran out.
    Crashed = 5,
    /// The invocation was not taken in.
    Throttled = 6,
    /// rapid itself failed.
    Internal = 10,
    /// An address could not be listened on.
    Listen = 11,
    /// SIGINT ended it.
    Interrupted = 130,
    /// SIGTERM ended `rapid invoke`, which had not come to its end.
    Terminated = 143,
}

impl Exit {
    /// The exit code for a function error.
    pub(crate) const fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::InitReported
            | Failure::InitExit(_)
            | Failure::Launch(_)
            | Failure::InitExtension(_) => Self::InitFailed,
            Failure::Timeout { .. } => Self::Timeout,
            Failure::Exit(_) | Failure::Extension(_) => Self::Crashed,
            Failure::Shutdown => Self::Interrupted,
            Failure::Reported
            | Failure::ResponseTooLarge
            | Failure::Truncated
            | Failure::InvalidResponseMode => Self::FunctionError,
        }
    }

    /// The exit code for an invocation that was not taken in.
    pub(crate) const fn of_refusal(refusal: InvokeRefusal) -> Self {
        match refusal {
            InvokeRefusal::TooManyRequests => Self::Throttled,
            InvokeRefusal::TooLarge => Self::Usage,
            InvokeRefusal::ShuttingDown => Self::Interrupted,
        }
    }

    /// The emulator's code: it knows success, wrong usage and worse.
    pub(crate) const fn as_the_emulator(self) -> Self {
        if matches!(self, Self::Ok | Self::Interrupted) { Self::Ok } else { Self::FunctionError }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
