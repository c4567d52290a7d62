//! Every literal of Function URLs, and the answers that no function gave.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use rapid_interop::ports::InvokeRefusal;
use rapid_interop::{MAX_PAYLOAD_SIZE, RequestId};

pub(crate) const TRACE_ID_NAME: &str = "x-amzn-trace-id";
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static(TRACE_ID_NAME);
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
pub(crate) const CONTENT_LENGTH: &str = "content-length";
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";
pub(crate) const FORWARDED_PORT: &str = "x-forwarded-port";
pub(crate) const FORWARDED_PROTO: &str = "x-forwarded-proto";

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Says that a response begins with a prelude.
pub(crate) const INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What ended a body early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response: a whole one, or a stream. After an error it is not complete, and the
/// connection has to end.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is there as a whole.
pub(crate) fn whole(body: impl Into<Bytes>) -> ResponseBody {
    streamed(Full::new(body.into()))
}

/// A body that is read while it is sent.
pub(crate) fn streamed<B>(body: B) -> ResponseBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// An answer that no function gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// 403: the `Host` is that of another function's URL.
    AnotherUrl,
    /// 400: the body ended before it was complete.
    Truncated,
    /// 405: `CONNECT` is for proxies.
    Connect,
    /// 408: the body stopped coming.
    RequestTimeout,
    /// 413: the body, or the event around it, is too large.
    RequestTooLarge { size: usize, limit: usize },
    /// 429: too many invocations wait.
    TooManyRequests,
    /// 502: the function failed, or its output is no HTTP response.
    BadFunction,
    /// 503: the execution environment shuts down.
    ShuttingDown,
}

impl From<InvokeRefusal> for ApiError {
    fn from(refusal: InvokeRefusal) -> Self {
        match refusal {
            InvokeRefusal::TooManyRequests => Self::TooManyRequests,
            // Only a port with a limit of its own gets here.
            InvokeRefusal::TooLarge => {
                Self::RequestTooLarge { size: MAX_PAYLOAD_SIZE + 1, limit: MAX_PAYLOAD_SIZE }
            }
            InvokeRefusal::ShuttingDown => Self::ShuttingDown,
            // Nothing is stored that is answered at once.
            InvokeRefusal::NotStored => Self::BadFunction,
        }
    }
}

impl ApiError {
    /// The error code: `x-amzn-ErrorType`.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::AnotherUrl => "AccessDeniedException",
            Self::Truncated => "InvalidRequestContentException",
            Self::Connect => "MethodNotAllowedException",
            Self::RequestTimeout => "RequestTimeoutException",
            Self::RequestTooLarge { .. } => "RequestTooLargeException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::BadFunction => "InternalServerErrorException",
            Self::ShuttingDown => "ServiceException",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::AnotherUrl => StatusCode::FORBIDDEN,
            Self::Truncated => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RequestTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::BadFunction => StatusCode::BAD_GATEWAY,
            Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn body(self) -> String {
        let user = |message: &str| format!(r#"{{"Type":"User","message":"{message}"}}"#);
        match self {
            Self::AnotherUrl => r#"{"Message":null}"#.to_owned(),
            Self::Truncated => user("The request body ended early."),
            Self::Connect => user("A function is no proxy: CONNECT is not allowed."),
            Self::RequestTimeout => user("The request body stopped coming."),
            Self::RequestTooLarge { size, limit } => {
                user(&format!("{size} bytes are too large for a request (limit {limit} bytes)"))
            }
            Self::TooManyRequests => {
                r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
                    .to_owned()
            }
            Self::BadFunction => "Internal Server Error".to_owned(),
            Self::ShuttingDown => {
                r#"{"Type":"Server","Message":"The execution environment is shutting down."}"#
                    .to_owned()
            }
        }
    }

    /// The answer.
    pub(crate) fn response(self) -> Response<ResponseBody> {
        let mut response = Response::new(whole(self.body()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let content_type = if matches!(self, Self::BadFunction) { TEXT } else { JSON };
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.code()));
        response
    }
}

/// The headers that every answer has.
pub(crate) fn sign(headers: &mut http::HeaderMap, id: &RequestId, trace: HeaderValue) {
    headers.insert(REQUEST_ID, id.to_header());
    headers.insert(TRACE_ID, trace);
}
