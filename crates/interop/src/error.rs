//! What can go wrong between the layers, and the error response an invoker gets for it.

use std::fmt::Display;

use bytes::Bytes;
use http::HeaderValue;
use rapid_fatal_error::ErrorType;
use serde::Serialize;

use crate::MAX_PAYLOAD_SIZE;
use crate::id::RequestId;
use crate::invoke::InvokeResponseHeaders;

/// The errors that cross the layers, compared as values. The texts are those of the seed package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InteropError {
    /// The runtime named a response mode that does not exist.
    #[error("ErrInvalidFunctionResponseMode")]
    InvalidFunctionResponseMode,
    /// The request id is not that of the running invocation, or none is running.
    #[error("ErrInvalidInvokeID")]
    InvalidInvokeId,
    /// A response for this invocation was already sent.
    #[error("ErrResponseSent")]
    ResponseSent,
    /// The platform itself failed.
    #[error("ErrInternalPlatformError")]
    InternalPlatformError,
}

/// The response is larger than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Response payload size exceeded maximum allowed payload size ({max_response_size} bytes).")]
pub struct ErrorResponseTooLarge {
    /// The limit, in bytes.
    pub max_response_size: usize,
}

impl Default for ErrorResponseTooLarge {
    fn default() -> Self {
        Self { max_response_size: MAX_PAYLOAD_SIZE }
    }
}

impl ErrorResponseTooLarge {
    /// What the invoker gets instead of the response; `errorMessage` comes first, as recorded.
    ///
    /// # Source
    /// Invoke API, "Function errors".
    #[must_use]
    pub fn as_error_response(self) -> ErrorInvokeResponse {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            error_message: &'a str,
            error_type: &'a ErrorType,
        }
        let message = self.to_string();
        let error_type = ErrorType::FunctionResponseSizeTooLarge;
        let payload = json(&Wire { error_message: &message, error_type: &error_type });
        ErrorInvokeResponse {
            headers: InvokeResponseHeaders {
                content_type: Some(HeaderValue::from_static("application/json")),
                ..InvokeResponseHeaders::default()
            },
            payload,
            function_error: FunctionError { error_type, message },
        }
    }
}

/// Type and message of a function error, as the platform knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionError {
    /// The type, scrubbed by the allow-list when it came from the runtime.
    #[serde(rename = "errorType")]
    pub error_type: ErrorType,
    /// Made by the platform, never by the runtime; empty when there is none.
    #[serde(rename = "errorMessage", skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// An error response: always buffered, never streamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorInvokeResponse {
    /// What the runtime said about the body.
    pub headers: InvokeResponseHeaders,
    /// The body for the invoker.
    pub payload: Bytes,
    /// Type and message for the platform.
    pub function_error: FunctionError,
}

impl ErrorInvokeResponse {
    /// The response for a failure that the platform describes itself
    /// (`GetErrorResponseWithFormattedErrorMessage`):
    /// `{"errorType":…,"errorMessage":"RequestId: <id> Error: <error>"}`.
    ///
    /// Without an id the message is `Error: <error>`.
    #[must_use]
    pub fn formatted(error_type: ErrorType, error: &impl Display, id: Option<&RequestId>) -> Self {
        let message = match id {
            Some(id) => format!("RequestId: {id} Error: {error}"),
            None => format!("Error: {error}"),
        };
        let function_error = FunctionError { error_type, message };
        Self {
            headers: InvokeResponseHeaders::default(),
            payload: json(&function_error),
            function_error,
        }
    }
}

/// Serialises text members only, which cannot fail; an empty body would still be a valid answer.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_formats_failures_with_the_request_id() {
        let id = RequestId::parse("abc").unwrap();
        let response = ErrorInvokeResponse::formatted(
            ErrorType::RuntimeExitError,
            &"Runtime exited with error: exit status 3",
            Some(&id),
        );
        assert_eq!(
            response.payload,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: abc Error: Runtime exited with error: exit status 3"}"#
        );
        let anonymous = ErrorInvokeResponse::formatted(ErrorType::SandboxFailure, &"x", None);
        assert_eq!(
            anonymous.payload,
            r#"{"errorType":"Sandbox.Failure","errorMessage":"Error: x"}"#
        );
    }

    #[test]
    fn an_oversized_response_turns_into_the_recorded_body() {
        let response = ErrorResponseTooLarge::default().as_error_response();
        assert_eq!(
            response.payload,
            r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
        );
        assert_eq!(response.function_error.error_type, ErrorType::FunctionResponseSizeTooLarge);
    }

    #[test]
    fn errors_keep_the_texts_of_the_seed() {
        assert_eq!(InteropError::InvalidInvokeId.to_string(), "ErrInvalidInvokeID");
        assert_eq!(InteropError::ResponseSent.to_string(), "ErrResponseSent");
    }
}
