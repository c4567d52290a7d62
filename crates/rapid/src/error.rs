//! [`RapidError`]: why an execution environment could not be set up.

use std::io;
use std::net::SocketAddr;

use rapid_async_invoke::AsyncInvokeError;
use rapid_supervisor::SupervisorError;

/// Why an execution environment could not be set up. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum RapidError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for the {api}: {reason}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What it was meant for: `Invoke API`, `function URL` or `Runtime API`.
        api: &'static str,
        /// The system's words.
        reason: io::Error,
    },
    /// The Runtime API was to listen on an address that others can reach.
    #[error(
        "the Runtime API may listen on loopback only, not on {address}: whoever reaches it is \
         taken for the runtime"
    )]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The processes cannot be supervised.
    #[error("processes cannot be supervised: {0}")]
    Supervisor(SupervisorError),
    /// The output cannot be written to.
    #[error("the output cannot be used: {0}")]
    Output(SupervisorError),
    /// The current directory cannot be found out.
    #[error("the current directory cannot be found out: {0}")]
    CurrentDirectory(io::Error),
    /// A variable that says whom to tell of traces and metrics has a value of no use to anybody.
    #[error("{variable} is {value:?}: {expected}")]
    Tracing {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Asynchronous invocations cannot be taken in.
    #[error("asynchronous invocations cannot be taken in: {0}")]
    AsyncInvoke(#[from] AsyncInvokeError),
    /// A text cannot be part of the function's ARN.
    #[error("the {what} '{value}' has to be {allowed}")]
    BadName {
        /// Which text it is.
        what: &'static str,
        /// The text.
        value: String,
        /// What it has to be.
        allowed: &'static str,
    },
}
