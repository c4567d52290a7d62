//! The done messages: one record of how an initialisation or an invocation went.

use std::fmt;
use std::time::Duration;

use rapid_fatal_error::ErrorType;

use crate::message::{ActiveExtensions, InitFailure, InvokeFailure, InvokeSuccess};
use crate::metrics::{InvokeMetrics, ResponseMetrics};
use crate::mode::InvokeResponseMode;
use crate::time::Mono;

/// An invocation succeeded (`DONE`).
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// How it went.
    pub meta: DoneMetadata,
}

/// An initialisation or an invocation failed (`DONEFAIL`).
#[derive(Clone, Debug, PartialEq)]
pub struct DoneFail {
    /// What it ran into.
    pub error_type: ErrorType,
    /// How it went until then.
    pub meta: DoneMetadata,
}

/// Measurements of a done message. What was not measured is zero or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DoneMetadata {
    /// The extensions that took part.
    pub extensions: ActiveExtensions,
    /// What the runtime calls itself.
    pub runtime_release: String,
    /// Measurements of the way in and back.
    pub invoke_metrics: InvokeMetrics,
    /// From the response to the end of the invocation; only of a success.
    pub invoke_completion_time: Duration,
    /// When the request had been read; `None` for an initialisation.
    pub invoke_received_time: Option<Mono>,
    /// Measurements of a streamed response.
    pub response_metrics: ResponseMetrics,
    /// How to group the measurements.
    pub metrics_dimensions: DoneMetadataMetricsDimensions,
}

/// How to group the measurements of a done message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoneMetadataMetricsDimensions {
    /// How the invoker wanted the response; `None` for an initialisation.
    pub invoke_response_mode: Option<InvokeResponseMode>,
}

impl fmt::Display for DoneMetadataMetricsDimensions {
    /// `invoke_response_mode=<mode>` in lower case, or nothing without a mode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.invoke_response_mode {
            Some(mode) => {
                write!(f, "invoke_response_mode={}", mode.0.as_str().to_ascii_lowercase())
            }
            None => Ok(()),
        }
    }
}

impl From<&InvokeSuccess> for Done {
    /// `DoneFromInvokeSuccess`.
    fn from(success: &InvokeSuccess) -> Self {
        Self {
            meta: DoneMetadata {
                extensions: success.extensions.clone(),
                runtime_release: success.runtime_release.clone(),
                invoke_metrics: success.invoke_metrics,
                invoke_completion_time: success.invoke_completion_time,
                invoke_received_time: Some(success.invoke_received_time),
                response_metrics: success.response_metrics,
                metrics_dimensions: dimensions(success.invoke_response_mode),
            },
        }
    }
}

impl From<&InvokeFailure> for DoneFail {
    /// `DoneFailFromInvokeFailure`: the same measurements but the completion time.
    fn from(failure: &InvokeFailure) -> Self {
        Self {
            error_type: failure.error_type.clone(),
            meta: DoneMetadata {
                extensions: failure.extensions.clone(),
                runtime_release: failure.runtime_release.clone(),
                invoke_metrics: failure.invoke_metrics,
                invoke_completion_time: Duration::ZERO,
                invoke_received_time: Some(failure.invoke_received_time),
                response_metrics: failure.response_metrics,
                metrics_dimensions: dimensions(failure.invoke_response_mode),
            },
        }
    }
}

impl From<&InitFailure> for DoneFail {
    /// `DoneFailFromInitFailure`: only the release and the number of extensions are known.
    fn from(failure: &InitFailure) -> Self {
        Self {
            error_type: failure.error_type.clone(),
            meta: DoneMetadata {
                extensions: ActiveExtensions {
                    names: String::new(),
                    count: failure.extensions.count,
                },
                runtime_release: failure.runtime_release.clone(),
                ..DoneMetadata::default()
            },
        }
    }
}

fn dimensions(mode: InvokeResponseMode) -> DoneMetadataMetricsDimensions {
    DoneMetadataMetricsDimensions { invoke_response_mode: Some(mode) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RequestId;
    use crate::mode::ResponseMode;

    #[test]
    fn dimensions_print_in_lower_case_and_only_when_known() {
        assert_eq!(DoneMetadataMetricsDimensions::default().to_string(), "");
        let streaming = dimensions(InvokeResponseMode(ResponseMode::Streaming));
        assert_eq!(streaming.to_string(), "invoke_response_mode=streaming");
    }

    #[test]
    fn a_success_hands_its_measurements_to_done() {
        let success = InvokeSuccess {
            id: RequestId::parse("a").unwrap(),
            extensions: ActiveExtensions::of(["agent"]),
            runtime_release: "python".into(),
            invoke_completion_time: Duration::from_millis(3),
            invoke_received_time: Mono::from_nanos(7),
            invoke_metrics: InvokeMetrics { request_size: 2, ..InvokeMetrics::default() },
            response_metrics: ResponseMetrics::default(),
            invoke_response_mode: InvokeResponseMode::default(),
        };
        let done = Done::from(&success);
        assert_eq!(done.meta.invoke_received_time, Some(Mono::from_nanos(7)));
        assert_eq!(done.meta.invoke_metrics.request_size, 2);
        assert_eq!(done.meta.extensions.names, "agent");
        assert_eq!(done.meta.metrics_dimensions.to_string(), "invoke_response_mode=buffered");
    }
}
