//! What invokers and the runtime are told.

use rapid_fatal_error::ErrorType;
use rapid_interop::error::ErrorResponseTooLarge;
use rapid_interop::ports::{Failure, InvokeAnswer, UploadOutcome};
use rapid_interop::{ErrorInvokeResponse, InvokeErrorTraceData, RequestId};
use rapid_lifecycle::UploadEnd;

/// The answer for a failure that the platform describes itself.
pub(crate) fn of_failure(failure: Failure, error_type: ErrorType, id: &RequestId) -> InvokeAnswer {
    let response = if failure == Failure::ResponseTooLarge {
        ErrorResponseTooLarge::default().as_error_response()
    } else {
        ErrorInvokeResponse::formatted(error_type, &failure.message(), Some(id))
    };
    InvokeAnswer::Failed(failure, response)
}

/// What the machine is told of an upload, and what is kept for the invoker.
pub(crate) fn of_upload(
    outcome: UploadOutcome,
) -> (UploadEnd, Option<InvokeAnswer>, InvokeErrorTraceData) {
    let nothing = InvokeErrorTraceData::default();
    match outcome {
        UploadOutcome::Response(response) => {
            (UploadEnd::Response, Some(InvokeAnswer::Response(response)), nothing)
        }
        UploadOutcome::Error(error, trace) => {
            (UploadEnd::Error, Some(InvokeAnswer::Failed(Failure::Reported, error)), trace)
        }
        UploadOutcome::TooLarge => (UploadEnd::Failed(Failure::ResponseTooLarge), None, nothing),
        UploadOutcome::Truncated => (UploadEnd::Failed(Failure::Truncated), None, nothing),
        UploadOutcome::InvalidMode => {
            (UploadEnd::Failed(Failure::InvalidResponseMode), None, nothing)
        }
    }
}

/// The bytes that count as produced by the runtime: those of a response, none of an error.
pub(crate) fn produced_bytes(answer: &InvokeAnswer) -> u64 {
    match answer {
        InvokeAnswer::Response(response) => response.payload.len() as u64,
        InvokeAnswer::Failed(..) => 0,
    }
}
