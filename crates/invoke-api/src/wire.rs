//! Every literal of the Invoke API, and its reply bodies.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use rapid_interop::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::{Health, InvokeRefusal, PendingEvents};
use serde::Serialize;

pub(crate) const INVOKE: &str = "/2015-03-31/functions/{name}/invocations";
pub(crate) const INVOKE_STREAM: &str =
    "/2021-11-15/functions/{name}/response-streaming-invocations";
/// Where other local servers have it.
pub(crate) const INVOKE_STREAM_ALIAS: &str =
    "/2015-03-31/functions/{name}/response-streaming-invocations";
/// The older way to invoke asynchronously.
pub(crate) const INVOKE_ASYNC: &str = "/2014-11-13/functions/{name}/invoke-async";
/// As the SDKs spell it.
pub(crate) const INVOKE_ASYNC_SLASH: &str = "/2014-11-13/functions/{name}/invoke-async/";
pub(crate) const HEALTH: &str = "/health";

pub(crate) const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
pub(crate) const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
pub(crate) const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
pub(crate) const COGNITO_IDENTITY: HeaderName = HeaderName::from_static("x-amz-cognito-identity");
pub(crate) const TENANT_ID: HeaderName = HeaderName::from_static("x-amz-tenant-id");
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
pub(crate) const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
pub(crate) const REMAPPED_CONTENT_TYPE: HeaderName =
    HeaderName::from_static("x-amzn-remapped-content-type");
pub(crate) const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
pub(crate) const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
pub(crate) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

pub(crate) const UNHANDLED: HeaderValue = HeaderValue::from_static("Unhandled");
pub(crate) const EVENT_STREAM: HeaderValue =
    HeaderValue::from_static("application/vnd.amazon.eventstream");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An error of the API itself: nothing ran.
///
/// # Source
/// Invoke API, "API errors".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// 404: the path is none of the API's.
    UnknownOperation { method: String, path: String },
    /// 405: the path is one of the API's, the method is not.
    MethodNotAllowed {
        /// The method that is.
        allowed: &'static str,
    },
    /// 400: a constraint of the model is violated.
    Validation { value: String, member: &'static str, pattern: &'static str },
    /// 400: two values contradict each other, or one is not supported.
    InvalidParameterValue(String),
    /// 400: the body or the client context cannot be read.
    InvalidRequestContent(String),
    /// 413: the body is too large for this type of invocation.
    RequestTooLarge { size: usize, limit: usize, invocation_type: &'static str },
    /// 408: the body stopped coming.
    RequestTimeout,
    /// 403: the page of somebody who may not invoke.
    ForeignPage { origin: String },
    /// 404: the function has no such version.
    ResourceNotFound { arn: String },
    /// 429: too many invocations wait.
    TooManyRequests,
    /// 500: the execution environment cannot take the invocation.
    Service(&'static str),
}

#[derive(Serialize)]
struct LowerMessage<'a> {
    #[serde(rename = "Reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(rename = "Type")]
    kind: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct UpperMessage<'a> {
    #[serde(rename = "Type")]
    kind: &'a str,
    #[serde(rename = "Message")]
    message: &'a str,
}

#[derive(Serialize)]
struct OnlyMessage<'a> {
    message: &'a str,
}

impl From<InvokeRefusal> for ApiError {
    fn from(refusal: InvokeRefusal) -> Self {
        match refusal {
            InvokeRefusal::TooManyRequests => Self::TooManyRequests,
            // The request limits lie below; only a port with a limit of its own gets here.
            InvokeRefusal::TooLarge => Self::RequestTooLarge {
                size: MAX_PAYLOAD_SIZE + 1,
                limit: MAX_PAYLOAD_SIZE,
                invocation_type: "RequestResponse",
            },
            InvokeRefusal::ShuttingDown => {
                Self::Service("The execution environment is shutting down.")
            }
            InvokeRefusal::NotStored => Self::Service("The invocation could not be stored."),
        }
    }
}

impl ApiError {
    /// The error code: `X-Amzn-ErrorType`.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation { .. } => "UnknownOperationException",
            Self::MethodNotAllowed { .. } => "MethodNotAllowedException",
            Self::Validation { .. } => "ValidationException",
            Self::InvalidParameterValue(_) => "InvalidParameterValueException",
            Self::InvalidRequestContent(_) => "InvalidRequestContentException",
            Self::RequestTooLarge { .. } => "RequestTooLargeException",
            Self::RequestTimeout => "RequestTimeoutException",
            Self::ForeignPage { .. } => "AccessDeniedException",
            Self::ResourceNotFound { .. } => "ResourceNotFoundException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::Service(_) => "ServiceException",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::UnknownOperation { .. } | Self::ResourceNotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Validation { .. }
            | Self::InvalidParameterValue(_)
            | Self::InvalidRequestContent(_) => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ForeignPage { .. } => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Service(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::UnknownOperation { method, path } => format!(
                "There is no operation {method} {path}. \
                 Invoke with POST /2015-03-31/functions/<name>/invocations."
            ),
            Self::MethodNotAllowed { allowed: "POST" } => "Invoke with POST.".to_owned(),
            Self::MethodNotAllowed { allowed } => format!("Ask with {allowed}."),
            Self::Validation { value, member, pattern } => format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: {pattern}"
            ),
            Self::InvalidParameterValue(message) | Self::InvalidRequestContent(message) => {
                message.clone()
            }
            Self::RequestTooLarge { size, limit, invocation_type } => format!(
                "{size} byte payload is too large for the {invocation_type} invocation type \
                 (limit {limit} bytes)"
            ),
            Self::RequestTimeout => "The request body stopped coming.".to_owned(),
            Self::ForeignPage { origin } => format!(
                "Pages of {origin} may not invoke. Allow them with --cors-origin {origin}, or leave \
                 the header Origin out."
            ),
            Self::ResourceNotFound { arn } => format!("Function not found: {arn}"),
            Self::TooManyRequests => "Rate Exceeded.".to_owned(),
            Self::Service(message) => (*message).to_owned(),
        }
    }

    fn body(&self) -> Vec<u8> {
        let message = &self.message();
        let lower = |reason| serde_json::to_vec(&LowerMessage { reason, kind: "User", message });
        let body = match self {
            Self::Validation { .. } => serde_json::to_vec(&OnlyMessage { message }),
            Self::ResourceNotFound { .. } | Self::ForeignPage { .. } => {
                serde_json::to_vec(&UpperMessage { kind: "User", message })
            }
            Self::Service(_) => serde_json::to_vec(&UpperMessage { kind: "Server", message }),
            Self::TooManyRequests => lower(Some("ConcurrentInvocationLimitExceeded")),
            Self::UnknownOperation { .. }
            | Self::MethodNotAllowed { .. }
            | Self::InvalidParameterValue(_)
            | Self::InvalidRequestContent(_)
            | Self::RequestTooLarge { .. }
            | Self::RequestTimeout => lower(None),
        };
        // Texts always serialise; an empty body would still be an answer.
        body.unwrap_or_default()
    }

    /// The reply, under the request id it was given.
    pub(crate) fn response(&self, request_id: HeaderValue) -> Response {
        let mut response = json(self.status(), Bytes::from(self.body()));
        let headers = response.headers_mut();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.code()));
        headers.insert(REQUEST_ID, request_id);
        if let Self::MethodNotAllowed { allowed } = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

/// A plain-text reply.
pub(crate) fn plain(status: StatusCode, text: impl Into<Body>) -> Response {
    of_type(status, TEXT, text.into())
}

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    of_type(status, JSON, Body::from(body))
}

/// A reply of any type.
pub(crate) fn of_type(status: StatusCode, content_type: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// What a health check is told: 200 while invocations would run or wait for their turn, 503 when
/// they would meet a function that could not initialise so far.
pub(crate) fn health(health: Health, pending: Option<PendingEvents>) -> Response {
    #[derive(Serialize)]
    struct State {
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        events: Option<Events>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Events {
        queued: usize,
        retrying: usize,
        in_flight: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        oldest_age_ms: Option<u64>,
    }
    let status = match health {
        Health::Idle | Health::Ready | Health::Invoking | Health::Resetting => StatusCode::OK,
        Health::Initializing | Health::Failed | Health::ShuttingDown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let events = pending.map(|pending| Events {
        queued: pending.queued,
        retrying: pending.retrying,
        in_flight: pending.in_flight,
        oldest_age_ms: pending.oldest_age.map(millis),
    });
    let body = serde_json::to_vec(&State { state: health.as_str(), events }).unwrap_or_default();
    json(status, Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &ApiError) -> String {
        String::from_utf8(error.body()).unwrap()
    }

    #[test]
    fn errors_have_the_bodies_that_were_recorded() {
        let arn = "arn:aws:lambda:us-east-1:111111111111:function:doesnotexist:$LATEST".to_owned();
        assert_eq!(
            body(&ApiError::ResourceNotFound { arn }),
            r#"{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:111111111111:function:doesnotexist:$LATEST"}"#
        );
        assert_eq!(
            body(&ApiError::TooManyRequests),
            r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
        );
        assert_eq!(
            body(&ApiError::RequestTooLarge {
                size: 7,
                limit: 6_291_456,
                invocation_type: "RequestResponse"
            }),
            r#"{"Type":"User","message":"7 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"}"#
        );
        let bad =
            ApiError::Validation { value: "f g".into(), member: "functionName", pattern: "p" };
        assert_eq!(
            body(&bad),
            r#"{"message":"1 validation error detected: Value 'f g' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: p"}"#
        );
    }
}
