//! [`SubscribeError`]: why a subscription is refused, and the answer that says so.

use http::StatusCode;
use rapid_events::Api;

use crate::request::MAX_REQUEST_SIZE;
use crate::subscriptions::{MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_EACH};

/// Why a subscription is refused. Nothing has changed then; the request may be corrected and sent
/// again while subscriptions are open.
///
/// # Source
/// Telemetry API, "Subscribe responses". The texts of [`SubscribeError::TooLarge`],
/// [`SubscribeError::TooMany`] and [`SubscribeError::TooManyOfOne`] are ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The initialisation is over.
    #[error("{} API subscription is closed already", .0.as_str())]
    Closed(Api),
    /// The request's body is longer than [`MAX_REQUEST_SIZE`].
    #[error("Request body exceeds {MAX_REQUEST_SIZE} bytes")]
    TooLarge(Api),
    /// The request's body is no JSON, or not of the right shape.
    #[error("{1}")]
    Malformed(Api, Box<str>),
    /// The request's values do not make sense; all of them that do not, joined with `; `.
    #[error("{1}")]
    Invalid(Api, Box<str>),
    /// The destination is to be reached by something else than HTTP.
    #[error("Only 'http' scheme is supported.")]
    Scheme(Api),
    /// The destination is not this sandbox.
    #[error("Only 'sandbox.localdomain' hostname is supported.")]
    Host(Api),
    /// The extension of this name has subscribed through the other API.
    #[error(
        "The extension {name} is already subscribed to the {}API. You must either subscribe to \
         the LogsAPI or the TelemetryAPI",
        .used.as_str()
    )]
    OtherApi {
        /// The API of the request.
        api: Api,
        /// The API that the extension uses.
        used: Api,
        /// The extension.
        name: Box<str>,
    },
    /// There are as many subscriptions as there may be.
    #[error("Subscription limit ({MAX_SUBSCRIPTIONS}) reached")]
    TooMany(Api),
    /// The extension has as many subscriptions as one may have.
    #[error("Subscription limit ({MAX_SUBSCRIPTIONS_EACH}) of an extension reached")]
    TooManyOfOne(Api),
}

impl SubscribeError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Closed(_) | Self::Scheme(_) | Self::Host(_) => StatusCode::FORBIDDEN,
            Self::TooLarge(_)
            | Self::Malformed(..)
            | Self::Invalid(..)
            | Self::OtherApi { .. }
            | Self::TooMany(_)
            | Self::TooManyOfOne(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The body of the answer: JSON, `application/json`.
    #[must_use]
    pub fn body(&self) -> String {
        let error_type = serde_json::Value::from(self.error_type());
        let message = serde_json::Value::from(self.to_string());
        match self {
            // This answer comes from another part of the service than the rest.
            Self::Closed(_) => {
                format!("{{\"errorMessage\":{message},\"errorType\":{error_type}}}\n")
            }
            Self::TooLarge(_)
            | Self::Malformed(..)
            | Self::Invalid(..)
            | Self::Scheme(_)
            | Self::Host(_)
            | Self::OtherApi { .. }
            | Self::TooMany(_)
            | Self::TooManyOfOne(_) => {
                format!("{{\"errorType\":{error_type},\"errorMessage\":{message}}}")
            }
        }
    }

    fn error_type(&self) -> String {
        let (api, kind) = match self {
            Self::Closed(api) => (api, "SubscriptionClosed"),
            Self::Malformed(api, _) => (api, "DeserializationError"),
            Self::TooLarge(api)
            | Self::Invalid(api, _)
            | Self::TooMany(api)
            | Self::TooManyOfOne(api) => (api, "ValidationError"),
            Self::Scheme(api) | Self::Host(api) | Self::OtherApi { api, .. } => {
                (api, "AccessDenied")
            }
        };
        format!("{}.{kind}", api.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_answered_in_the_services_words() {
        let name: Box<str> = "probe.sh".into();
        let rows = [
            (
                SubscribeError::Closed(Api::Telemetry),
                403,
                "{\"errorMessage\":\"Telemetry API subscription is closed already\",\
                 \"errorType\":\"Telemetry.SubscriptionClosed\"}\n",
            ),
            (
                SubscribeError::Closed(Api::Logs),
                403,
                "{\"errorMessage\":\"Logs API subscription is closed already\",\
                 \"errorType\":\"Logs.SubscriptionClosed\"}\n",
            ),
            (
                SubscribeError::TooLarge(Api::Telemetry),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"Request body exceeds 1048576 bytes"}"#,
            ),
            (
                SubscribeError::Malformed(Api::Logs, "a \"quoted\" text".into()),
                400,
                r#"{"errorType":"Logs.DeserializationError","errorMessage":"a \"quoted\" text"}"#,
            ),
            (
                SubscribeError::Invalid(Api::Telemetry, "types should not be empty".into()),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"types should not be empty"}"#,
            ),
            (
                SubscribeError::Scheme(Api::Telemetry),
                403,
                r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"Only 'http' scheme is supported."}"#,
            ),
            (
                SubscribeError::Host(Api::Logs),
                403,
                r#"{"errorType":"Logs.AccessDenied","errorMessage":"Only 'sandbox.localdomain' hostname is supported."}"#,
            ),
            (
                SubscribeError::OtherApi {
                    api: Api::Logs,
                    used: Api::Telemetry,
                    name: name.clone(),
                },
                400,
                r#"{"errorType":"Logs.AccessDenied","errorMessage":"The extension probe.sh is already subscribed to the TelemetryAPI. You must either subscribe to the LogsAPI or the TelemetryAPI"}"#,
            ),
            (
                SubscribeError::OtherApi { api: Api::Telemetry, used: Api::Logs, name },
                400,
                r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"The extension probe.sh is already subscribed to the LogsAPI. You must either subscribe to the LogsAPI or the TelemetryAPI"}"#,
            ),
            (
                SubscribeError::TooMany(Api::Telemetry),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"Subscription limit (64) reached"}"#,
            ),
            (
                SubscribeError::TooManyOfOne(Api::Logs),
                400,
                r#"{"errorType":"Logs.ValidationError","errorMessage":"Subscription limit (8) of an extension reached"}"#,
            ),
        ];
        for (error, status, body) in rows {
            assert_eq!(error.status().as_u16(), status, "{error:?}");
            assert_eq!(error.body(), body);
        }
    }
}
