//! [`RunError`]: why an extension ended other than it should.

use std::fmt;
use std::io;

use crate::error::Error;
use crate::handler::BoxError;

/// Why an extension ended other than with SHUTDOWN or when it was asked to.
///
/// The text has the handler's error in it; `source` goes on from there.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The API or the connection failed.
    Api(Error),
    /// The signals that end the extension cannot be watched. Nothing was sent.
    Signals(io::Error),
    /// [`Handler::init`](crate::Handler::init) failed.
    Init {
        /// What it said.
        error: BoxError,
        /// Why the platform could not be told; `None` when it was.
        unreported: Option<Error>,
    },
    /// The telemetry that the handler wants cannot be had: nothing can listen for it, or the API
    /// refused it. Only with the feature `telemetry`.
    Subscribe {
        /// What is wrong.
        error: Error,
        /// Why the platform could not be told; `None` when it was.
        unreported: Option<Error>,
    },
    /// `Handler::telemetry` failed. Only with the feature `telemetry`.
    Telemetry {
        /// What it said.
        error: BoxError,
        /// Why the platform could not be told; `None` when it was.
        unreported: Option<Error>,
    },
    /// [`Handler::invoke`](crate::Handler::invoke) failed.
    Invoke {
        /// What it said.
        error: BoxError,
        /// The id of the invocation.
        request_id: String,
        /// Why the platform could not be told; `None` when it was.
        unreported: Option<Error>,
    },
    /// [`Handler::shutdown`](crate::Handler::shutdown) failed. The platform is not told.
    Shutdown {
        /// What it said.
        error: BoxError,
    },
}

impl From<Error> for RunError {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => write!(f, "{error}"),
            Self::Signals(error) => write!(f, "SIGTERM and SIGINT cannot be watched: {error}"),
            Self::Init { error, unreported } => {
                write!(f, "the extension cannot initialise: {error}")?;
                note(f, unreported)
            }
            Self::Subscribe { error, unreported } => {
                write!(f, "the extension cannot have its telemetry: {error}")?;
                note(f, unreported)
            }
            Self::Telemetry { error, unreported } => {
                write!(f, "the extension failed with telemetry: {error}")?;
                note(f, unreported)
            }
            Self::Invoke { error, request_id, unreported } => {
                write!(f, "the extension failed in invocation {request_id}: {error}")?;
                note(f, unreported)
            }
            Self::Shutdown { error } => write!(f, "the extension failed in shutdown: {error}"),
        }
    }
}

fn note(f: &mut fmt::Formatter<'_>, unreported: &Option<Error>) -> fmt::Result {
    match unreported {
        Some(error) => write!(f, " (and the platform could not be told: {error})"),
        None => Ok(()),
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Each is in the text already; what is behind it is not.
            Self::Api(error) | Self::Subscribe { error, .. } => error.source(),
            Self::Signals(error) => error.source(),
            Self::Init { error, .. }
            | Self::Telemetry { error, .. }
            | Self::Invoke { error, .. }
            | Self::Shutdown { error } => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn the_text_has_the_handlers_error_and_the_source_goes_on_from_there() {
        let error: BoxError = Outer(Inner).into();
        let error = RunError::Init { error, unreported: None };
        assert_eq!(error.to_string(), "the extension cannot initialise: outer");
        assert_eq!(error.source().unwrap().to_string(), "inner");
    }

    #[test]
    fn a_report_that_failed_is_told_beside_the_error() {
        let error = RunError::Invoke {
            error: "broken".into(),
            request_id: "r-1".into(),
            unreported: Some(Error::NoName),
        };
        let text = error.to_string();
        assert!(text.starts_with("the extension failed in invocation r-1: broken (and"), "{text}");
    }
}
