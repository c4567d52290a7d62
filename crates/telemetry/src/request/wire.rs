//! The body of a subscribe request as it is spelled.
//!
//! The order of the variants is the service's: it shows in the text of its refusals.

use std::num::NonZeroU16;

use http::Method;
use rapid_events::{Category, Schema};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) schema_version: Option<Schema>,
    pub(super) types: Vec<Type>,
    pub(super) buffering: Option<Buffering>,
    pub(super) destination: Destination,
}

/// What may be asked for. All of these are read, but only the last three are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Type {
    #[serde(rename = "platform.start")]
    Start,
    #[serde(rename = "platform.end")]
    End,
    #[serde(rename = "platform.report")]
    Report,
    #[serde(rename = "platform.fault")]
    Fault,
    #[serde(rename = "platform.extension")]
    ExtensionInit,
    #[serde(rename = "platform.logsDropped")]
    LogsDropped,
    #[serde(rename = "platform.logsSubscription")]
    LogsSubscription,
    #[serde(rename = "platform.telemetrySubscription")]
    TelemetrySubscription,
    #[serde(rename = "platform.runtimeDone")]
    RuntimeDone,
    #[serde(rename = "platform.initStart")]
    InitStart,
    #[serde(rename = "platform.initRuntimeDone")]
    InitRuntimeDone,
    #[serde(rename = "platform.initReport")]
    InitReport,
    #[serde(rename = "platform.restoreStart")]
    RestoreStart,
    #[serde(rename = "platform.restoreRuntimeDone")]
    RestoreRuntimeDone,
    #[serde(rename = "platform.restoreReport")]
    RestoreReport,
    #[serde(rename = "platform")]
    Platform,
    #[serde(rename = "function")]
    Function,
    #[serde(rename = "extension")]
    Extension,
}

impl Type {
    /// The category that is meant, if it is one.
    pub(super) const fn category(self) -> Option<Category> {
        match self {
            Self::Platform => Some(Category::Platform),
            Self::Function => Some(Category::Function),
            Self::Extension => Some(Category::Extension),
            Self::Start
            | Self::End
            | Self::Report
            | Self::Fault
            | Self::ExtensionInit
            | Self::LogsDropped
            | Self::LogsSubscription
            | Self::TelemetrySubscription
            | Self::RuntimeDone
            | Self::InitStart
            | Self::InitRuntimeDone
            | Self::InitReport
            | Self::RestoreStart
            | Self::RestoreRuntimeDone
            | Self::RestoreReport => None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buffering {
    pub(super) max_items: Option<u32>,
    pub(super) max_bytes: Option<u32>,
    pub(super) timeout_ms: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub(super) enum Destination {
    Http { uri: String, method: Method },
    Tcp { port: NonZeroU16 },
}

/// A destination before it is known which of its fields are needed.
#[derive(Deserialize)]
struct Fields {
    protocol: Protocol,
    #[serde(rename = "URI")]
    uri: Option<String>,
    port: Option<NonZeroU16>,
    method: Option<HttpMethod>,
    /// There is only one; it is read to refuse others.
    #[serde(rename = "encoding")]
    _encoding: Option<Encoding>,
}

#[derive(Deserialize)]
enum Protocol {
    #[serde(rename = "HTTP")]
    Http,
    #[serde(rename = "TCP")]
    Tcp,
}

#[derive(Deserialize)]
enum HttpMethod {
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "PUT")]
    Put,
}

#[derive(Deserialize)]
enum Encoding {
    #[serde(rename = "JSON")]
    Json,
}

impl TryFrom<Fields> for Destination {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields.protocol {
            Protocol::Http => {
                let uri = fields.uri.ok_or("missing field `URI`")?;
                let method = match fields.method {
                    Some(HttpMethod::Put) => Method::PUT,
                    Some(HttpMethod::Post) | None => Method::POST,
                };
                Ok(Self::Http { uri, method })
            }
            Protocol::Tcp => {
                let port = fields.port.ok_or("missing field `port`")?;
                Ok(Self::Tcp { port })
            }
        }
    }
}
