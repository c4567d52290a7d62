//! [`Call`]: which call it was.

use std::fmt;

use http::Method;

use crate::wire;

/// A call of the Extensions, the Telemetry or the Logs API. Errors say which one they happened in.
///
/// Its text is the method and the path: `GET /2020-01-01/extension/event/next`.
///
/// # Source
/// Extensions API, "Routes"; Telemetry API, "Endpoints".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Client::register`](crate::Client::register).
    Register,
    /// [`Client::next_event`](crate::Client::next_event).
    NextEvent,
    /// [`Client::init_error`](crate::Client::init_error).
    InitError,
    /// [`Client::exit_error`](crate::Client::exit_error).
    ExitError,
    /// A subscription to the Telemetry API.
    SubscribeTelemetry,
    /// A subscription to the Logs API.
    SubscribeLogs,
}

impl Call {
    /// The method of its request.
    pub(crate) const fn method(self) -> Method {
        match self {
            Self::NextEvent => Method::GET,
            Self::Register | Self::InitError | Self::ExitError => Method::POST,
            Self::SubscribeTelemetry | Self::SubscribeLogs => Method::PUT,
        }
    }

    /// The path of its request.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Register => wire::REGISTER,
            Self::NextEvent => wire::NEXT,
            Self::InitError => wire::INIT_ERROR,
            Self::ExitError => wire::EXIT_ERROR,
            Self::SubscribeTelemetry => wire::TELEMETRY,
            Self::SubscribeLogs => wire::LOGS,
        }
    }

    /// Whether a status means that the call was taken. Reports are answered with 202; 200 is taken
    /// as well, because some emulators say that. A subscription that is answered with 202 is one
    /// that the environment knows of and does not have.
    pub(crate) fn is_taken(self, status: http::StatusCode) -> bool {
        match self {
            Self::Register | Self::NextEvent => status == http::StatusCode::OK,
            Self::InitError | Self::ExitError | Self::SubscribeTelemetry | Self::SubscribeLogs => {
                status == http::StatusCode::ACCEPTED || status == http::StatusCode::OK
            }
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())
    }
}
