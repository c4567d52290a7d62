//! Every literal of the Extensions API, and its reply bodies.

use std::borrow::Cow;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use rapid_interop::extension::{EventType, ExtensionRefusal, Registered};
use rapid_interop::invoke::Invoke;
use rapid_interop::message::{FunctionMetadata, ResetReason};
use rapid_interop::ports::TelemetryAnswer;
use rapid_interop::{EpochMillis, TelemetryApi};
use serde::Serialize;

use crate::wire::{error, escape, internal, json};

pub(super) const REGISTER: &str = "/2020-01-01/extension/register";
pub(crate) const EVENT_NEXT: &str = "/2020-01-01/extension/event/next";
pub(super) const INIT_ERROR: &str = "/2020-01-01/extension/init/error";
pub(super) const EXIT_ERROR: &str = "/2020-01-01/extension/exit/error";
pub(super) const LOGS: &str = "/2020-08-15/logs";
pub(super) const TELEMETRY: &str = "/2022-07-01/telemetry";

pub(super) const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
pub(super) const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
pub(super) const ACCEPT_FEATURE: HeaderName =
    HeaderName::from_static("lambda-extension-accept-feature");
pub(super) const EVENT_IDENTIFIER: HeaderName =
    HeaderName::from_static("lambda-extension-event-identifier");
pub(super) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-extension-function-error-type");

/// The feature that lets the account's id into the reply to a registration.
pub(super) const ACCOUNT_ID: &[u8] = b"accountId";

const TRACE_HEADER: &str = "X-Amzn-Trace-Id";
const UNKNOWN: &str = "Extension.UnknownExtensionIdentifier";

/// What an extension is told about the function; the order of the keys is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    function_name: &'a str,
    function_version: &'a str,
    handler: &'a str,
}

/// The event of an invocation; the order of the keys is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InvokeEvent<'a> {
    event_type: &'static str,
    deadline_ms: u64,
    request_id: &'a str,
    invoked_function_arn: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<Tracing<'a>>,
}

#[derive(Serialize)]
struct Tracing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    value: Cow<'a, str>,
}

/// The event of the end; the order of the keys is fixed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShutdownEvent {
    event_type: &'static str,
    deadline_ms: u64,
    shutdown_reason: &'static str,
}

/// The reply to a registration.
pub(super) fn registered(registered: &Registered, with_account: bool) -> Response {
    let FunctionMetadata { account_id, function_name, function_version, handler, .. } =
        &*registered.function;
    let account_id = account_id.as_deref().filter(|id| with_account && !id.is_empty());
    let body = compact(&Function { account_id, function_name, function_version, handler });
    let identifier = HeaderValue::try_from(registered.id.to_string());
    let (Some(body), Ok(identifier)) = (body, identifier) else { return internal() };
    let mut response = json(StatusCode::OK, Bytes::from(body + "\n"));
    response.headers_mut().insert(IDENTIFIER, identifier);
    response
}

/// The body of the event of an invocation. `None`: it cannot be written.
pub(super) fn invoke_event(invoke: &Invoke, deadline: EpochMillis) -> Option<Bytes> {
    let trace = Some(&invoke.trace_id).filter(|trace| !trace.is_empty());
    let event = InvokeEvent {
        event_type: EventType::Invoke.as_str(),
        deadline_ms: deadline.0,
        request_id: invoke.id.as_str(),
        invoked_function_arn: text_of(&invoke.invoked_function_arn),
        tracing: trace.map(|trace| Tracing { kind: TRACE_HEADER, value: text_of(trace) }),
    };
    compact(&event).map(Bytes::from)
}

/// The body of the event of the end. `None`: it cannot be written.
pub(super) fn shutdown_event(reason: ResetReason, deadline: EpochMillis) -> Option<Bytes> {
    let event = ShutdownEvent {
        event_type: EventType::Shutdown.as_str(),
        deadline_ms: deadline.0,
        shutdown_reason: reason.as_str(),
    };
    compact(&event).map(Bytes::from)
}

/// The reply when there are no extensions here.
pub(super) fn disabled() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

pub(super) fn missing_identifier() -> Response {
    let message = "Missing Lambda-Extension-Identifier header";
    forbidden("Extension.MissingExtensionIdentifier", message)
}

pub(super) fn invalid_identifier() -> Response {
    forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
}

pub(super) fn empty_name() -> Response {
    forbidden("Extension.InvalidExtensionName", "Empty extension name")
}

pub(super) fn invalid_request(message: &str) -> Response {
    forbidden("InvalidRequestFormat", message)
}

pub(super) fn configuration_keys() -> Response {
    invalid_request("configurationKeys are deprecated; use environment variables instead")
}

pub(super) fn missing_error_type() -> Response {
    let message = "Lambda-Extension-Function-Error-Type not found";
    forbidden("Extension.MissingHeader", message)
}

/// The reply to a call that was refused.
pub(super) fn refused(refusal: &ExtensionRefusal) -> Response {
    let error_type = match refusal {
        ExtensionRefusal::UnknownEvent { .. } | ExtensionRefusal::ShutdownOfInternal => {
            "Extension.InvalidEventType"
        }
        ExtensionRefusal::RegistrationClosed => "Extension.RegistrationClosed",
        ExtensionRefusal::TooManyExtensions => "Extension.TooManyExtensions",
        ExtensionRefusal::NameTaken | ExtensionRefusal::InvalidState { .. } => {
            "Extension.InvalidExtensionState"
        }
        ExtensionRefusal::Unknown { .. } => UNKNOWN,
        ExtensionRefusal::Internal => return internal(),
    };
    forbidden(error_type, &refusal.to_string())
}

/// The reply to a report that was refused: it does not repeat an id that nobody has.
pub(super) fn report_refused(refusal: &ExtensionRefusal) -> Response {
    if matches!(refusal, ExtensionRefusal::Unknown { .. }) {
        return forbidden(UNKNOWN, "Unknown Lambda-Extension-Identifier");
    }
    refused(refusal)
}

/// The reply to a subscription where there is nothing to subscribe to.
pub(super) fn not_supported(api: TelemetryApi) -> Response {
    let (error_type, message) = match api {
        TelemetryApi::Telemetry => ("Telemetry.NotSupported", "Telemetry API is not supported"),
        TelemetryApi::Logs => ("Logs.NotSupported", "Logs API is not supported"),
    };
    error(StatusCode::ACCEPTED, error_type, message)
}

/// What subscribing led to.
pub(super) fn subscribed(answer: TelemetryAnswer) -> Response {
    json(answer.status, answer.body)
}

/// Every mistake of an extension is answered with 403.
fn forbidden(error_type: &str, message: &str) -> Response {
    error(StatusCode::FORBIDDEN, error_type, message)
}

/// JSON in one line, with the escapes of the API.
fn compact(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok().map(|json| escape(&json))
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}
