//! [`Outcome`]: what an attempt came to.

use bytes::Bytes;
use rapid_interop::InvokeResponseHeaders;
use rapid_interop::mode::ResponseMode;
use rapid_interop::ports::{Failure, InvokeAnswer, InvokeRefusal};
use serde::{Deserialize, Serialize};

use crate::retry::Input;

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The function has answered, well or not.
    Answered(Response),
    /// It never got to run, or the platform failed.
    Fault(String),
}

/// What a function has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Response {
    /// Whether it is a function error.
    pub(crate) error: bool,
    /// Whether it was streamed.
    pub(crate) streamed: bool,
    /// Written down elsewhere; `None` when there was no room for it.
    #[serde(skip)]
    pub(crate) payload: Option<Bytes>,
}

impl Outcome {
    /// Reads what the port says.
    ///
    /// # Source
    /// Asynchronous invocation, "Retry rules".
    pub(crate) fn of(answer: Result<InvokeAnswer, InvokeRefusal>) -> Self {
        let (error, headers, payload) = match answer {
            Ok(InvokeAnswer::Response(response)) => (false, response.headers, response.payload),
            // The function was not to blame, and another environment may let it finish.
            Ok(InvokeAnswer::Failed(failure @ Failure::Shutdown, _)) => {
                return Self::Fault(failure.message());
            }
            // Nobody has asked for it so, and what it holds has not come yet.
            Ok(InvokeAnswer::Streamed(_)) => {
                return Self::Fault("a response was streamed that was wanted whole".to_owned());
            }
            // A stream that has begun is a success, whatever becomes of it; what it was is gone.
            Ok(InvokeAnswer::Failed(Failure::Reported, error)) if streams(&error.headers) => {
                (false, error.headers, Bytes::new())
            }
            Ok(InvokeAnswer::Failed(_, error)) => (true, error.headers, error.payload),
            Err(refusal) => return Self::Fault(refusal.to_string()),
        };
        let streamed = streams(&headers);
        Self::Answered(Response { error, streamed, payload: Some(payload) })
    }

    /// What it means for the event.
    pub(crate) const fn input(&self) -> Input {
        match self {
            Self::Answered(Response { error: false, .. }) => Input::Success,
            Self::Answered(Response { error: true, .. }) => Input::FunctionError,
            Self::Fault(_) => Input::Fault,
        }
    }
}

fn streams(headers: &InvokeResponseHeaders) -> bool {
    headers.function_response_mode.0 == ResponseMode::Streaming
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rapid_interop::ports::ExtensionFault;
    use rapid_interop::{
        ErrorInvokeResponse, FunctionResponseMode, InvokeResponseHeaders, StreamableInvokeResponse,
    };

    use super::*;

    fn failed(failure: Failure) -> Result<InvokeAnswer, InvokeRefusal> {
        let error = ErrorInvokeResponse::formatted(failure.error_type(), &failure.message(), None);
        Ok(InvokeAnswer::Failed(failure, error))
    }

    #[test]
    fn a_stream_that_fails_is_a_success_without_a_response() {
        let mut error =
            ErrorInvokeResponse::formatted(Failure::Reported.error_type(), &"oops", None);
        error.headers.function_response_mode = FunctionResponseMode(ResponseMode::Streaming);
        let outcome = Outcome::of(Ok(InvokeAnswer::Failed(Failure::Reported, error)));
        assert_eq!(outcome.input(), Input::Success);
        let payload = Some(Bytes::new());
        let expected = Response { error: false, streamed: true, payload };
        assert_eq!(outcome, Outcome::Answered(expected));
    }

    #[test]
    fn only_what_the_function_did_counts() {
        let counted = [
            Failure::Reported,
            Failure::InitReported,
            Failure::Timeout { limit: Duration::from_secs(1) },
            Failure::ResponseTooLarge,
            Failure::Truncated,
            Failure::InvalidResponseMode,
            Failure::Extension(ExtensionFault::TooMany),
        ];
        for failure in counted {
            assert_eq!(Outcome::of(failed(failure)).input(), Input::FunctionError);
        }
        let not_counted = [
            failed(Failure::Shutdown),
            Err(InvokeRefusal::TooManyRequests),
            Err(InvokeRefusal::TooLarge),
            Err(InvokeRefusal::ShuttingDown),
        ];
        for answer in not_counted {
            assert_eq!(Outcome::of(answer).input(), Input::Fault);
        }
    }

    #[test]
    fn a_response_is_a_success_with_its_bytes() {
        let response = |mode| {
            let headers = InvokeResponseHeaders {
                function_response_mode: FunctionResponseMode(mode),
                ..InvokeResponseHeaders::default()
            };
            let payload = Bytes::from_static(b"[]");
            Outcome::of(Ok(InvokeAnswer::Response(StreamableInvokeResponse { headers, payload })))
        };
        for (mode, streamed) in [(ResponseMode::Buffered, false), (ResponseMode::Streaming, true)] {
            let outcome = response(mode);
            assert_eq!(outcome.input(), Input::Success);
            let payload = Some(Bytes::from_static(b"[]"));
            assert_eq!(outcome, Outcome::Answered(Response { error: false, streamed, payload }));
        }
    }
}
