//! [`Span`]: the parts of an invocation's time, and how they are worked out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rapid_interop::{EpochMillis, Mono};
use serde::{Deserialize, Serialize};

use crate::InvokeResponseMetrics;
use crate::wire;

/// A part of an invocation's time.
///
/// # Source
/// Telemetry API, "Platform records"; Lifecycle, "Metrics and spans".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Which part.
    pub name: SpanName,
    /// When it began.
    #[serde(with = "wire::time")]
    pub start: EpochMillis,
    /// How long it took, to the microsecond.
    #[serde(rename = "durationMs", with = "wire::millis")]
    pub duration: Duration,
}

/// The parts that are told apart, in the order in which they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SpanName {
    /// From the hand-over of the event to the first byte of the response.
    ResponseLatency,
    /// From the first byte of the response to the last.
    ResponseDuration,
    /// From the last byte of the response to the runtime's next call.
    RuntimeOverhead,
    /// From the runtime's next call to the last extension's.
    ExtensionOverhead,
}

impl SpanName {
    /// The value of `name`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResponseLatency => "responseLatency",
            Self::ResponseDuration => "responseDuration",
            Self::RuntimeOverhead => "runtimeOverhead",
            Self::ExtensionOverhead => "extensionOverhead",
        }
    }
}

impl Span {
    /// The span between two instants; empty if they come in the wrong order.
    #[must_use]
    pub fn between(name: SpanName, anchor: Anchor, start: Mono, end: Mono) -> Self {
        Self { name, start: anchor.epoch(start), duration: end.since(start) }
    }
}

/// What a monotonic and a wall clock showed at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    mono: Mono,
    wall: Duration,
}

impl Anchor {
    /// The two readings, which should have been taken back to back.
    #[must_use]
    pub fn new(mono: Mono, wall: SystemTime) -> Self {
        Self { mono, wall: wall.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// What the wall clock shows, or showed, at `at`.
    ///
    /// # Source
    /// Lifecycle, "Time".
    #[must_use]
    pub fn epoch(self, at: Mono) -> EpochMillis {
        let wall = (self.wall + at.since(self.mono)).saturating_sub(self.mono.since(at));
        EpochMillis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The spans of `platform.runtimeDone`, for an event that was handed over at `runtime_started`:
/// none unless the runtime has called `/response`, without the overhead unless it has also come
/// back, at `runtime_ready`.
///
/// # Source
/// Lifecycle, "Metrics and spans"; Telemetry API, "Platform records". The seed calls it
/// `GetRuntimeDoneSpans`.
#[must_use]
pub fn runtime_done_spans(
    anchor: Anchor,
    runtime_started: Option<Mono>,
    response: Option<&InvokeResponseMetrics>,
    runtime_ready: Option<Mono>,
) -> Vec<Span> {
    let called = response.filter(|response| response.runtime_called_response);
    let (Some(started), Some(response)) = (runtime_started, called) else {
        return Vec::new();
    };
    let (first, last) = (response.start_reading_response, response.finish_reading_response);
    let mut spans = vec![
        Span::between(SpanName::ResponseLatency, anchor, started, first),
        Span::between(SpanName::ResponseDuration, anchor, first, last),
    ];
    spans.extend(
        runtime_ready.map(|ready| Span::between(SpanName::RuntimeOverhead, anchor, last, ready)),
    );
    spans
}

/// The span of `platform.report`: how long extensions kept the invocation from ending.
///
/// # Source
/// Lifecycle, "Metrics and spans".
#[must_use]
pub fn extension_overhead(anchor: Anchor, runtime_done: Mono, extensions_ready: Mono) -> Span {
    Span::between(SpanName::ExtensionOverhead, anchor, runtime_done, extensions_ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: u64 = 1000;
    const MILLI: u64 = 1000 * MICRO;

    fn mono(nanos: u64) -> Mono {
        Mono::from_nanos(nanos)
    }

    /// 10 ms after the monotonic clock's origin it was 1,000,000 ms after the epoch.
    fn anchor() -> Anchor {
        Anchor::new(mono(10 * MILLI), UNIX_EPOCH + Duration::from_millis(1_000_000))
    }

    fn response() -> InvokeResponseMetrics {
        InvokeResponseMetrics {
            start_reading_response: mono(25 * MILLI + 999),
            finish_reading_response: mono(27 * MILLI + 1999),
            runtime_called_response: true,
            ..InvokeResponseMetrics::default()
        }
    }

    #[test]
    fn an_anchor_tells_the_wall_time_before_and_after_it() {
        assert_eq!(anchor().epoch(mono(0)), EpochMillis(999_990));
        assert_eq!(anchor().epoch(mono(10 * MILLI)), EpochMillis(1_000_000));
        assert_eq!(anchor().epoch(mono(12 * MILLI + 999 * MICRO)), EpochMillis(1_000_002));
        let early = Anchor::new(mono(10 * MILLI), UNIX_EPOCH);
        assert_eq!(early.epoch(mono(0)), EpochMillis(0));
    }

    #[test]
    fn a_response_has_three_spans_that_follow_each_other() {
        let spans = runtime_done_spans(
            anchor(),
            Some(mono(20 * MILLI)),
            Some(&response()),
            Some(mono(30 * MILLI)),
        );
        assert_eq!(
            serde_json::to_string(&spans).unwrap(),
            r#"[{"name":"responseLatency","start":"1970-01-01T00:16:40.010Z","durationMs":5.0},{"name":"responseDuration","start":"1970-01-01T00:16:40.015Z","durationMs":2.001},{"name":"runtimeOverhead","start":"1970-01-01T00:16:40.017Z","durationMs":2.998}]"#
        );
    }

    #[test]
    fn without_a_next_call_there_is_no_overhead() {
        let spans = runtime_done_spans(anchor(), Some(mono(0)), Some(&response()), None);
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["responseLatency", "responseDuration"]);
    }

    #[test]
    fn without_a_response_there_are_no_spans() {
        let (started, ready) = (Some(mono(0)), Some(mono(1)));
        let posted_error = InvokeResponseMetrics { runtime_called_response: false, ..response() };
        assert_eq!(runtime_done_spans(anchor(), started, Some(&posted_error), ready), []);
        assert_eq!(runtime_done_spans(anchor(), started, None, ready), []);
        assert_eq!(runtime_done_spans(anchor(), None, Some(&response()), ready), []);
    }

    #[test]
    fn extensions_are_counted_from_the_end_of_the_runtime() {
        let span = extension_overhead(anchor(), mono(30 * MILLI), mono(42 * MILLI + 500 * MICRO));
        assert_eq!(
            serde_json::to_string(&span).unwrap(),
            r#"{"name":"extensionOverhead","start":"1970-01-01T00:16:40.020Z","durationMs":12.5}"#
        );
    }

    #[test]
    fn names_are_the_same_in_text_and_json() {
        for name in [
            SpanName::ResponseLatency,
            SpanName::ResponseDuration,
            SpanName::RuntimeOverhead,
            SpanName::ExtensionOverhead,
        ] {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }
}
