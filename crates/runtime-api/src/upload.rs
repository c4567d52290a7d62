//! R3 and R4: the runtime's response, or its report that the function failed.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body::Body;
use rapid_fatal_error::ErrorType;
use rapid_http::{BodyError, collect, collect_with_trailers};
use rapid_interop::limits::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::{RuntimePort, Upload, UploadOutcome};
use rapid_interop::{
    ErrorInvokeResponse, FunctionError, FunctionResponseMode, InteropError, InvokeErrorTraceData,
    InvokeResponseHeaders, StreamableInvokeResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error_cause::error_cause;
use crate::routes::Api;
use crate::throttle::Bandwidth;
use crate::{stream, wire};

/// The id in `/2018-06-01/runtime/invocation/{id}/…`, empty when there is none.
fn id_of<B>(request: &Request<B>) -> &str {
    let after = request.uri().path().strip_prefix(wire::BEFORE_ID).unwrap_or("");
    after.split_once('/').map_or("", |(id, _)| id)
}

pub(crate) async fn response<P, B>(State(api): State<Api<P>>, request: Request<B>) -> Response
where
    P: RuntimePort,
    B: Body<Data = Bytes> + Unpin,
{
    let generation = api.generation(&request);
    let mut upload = match api.port.begin_response(generation, id_of(&request)).await {
        Ok(upload) => upload,
        Err(refusal) => return refuse(request, wire::refused(&refusal)).await,
    };
    let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
    let mode = request.headers().get(wire::RESPONSE_MODE).map(HeaderValue::as_bytes);
    let Ok(function_response_mode) = FunctionResponseMode::from_runtime(mode) else {
        let finished = upload.finish(UploadOutcome::InvalidMode).await;
        return refuse(request, reply(finished, wire::invalid_mode())).await;
    };
    let headers = InvokeResponseHeaders { content_type, function_response_mode };
    if upload.stream(&headers).await {
        // Boxed, or every response would be as large as one that is streamed.
        let mode = function_response_mode;
        return Box::pin(streamed(upload, request, mode, api.stream_bandwidth)).await;
    }
    match collect_with_trailers(request.into_body(), MAX_PAYLOAD_SIZE, None).await {
        Ok((_, trailers)) if tells_failure(&trailers) => {
            let error = read_error_trailers(&trailers, function_response_mode);
            let outcome = UploadOutcome::Error(error, InvokeErrorTraceData::default());
            reply(upload.finish(outcome).await, wire::accepted())
        }
        Ok((payload, _)) => {
            let response = StreamableInvokeResponse { headers, payload };
            reply(upload.finish(UploadOutcome::Response(response)).await, wire::accepted())
        }
        Err(error) => broken(upload, error).await,
    }
}

/// Takes in a response that the invoker gets while it comes.
async fn streamed<B>(
    mut upload: impl Upload,
    request: Request<B>,
    mode: FunctionResponseMode,
    bandwidth: Option<Bandwidth>,
) -> Response
where
    B: Body<Data = Bytes> + Unpin,
{
    let outcome = match stream::pass_on(&mut upload, request.into_body(), bandwidth).await {
        Ok((streamed, trailers)) if tells_failure(&trailers) => {
            UploadOutcome::StreamFailed(streamed, read_error_trailers(&trailers, mode))
        }
        Ok((streamed, _)) => UploadOutcome::Streamed(streamed),
        Err(error) => return broken(upload, error).await,
    };
    reply(upload.finish(outcome).await, wire::accepted())
}

/// Whether trailers say that the function has failed. Some clients declare them every time, and
/// leave them empty.
fn tells_failure(trailers: &HeaderMap) -> bool {
    trailers.get(wire::ERROR_TYPE).is_some_and(|error_type| !error_type.is_empty())
}

pub(crate) async fn error<P: RuntimePort>(
    State(api): State<Api<P>>,
    request: Request<axum::body::Body>,
) -> Response {
    let generation = api.generation(&request);
    let upload = match api.port.begin_error(generation, id_of(&request)).await {
        Ok(upload) => upload,
        Err(refusal) => return refuse(request, wire::refused(&refusal)).await,
    };
    let (parts, body) = request.into_parts();
    match collect(body, MAX_PAYLOAD_SIZE, None).await {
        Ok(payload) => {
            let (error, trace) = read_error(&parts.headers, payload);
            reply(upload.finish(UploadOutcome::Error(error, trace)).await, wire::accepted())
        }
        Err(error) => broken(upload, error).await,
    }
}

/// Ends an upload whose body could not be collected.
async fn broken(upload: impl Upload, error: BodyError) -> Response {
    match error {
        BodyError::TooLarge { .. } => {
            reply(upload.finish(UploadOutcome::TooLarge).await, wire::too_large())
        }
        BodyError::Truncated | BodyError::Stalled(_) => {
            reply(upload.finish(UploadOutcome::Truncated).await, wire::truncated())
        }
    }
}

/// `ok`, unless the platform could not take the upload any more.
fn reply(finished: Result<(), InteropError>, ok: Response) -> Response {
    match finished {
        Ok(()) => ok,
        Err(InteropError::InvalidInvokeId | InteropError::ResponseSent) => {
            wire::refused(&rapid_interop::ports::RuntimeRefusal::InvalidRequestId)
        }
        Err(error) => {
            tracing::error!(%error, "a response could not be taken in");
            wire::internal()
        }
    }
}

/// Reads a body that nobody wants to its end, so that the client gets to see the answer and can
/// use the connection again.
pub(crate) async fn refuse<B>(request: Request<B>, response: Response) -> Response
where
    B: Body<Data = Bytes> + Unpin,
{
    // What the body holds, and whether it ever ends well, does not matter any more.
    let _ = collect(request.into_body(), 0, None).await;
    response
}

/// What trailers say of a function that failed after it had begun to respond. The part of the
/// response that came is worth nothing then.
///
/// # Source
/// Runtime API, "Response modes".
fn read_error_trailers(
    trailers: &HeaderMap,
    function_response_mode: FunctionResponseMode,
) -> ErrorInvokeResponse {
    let function_error = FunctionError { error_type: error_type(trailers), message: String::new() };
    let body = trailers.get(wire::ERROR_BODY).map(HeaderValue::as_bytes).unwrap_or_default();
    // The body is base64 of JSON; whoever sends something else is passed on as it is.
    let payload = match STANDARD.decode(body) {
        Ok(decoded) if !decoded.is_empty() => Bytes::from(decoded),
        Ok(_) => Bytes::from(serde_json::to_vec(&function_error).unwrap_or_default()),
        Err(_) => Bytes::copy_from_slice(body),
    };
    let headers = InvokeResponseHeaders { content_type: Some(wire::JSON), function_response_mode };
    ErrorInvokeResponse { headers, payload, function_error }
}

/// The error body that carries a cause for the trace.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorWithCause<'a> {
    #[serde(default, deserialize_with = "wire::null_as_default")]
    error_message: String,
    #[serde(default, deserialize_with = "wire::null_as_default")]
    error_type: String,
    #[serde(default, deserialize_with = "wire::null_as_default")]
    stack_trace: Vec<String>,
    #[serde(borrow, default)]
    error_cause: Option<&'a RawValue>,
}

/// The same without the cause, as the invoker gets it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlainError {
    error_message: String,
    error_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stack_trace: Vec<String>,
}

/// What the invoker and the trace get of an error report.
///
/// # Source
/// Runtime API, R4.
fn read_error(headers: &HeaderMap, payload: Bytes) -> (ErrorInvokeResponse, InvokeErrorTraceData) {
    let content_type = headers.get(header::CONTENT_TYPE);
    let (payload, content_type, cause) =
        if content_type.is_some_and(|value| value.as_bytes() == wire::ERROR_CAUSE_JSON) {
            read_error_with_cause(&payload)
        } else {
            let cause = headers.get(wire::XRAY_ERROR_CAUSE);
            let cause = cause.and_then(|cause| error_cause(cause.as_bytes()));
            (payload, content_type.cloned(), cause)
        };
    let error = ErrorInvokeResponse {
        headers: InvokeResponseHeaders {
            content_type,
            function_response_mode: FunctionResponseMode::default(),
        },
        payload,
        function_error: FunctionError { error_type: error_type(headers), message: String::new() },
    };
    (error, InvokeErrorTraceData { error_cause: cause })
}

fn read_error_with_cause(payload: &[u8]) -> (Bytes, Option<HeaderValue>, Option<Box<RawValue>>) {
    let unreadable = || {
        let text = Bytes::from_static(b"\"Invalid error body\"");
        (text, Some(wire::OCTET_STREAM), None)
    };
    // Serde would take a list for the struct's fields in order; the API takes objects only.
    if !wire::is_object(payload) {
        return unreadable();
    }
    let Ok(error) = serde_json::from_slice::<ErrorWithCause<'_>>(payload) else {
        return unreadable();
    };
    let cause = error.error_cause.and_then(|cause| error_cause(cause.get().as_bytes()));
    let plain = PlainError {
        error_message: error.error_message,
        error_type: error.error_type,
        stack_trace: error.stack_trace,
    };
    match serde_json::to_string(&plain) {
        Ok(json) => (Bytes::from(wire::escape(&json)), Some(wire::JSON), cause),
        Err(_) => unreadable(),
    }
}

/// The scrubbed type that the runtime gave.
pub(crate) fn error_type(headers: &HeaderMap) -> ErrorType {
    let header = headers.get(wire::ERROR_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    ErrorType::from_runtime(&String::from_utf8_lossy(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn an_ordinary_error_is_passed_on_unchanged() {
        let headers = headers(&[
            (header::CONTENT_TYPE, "application/x-whatever"),
            (wire::ERROR_TYPE, "Function.Oops"),
            (wire::XRAY_ERROR_CAUSE, r#"{"message":"m"}"#),
        ]);
        let (error, trace) = read_error(&headers, Bytes::from_static(b"anything"));
        assert_eq!(error.payload, "anything");
        assert_eq!(error.headers.content_type.unwrap(), "application/x-whatever");
        assert_eq!(error.function_error.error_type.as_str(), "Function.Oops");
        assert!(trace.error_cause.unwrap().get().contains(r#""message":"m""#));
    }

    #[test]
    fn an_error_with_a_cause_is_taken_apart() {
        let headers =
            headers(&[(header::CONTENT_TYPE, "application/vnd.aws.lambda.error.cause+json")]);
        let body = br#"{"errorMessage":"m","errorType":"T","stackTrace":["a"],"errorCause":{"working_directory":"/w"}}"#;
        let (error, trace) = read_error(&headers, Bytes::from_static(body));
        assert_eq!(error.payload, r#"{"errorMessage":"m","errorType":"T","stackTrace":["a"]}"#);
        assert_eq!(error.headers.content_type.unwrap(), "application/json");
        assert_eq!(
            trace.error_cause.unwrap().get(),
            r#"{"exceptions":null,"working_directory":"/w","paths":null}"#
        );
    }

    #[test]
    fn null_is_nothing_in_an_error_with_a_cause() {
        let headers =
            headers(&[(header::CONTENT_TYPE, "application/vnd.aws.lambda.error.cause+json")]);
        let body = br#"{"errorMessage":"m","errorType":null,"stackTrace":null,"errorCause":null}"#;
        let (error, trace) = read_error(&headers, Bytes::from_static(body));
        assert_eq!(error.payload, r#"{"errorMessage":"m","errorType":""}"#);
        assert!(trace.error_cause.is_none());
    }

    #[test]
    fn trailers_of_a_failed_response_are_the_error() {
        let trailers = headers(&[
            (wire::ERROR_TYPE, "Runtime.Oops"),
            (wire::ERROR_BODY, "eyJlcnJvck1lc3NhZ2UiOiJtIn0="),
        ]);
        let read = |trailers| read_error_trailers(trailers, FunctionResponseMode::default());
        let error = read(&trailers);
        assert_eq!(error.payload, r#"{"errorMessage":"m"}"#);
        assert_eq!(error.function_error.error_type.as_str(), "Runtime.Oops");
        let bare = headers(&[(wire::ERROR_TYPE, "Runtime.Oops")]);
        assert_eq!(read(&bare).payload, r#"{"errorType":"Runtime.Oops"}"#);
        let odd = headers(&[(wire::ERROR_TYPE, "Runtime.Oops"), (wire::ERROR_BODY, "{}")]);
        assert_eq!(read(&odd).payload, "{}");
    }

    #[test]
    fn an_error_with_a_cause_that_does_not_parse_is_replaced() {
        let headers =
            headers(&[(header::CONTENT_TYPE, "application/vnd.aws.lambda.error.cause+json")]);
        for body in ["", "[]", "{\"errorMessage\":1}", "{"] {
            let (error, trace) = read_error(&headers, Bytes::from_static(body.as_bytes()));
            assert_eq!(error.payload, "\"Invalid error body\"", "{body}");
            assert_eq!(error.headers.content_type.unwrap(), "application/octet-stream");
            assert!(trace.error_cause.is_none());
        }
    }
}
