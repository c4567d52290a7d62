//! Every literal of the Runtime API, and its reply bodies.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use rapid_interop::limits::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::RuntimeRefusal;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) const PING: &str = "/2018-06-01/ping";
pub(crate) const NEXT: &str = "/2018-06-01/runtime/invocation/next";
pub(crate) const RESPONSE: &str = "/2018-06-01/runtime/invocation/{id}/response";
/// What is before the id in [`RESPONSE`] and [`ERROR`], and behind it in [`RESPONSE`].
pub(crate) const BEFORE_ID: &str = "/2018-06-01/runtime/invocation/";
pub(crate) const RESPONSE_AFTER_ID: &str = "/response";
pub(crate) const ERROR: &str = "/2018-06-01/runtime/invocation/{id}/error";
pub(crate) const RESPONSE_WITHOUT_ID: &str = "/2018-06-01/runtime/invocation//response";
pub(crate) const ERROR_WITHOUT_ID: &str = "/2018-06-01/runtime/invocation//error";
pub(crate) const INIT_ERROR: &str = "/2018-06-01/runtime/init/error";
pub(crate) const METADATA: &str = "/2026-01-15/metadata/execution-environment";

pub(crate) const AWS_REQUEST_ID: HeaderName =
    HeaderName::from_static("lambda-runtime-aws-request-id");
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
pub(crate) const CLIENT_CONTEXT: HeaderName =
    HeaderName::from_static("lambda-runtime-client-context");
pub(crate) const COGNITO_IDENTITY: HeaderName =
    HeaderName::from_static("lambda-runtime-cognito-identity");
pub(crate) const INVOKED_FUNCTION_ARN: HeaderName =
    HeaderName::from_static("lambda-runtime-invoked-function-arn");
pub(crate) const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
pub(crate) const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");
pub(crate) const FEATURES: HeaderName = HeaderName::from_static("lambda-runtime-features");
pub(crate) const RESPONSE_MODE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-response-mode");
pub(crate) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-type");
pub(crate) const ERROR_BODY: HeaderName =
    HeaderName::from_static("lambda-runtime-function-error-body");
pub(crate) const XRAY_ERROR_CAUSE: HeaderName =
    HeaderName::from_static("lambda-runtime-function-xray-error-cause");

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
pub(crate) const ERROR_CAUSE_JSON: &[u8] = b"application/vnd.aws.lambda.error.cause+json";
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The body of every error reply; the order of the keys is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_message: &'a str,
    error_type: &'a str,
}

/// 202 `{"status":"OK"}`.
pub(crate) fn accepted() -> Response {
    json(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

/// An error reply.
pub(crate) fn error(status: StatusCode, error_type: &str, error_message: &str) -> Response {
    let body = ErrorBody { error_message, error_type };
    // Two strings always serialise; an empty body would still be an answer.
    let text = serde_json::to_string(&body).unwrap_or_default();
    json(status, Bytes::from(escape(&text) + "\n"))
}

pub(crate) fn too_large() -> Response {
    error(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({MAX_PAYLOAD_SIZE} bytes)."),
    )
}

pub(crate) fn truncated() -> Response {
    error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
}

pub(crate) fn invalid_mode() -> Response {
    error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")
}

pub(crate) fn internal() -> Response {
    error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
}

/// The reply to a call that was refused.
pub(crate) fn refused(refusal: &RuntimeRefusal) -> Response {
    let message = refusal.to_string();
    match refusal {
        RuntimeRefusal::InvalidRequestId => {
            error(StatusCode::BAD_REQUEST, "InvalidRequestID", &message)
        }
        RuntimeRefusal::InvalidStateTransition { .. } => {
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
        }
        RuntimeRefusal::TooManyIdleRuntimes => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "Runtime.TooManyIdleRuntimes", &message)
        }
        RuntimeRefusal::Internal => internal(),
    }
}

/// A plain-text reply, as unknown paths and bad credentials get it.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(axum::body::Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    if !status.is_success() {
        response
            .headers_mut()
            .insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    response
}

/// Reads `null` like an absent value.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whether a JSON text, if it is one, is an object.
pub(crate) fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

/// A reply with a body of JSON.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Writes the characters that HTML gives a meaning to as escapes, as the API always has. They can
/// only stand inside strings.
pub(crate) fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_with_a_meaning_in_html_are_escaped() {
        assert_eq!(escape("\"<a&b>\u{2028}\""), "\"\\u003ca\\u0026b\\u003e\\u2028\"");
    }
}
