//! [`InvokeResponseMetrics`]: how a response came in.

use std::time::Duration;

use rapid_interop::{FunctionResponseMode, Mono, ResponseMode};

/// How a runtime's response, or its error report, came in.
///
/// # Source
/// Interop types, "InvokeResponseMetrics"; Lifecycle, "Metrics and spans".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvokeResponseMetrics {
    /// When its first byte arrived (`StartReadingResponseMonoTimeMs`).
    pub start_reading_response: Mono,
    /// When its last byte arrived (`FinishReadingResponseMonoTimeMs`).
    pub finish_reading_response: Mono,
    /// How long it was held back to keep to a bandwidth; `None` when it was buffered
    /// (`TimeShapedNs`).
    pub time_shaped: Option<Duration>,
    /// Its bytes.
    pub produced_bytes: u64,
    /// Its bytes a second; `None` when it was buffered, and when nobody knows
    /// (`OutboundThroughputBps`).
    pub outbound_throughput: Option<u64>,
    /// How the runtime sent it.
    pub function_response_mode: FunctionResponseMode,
    /// Whether it is a response and not an error report.
    pub runtime_called_response: bool,
}

impl InvokeResponseMetrics {
    /// The same for a response that was read from `start` to `finish`, and how much of a streamed
    /// one came in a second.
    #[must_use]
    pub fn between(self, start: Mono, finish: Mono) -> Self {
        let millis = u64::try_from(finish.since(start).as_millis()).unwrap_or(u64::MAX);
        let per_milli = self.produced_bytes.checked_div(millis);
        let throughput = per_milli.map(|bytes| bytes.saturating_mul(1000));
        Self {
            start_reading_response: start,
            finish_reading_response: finish,
            outbound_throughput: throughput.filter(|_| is_response_streaming_metrics(Some(&self))),
            ..self
        }
    }
}

/// Whether these are metrics of a streamed response; not if there are none.
#[must_use]
pub fn is_response_streaming_metrics(metrics: Option<&InvokeResponseMetrics>) -> bool {
    metrics.is_some_and(|metrics| {
        metrics.function_response_mode == FunctionResponseMode(ResponseMode::Streaming)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_throughput_of_a_stream_is_that_of_whole_milliseconds() {
        let after = |micros| Mono::default() + Duration::from_micros(micros);
        let function_response_mode = FunctionResponseMode(ResponseMode::Streaming);
        let buffered =
            InvokeResponseMetrics { produced_bytes: 10_007, ..InvokeResponseMetrics::default() };
        let streamed = InvokeResponseMetrics { function_response_mode, ..buffered };
        for (finish, expected) in [(999, None), (1000, Some(10_007_000)), (2999, Some(5_003_000))] {
            let metrics = streamed.between(after(0), after(finish));
            assert_eq!(metrics.outbound_throughput, expected, "{finish}");
            assert_eq!(metrics.finish_reading_response, after(finish));
            assert_eq!(buffered.between(after(0), after(finish)).outbound_throughput, None);
        }
    }

    #[test]
    fn only_metrics_of_a_stream_are_streaming_metrics() {
        let buffered = InvokeResponseMetrics::default();
        let function_response_mode = FunctionResponseMode(ResponseMode::Streaming);
        let streamed = InvokeResponseMetrics { function_response_mode, ..buffered };
        assert!(!is_response_streaming_metrics(None));
        assert!(!is_response_streaming_metrics(Some(&buffered)));
        assert!(is_response_streaming_metrics(Some(&streamed)));
    }
}
