//! Every literal of the Extensions API, the paths of the two it goes with, and the JSON that goes over it.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;

pub(crate) const REGISTER: &str = "/2020-01-01/extension/register";
pub(crate) const NEXT: &str = "/2020-01-01/extension/event/next";
pub(crate) const INIT_ERROR: &str = "/2020-01-01/extension/init/error";
pub(crate) const EXIT_ERROR: &str = "/2020-01-01/extension/exit/error";
pub(crate) const TELEMETRY: &str = "/2022-07-01/telemetry";
pub(crate) const LOGS: &str = "/2020-08-15/logs";

/// The variable that holds the address of the API.
pub(crate) const ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API";

pub(crate) const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
pub(crate) const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
pub(crate) const ACCEPT_FEATURE: HeaderName =
    HeaderName::from_static("lambda-extension-accept-feature");
pub(crate) const ERROR_TYPE: HeaderName =
    HeaderName::from_static("lambda-extension-function-error-type");

pub(crate) const ACCOUNT_ID: HeaderValue = HeaderValue::from_static("accountId");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(crate) const INVOKE: &str = "INVOKE";
pub(crate) const SHUTDOWN: &str = "SHUTDOWN";

pub(crate) const SPINDOWN: &str = "spindown";
pub(crate) const TIMEOUT: &str = "timeout";
pub(crate) const FAILURE: &str = "failure";

/// Error types that there is advice for.
pub(crate) mod error_type {
    pub(crate) const INVALID_EVENT_TYPE: &str = "Extension.InvalidEventType";
    pub(crate) const INVALID_STATE: &str = "Extension.InvalidExtensionState";
    pub(crate) const REGISTRATION_CLOSED: &str = "Extension.RegistrationClosed";
    pub(crate) const TOO_MANY: &str = "Extension.TooManyExtensions";
    pub(crate) const INVALID_IDENTIFIER: &str = "Extension.InvalidExtensionIdentifier";
    pub(crate) const UNKNOWN_IDENTIFIER: &str = "Extension.UnknownExtensionIdentifier";
    pub(crate) const TELEMETRY_CLOSED: &str = "Telemetry.SubscriptionClosed";
    pub(crate) const LOGS_CLOSED: &str = "Logs.SubscriptionClosed";
}

/// The body of a registration.
pub(crate) fn registration<'a>(events: impl Iterator<Item = &'a str>) -> String {
    serde_json::json!({ "events": events.collect::<Vec<_>>() }).to_string()
}

/// The answer to a registration. Keys that are missing, or null, are empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterReply {
    pub(crate) function_name: Option<String>,
    pub(crate) function_version: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) account_id: Option<String>,
}

/// An event. Keys that are missing, or null, are empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventReply<'a> {
    #[serde(borrow)]
    pub(crate) event_type: Option<Cow<'a, str>>,
    pub(crate) deadline_ms: Option<i64>,
    pub(crate) request_id: Option<String>,
    pub(crate) invoked_function_arn: Option<String>,
    pub(crate) tracing: Option<TracingReply>,
    #[serde(borrow)]
    pub(crate) shutdown_reason: Option<Cow<'a, str>>,
}

/// The trace of an event.
#[derive(Deserialize)]
pub(crate) struct TracingReply {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) value: Option<String>,
}

/// The answer to an error report.
#[derive(Deserialize)]
pub(crate) struct StatusReply {
    pub(crate) status: Option<String>,
}

/// The body of a refusal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorReply {
    pub(crate) error_type: Option<String>,
    pub(crate) error_message: Option<String>,
}

/// Reads a JSON object.
///
/// # Errors
/// When it is none. Serde would take a list for the fields of a struct in order; the API sends
/// objects only.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(serde::de::Error::custom("a list where an object belongs"));
    }
    serde_json::from_slice(json)
}
