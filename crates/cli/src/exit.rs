//! [`Exit`]: the exit codes, which are part of the interface.

use std::process::ExitCode;

use rapid::{ErrorType, Failure, InvokeRefusal};
use serde::Deserialize;

use crate::signals::Asked;

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
    /// The endpoint could not be reached, failed, or did not answer as an Invoke API does.
    Endpoint = 12,
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
            InvokeRefusal::NotStored => Self::Internal,
        }
    }

    /// The exit code for a function error that an Invoke API tells of, whose body is all there is
    /// to tell it by. An exit is a crash here: nothing says whether it was in the initialisation.
    pub(crate) fn of_error_body(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Told {
            #[serde(rename = "errorType")]
            error_type: ErrorType,
        }
        let Ok(Told { error_type }) = serde_json::from_slice(body) else {
            // What the service told before it had types, and what the emulator tells still.
            let told = String::from_utf8_lossy(body);
            return if told.contains("Task timed out after ") {
                Self::Timeout
            } else {
                Self::FunctionError
            };
        };
        match error_type {
            ErrorType::SandboxTimedout | ErrorType::SandboxTimeout => Self::Timeout,
            ErrorType::RuntimeInvalidEntrypoint
            | ErrorType::RuntimeInvalidWorkingDir
            | ErrorType::RuntimeInvalidTaskConfig
            | ErrorType::ExtensionLaunchError
            | ErrorType::ExtensionInitError => Self::InitFailed,
            ErrorType::RuntimeExitError
            | ErrorType::RuntimeOutOfMemory
            | ErrorType::ExtensionCrash
            | ErrorType::ExtensionExitError => Self::Crashed,
            ErrorType::SandboxFailure => Self::Endpoint,
            ErrorType::RuntimeUnknown
            | ErrorType::RuntimeTruncatedResponse
            | ErrorType::RuntimeInvalidResponseModeHeader
            | ErrorType::RuntimeRestoreHookUserTimeout
            | ErrorType::FunctionResponseSizeTooLarge
            | ErrorType::FunctionUnknown
            | ErrorType::Custom(_)
            | _ => Self::FunctionError,
        }
    }

    /// The exit code after a signal that ended an invocation.
    pub(crate) const fn of_signal(asked: Asked) -> Self {
        match asked {
            Asked::Terminate => Self::Terminated,
            Asked::Interrupt => Self::Interrupted,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_what_went_wrong() {
        for (body, exit) in [
            (r#"{"errorType":"Sandbox.Timedout","errorMessage":"m"}"#, Exit::Timeout),
            (r#"{"errorMessage":"2024 id Task timed out after 1.00 seconds"}"#, Exit::Timeout),
            ("Task timed out after 1.00 seconds", Exit::Timeout),
            (r#"{"errorType":"Runtime.ExitError","errorMessage":"m"}"#, Exit::Crashed),
            (r#"{"errorType":"Runtime.OutOfMemory"}"#, Exit::Crashed),
            (r#"{"errorType":"Extension.Crash"}"#, Exit::Crashed),
            (r#"{"errorType":"Runtime.InvalidEntrypoint"}"#, Exit::InitFailed),
            (r#"{"errorType":"Extension.InitError"}"#, Exit::InitFailed),
            (r#"{"errorType":"Sandbox.Failure"}"#, Exit::Endpoint),
            (r#"{"errorType":"Function.ResponseSizeTooLarge"}"#, Exit::FunctionError),
            (r#"{"errorType":"ValueError","errorMessage":"m"}"#, Exit::FunctionError),
            ("", Exit::FunctionError),
            ("[1]", Exit::FunctionError),
        ] {
            assert_eq!(Exit::of_error_body(body.as_bytes()), exit, "{body}");
        }
    }
}
