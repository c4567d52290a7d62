//! What an invoker gets back.

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use rapid_interop::ports::InvokeAnswer;

use crate::persona::Persona;
use crate::wire;

/// The reply for an invocation that ran.
///
/// # Source
/// Invoke API, "Invoke response" and "Function errors".
pub(crate) fn response(
    answer: InvokeAnswer,
    persona: Persona,
    request_id: HeaderValue,
    trace_id: HeaderValue,
    version: &HeaderValue,
) -> Response {
    let mut response = match answer {
        InvokeAnswer::Response(response) => wire::json(StatusCode::OK, response.payload),
        InvokeAnswer::Failed(failure, error) => {
            let status = persona.status_of(&failure);
            let mut response = match persona.text_of(&failure) {
                Some(text) => wire::plain(status, text),
                None => wire::json(status, error.payload),
            };
            response.headers_mut().insert(wire::FUNCTION_ERROR, wire::UNHANDLED);
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(wire::REQUEST_ID, request_id);
    headers.insert(wire::EXECUTED_VERSION, version.clone());
    headers.insert(wire::TRACE_ID, trace_id);
    response
}
