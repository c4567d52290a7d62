//! What an invoker gets back.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use rapid_interop::StreamEnd;
use rapid_interop::ports::{Failure, InvokeAnswer, Invoked};

use crate::event_stream::EventStream;
use crate::persona::Persona;
use crate::wire;

/// What every reply to an invocation that ran says about it.
pub(crate) struct About {
    pub(crate) request_id: HeaderValue,
    pub(crate) trace_id: HeaderValue,
    pub(crate) version: HeaderValue,
}

/// The reply to who wants the response whole.
///
/// # Source
/// Invoke API, "Invoke response" and "Function errors".
pub(crate) fn whole(invoked: Invoked, persona: Persona, about: About) -> Response {
    let Invoked { answer, log_tail } = invoked;
    let mut response = match answer {
        InvokeAnswer::Response(response) => wire::json(StatusCode::OK, response.payload),
        // From a port that streams what it was asked for as a whole.
        InvokeAnswer::Streamed(stream) => {
            wire::of_type(StatusCode::OK, wire::JSON, Body::new(stream.body))
        }
        InvokeAnswer::Failed(failure, error) => failed(&failure, error.payload, persona),
    };
    let headers = response.headers_mut();
    headers.insert(wire::REQUEST_ID, about.request_id);
    headers.insert(wire::EXECUTED_VERSION, about.version);
    headers.insert(wire::TRACE_ID, about.trace_id);
    // Base64 always fits into a header.
    if let Some(log) = log_tail.and_then(|log| HeaderValue::try_from(STANDARD.encode(log)).ok()) {
        headers.insert(wire::LOG_RESULT, log);
    }
    response
}

fn failed(failure: &Failure, body: Bytes, persona: Persona) -> Response {
    let status = persona.status_of(failure);
    let mut response = match persona.text_of(failure) {
        Some(text) => wire::plain(status, text),
        None => wire::json(status, body),
    };
    response.headers_mut().insert(wire::FUNCTION_ERROR, wire::UNHANDLED);
    response
}

/// The reply to who wants the response in pieces. An error that comes before the first piece is one
/// itself.
///
/// # Source
/// Invoke API, "InvokeWithResponseStream".
pub(crate) fn in_pieces(invoked: Invoked, about: About) -> Response {
    let Invoked { answer, log_tail } = invoked;
    let (content_type, stream) = match answer {
        InvokeAnswer::Streamed(stream) => {
            (stream.headers.content_type.clone(), EventStream::new(stream))
        }
        InvokeAnswer::Response(response) => {
            let end = StreamEnd { failure: None, log_tail };
            (response.headers.content_type, EventStream::whole(response.payload, end))
        }
        InvokeAnswer::Failed(failure, error) => {
            let content_type = error.headers.content_type.clone();
            let payload = error.payload.clone();
            let end = StreamEnd { failure: Some((failure, error)), log_tail };
            (content_type, EventStream::whole(payload, end))
        }
    };
    let mut response = wire::of_type(StatusCode::OK, wire::EVENT_STREAM, Body::new(stream));
    let headers = response.headers_mut();
    headers.insert(wire::REQUEST_ID, about.request_id);
    headers.insert(wire::EXECUTED_VERSION, about.version);
    headers.insert(wire::TRACE_ID, about.trace_id);
    if let Some(content_type) = content_type {
        headers.insert(wire::REMAPPED_CONTENT_TYPE, content_type);
    }
    response
}
