//! [`Persona`]: in whose manner invokers are answered.

use http::StatusCode;
use rapid_interop::limits::{MAX_PAYLOAD_SIZE, MAX_SYNC_REQUEST_SIZE};
use rapid_interop::ports::Failure;

/// Whose manners the Invoke API has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persona {
    /// The Lambda service's: what SDKs and strict tests expect.
    #[default]
    Aws,
    /// The Runtime Interface Emulator's: what scripts written against it expect. Its known
    /// defects are not copied.
    Rie,
}

impl Persona {
    /// The largest request body, in bytes.
    #[must_use]
    pub const fn request_limit(self) -> usize {
        match self {
            Self::Aws => MAX_SYNC_REQUEST_SIZE,
            Self::Rie => MAX_PAYLOAD_SIZE,
        }
    }

    /// Whether a request body has to be JSON; an empty one then stands for `{}`.
    pub(crate) const fn wants_json(self) -> bool {
        matches!(self, Self::Aws)
    }

    /// Whether `X-Amz-Invocation-Type` means anything.
    pub(crate) const fn reads_invocation_type(self) -> bool {
        matches!(self, Self::Aws)
    }

    /// Whether `X-Amz-Log-Type` means anything.
    pub(crate) const fn reads_log_type(self) -> bool {
        matches!(self, Self::Aws)
    }

    /// Whether an invoker may choose any request id, or only a UUID.
    pub(crate) const fn takes_any_request_id(self) -> bool {
        matches!(self, Self::Rie)
    }

    /// The status of a function error.
    pub(crate) const fn status_of(self, failure: &Failure) -> StatusCode {
        match (self, failure) {
            (
                Self::Rie,
                Failure::InitReported
                | Failure::InitExit(_)
                | Failure::Exit(_)
                | Failure::Launch(_)
                | Failure::InitExtension(_)
                | Failure::Extension(_)
                | Failure::Shutdown,
            ) => StatusCode::BAD_GATEWAY,
            (Self::Aws | Self::Rie, _) => StatusCode::OK,
        }
    }

    /// The plain text for a path that is none of the API's, where that is the manner.
    pub(crate) const fn text_of_unknown_path(self) -> Option<&'static str> {
        match self {
            Self::Rie => Some("404 page not found\n"),
            Self::Aws => None,
        }
    }

    /// The plain text that stands for a failure, where that is the manner.
    pub(crate) fn text_of(self, failure: &Failure) -> Option<String> {
        match (self, failure) {
            (Self::Rie, Failure::Timeout { .. }) => Some(failure.message()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rapid_interop::ports::ExtensionFault;
    use rapid_interop::process::Termination;

    use super::*;

    #[test]
    fn failures_are_statuses_to_the_emulator_and_bodies_to_the_service() {
        let exit = Failure::Exit(Termination::Exited(1));
        assert_eq!(Persona::Aws.status_of(&exit), StatusCode::OK);
        assert_eq!(Persona::Rie.status_of(&exit), StatusCode::BAD_GATEWAY);
        let crash = Failure::Extension(ExtensionFault::Exit(Termination::Exited(1)));
        assert_eq!(Persona::Aws.status_of(&crash), StatusCode::OK);
        assert_eq!(Persona::Rie.status_of(&crash), StatusCode::BAD_GATEWAY);
        let timeout = Failure::Timeout { limit: Duration::from_secs(3) };
        assert_eq!(Persona::Rie.status_of(&timeout), StatusCode::OK);
        assert_eq!(
            Persona::Rie.text_of(&timeout).as_deref(),
            Some("Task timed out after 3.00 seconds")
        );
        assert_eq!(Persona::Aws.text_of(&timeout), None);
        assert_eq!(Persona::Rie.status_of(&Failure::Reported), StatusCode::OK);
    }
}
