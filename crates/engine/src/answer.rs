//! What invokers and the runtime are told.

use rapid_events::InvokeResponseMetrics;
use rapid_fatal_error::ErrorType;
use rapid_interop::error::ErrorResponseTooLarge;
use rapid_interop::ports::{Failure, UploadOutcome};
use rapid_interop::{
    ErrorInvokeResponse, FunctionResponseMode, InvokeErrorTraceData, RequestId, ResponseMode,
    StreamableInvokeResponse,
};
use rapid_lifecycle::UploadEnd;

/// What an invoker is still to get.
#[derive(Debug)]
pub(crate) enum Content {
    /// The runtime's response.
    Response(StreamableInvokeResponse),
    /// Nothing: the response was passed on already.
    PassedOn,
    /// A function error.
    Failed(Failure, ErrorInvokeResponse),
}

/// The body for a failure that the platform describes itself.
pub(crate) fn describe(
    failure: &Failure,
    error_type: ErrorType,
    id: &RequestId,
) -> ErrorInvokeResponse {
    if *failure == Failure::ResponseTooLarge {
        ErrorResponseTooLarge::default().as_error_response()
    } else {
        ErrorInvokeResponse::formatted(error_type, &failure.message(), Some(id))
    }
}

/// What the machine is told of an upload, and what is kept for the invoker.
pub(crate) fn of_upload(
    outcome: UploadOutcome,
) -> (UploadEnd, Option<Content>, InvokeErrorTraceData) {
    let nothing = InvokeErrorTraceData::default();
    match outcome {
        UploadOutcome::Response(response) => {
            (UploadEnd::Response, Some(Content::Response(response)), nothing)
        }
        UploadOutcome::Streamed(_) => (UploadEnd::Response, Some(Content::PassedOn), nothing),
        UploadOutcome::StreamFailed(_, error) => {
            (UploadEnd::Response, Some(Content::Failed(Failure::Reported, error)), nothing)
        }
        UploadOutcome::Error(error, trace) => {
            (UploadEnd::Error, Some(Content::Failed(Failure::Reported, error)), trace)
        }
        UploadOutcome::TooLarge => (UploadEnd::Failed(Failure::ResponseTooLarge), None, nothing),
        UploadOutcome::Truncated => (UploadEnd::Failed(Failure::Truncated), None, nothing),
        UploadOutcome::InvalidMode => {
            (UploadEnd::Failed(Failure::InvalidResponseMode), None, nothing)
        }
    }
}

/// How an upload came in, as far as it says itself.
pub(crate) fn metrics(outcome: &UploadOutcome) -> InvokeResponseMetrics {
    match outcome {
        UploadOutcome::Response(response) => InvokeResponseMetrics {
            produced_bytes: response.payload.len() as u64,
            runtime_called_response: true,
            ..InvokeResponseMetrics::default()
        },
        UploadOutcome::Streamed(streamed) | UploadOutcome::StreamFailed(streamed, _) => {
            InvokeResponseMetrics {
                produced_bytes: streamed.produced_bytes,
                time_shaped: Some(streamed.time_shaped),
                function_response_mode: FunctionResponseMode(ResponseMode::Streaming),
                runtime_called_response: true,
                ..InvokeResponseMetrics::default()
            }
        }
        // The bytes of an error do not count as produced.
        UploadOutcome::Error(..)
        | UploadOutcome::TooLarge
        | UploadOutcome::Truncated
        | UploadOutcome::InvalidMode => InvokeResponseMetrics::default(),
    }
}
