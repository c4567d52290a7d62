//! [`Measures`]: the instruments, after the conventions for functions as a service.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality,
};

use super::span::{ERROR_TYPE, scope};

/// The boundaries that the conventions ask for, in seconds.
const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const MIB: f64 = 1024.0 * 1024.0;
/// Boundaries for memory: those of the specification are for milliseconds.
const BYTES: [f64; 9] = [
    16.0 * MIB,
    32.0 * MIB,
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1024.0 * MIB,
    2048.0 * MIB,
    4096.0 * MIB,
];

/// Something that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// An initialisation ended.
    Init(Duration),
    /// An invocation ended.
    Invocation { outcome: Outcome, duration: Duration, is_cold: bool, max_memory: Option<u64> },
    /// An invocation was refused.
    Throttle,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Timeout,
    /// With the type of the error.
    Error(String),
}

/// Adds measures up until they are collected.
#[derive(Debug)]
pub(super) struct Measures {
    reader: Arc<ManualReader>,
    /// The instruments work as long as it lives.
    _provider: SdkMeterProvider,
    invocations: Counter<u64>,
    errors: Counter<u64>,
    timeouts: Counter<u64>,
    coldstarts: Counter<u64>,
    throttles: Counter<u64>,
    invoke_duration: Histogram<f64>,
    init_duration: Histogram<f64>,
    mem_usage: Histogram<u64>,
}

impl Measures {
    pub(super) fn new(resource: Resource) -> Self {
        let reader = Arc::new(ManualReader::builder().build());
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(SharedReader(Arc::clone(&reader)))
            .build();
        let meter = provider.meter_with_scope(scope());
        let counter = |name, unit, description| {
            meter.u64_counter(name).with_unit(unit).with_description(description).build()
        };
        let seconds = |name, description| {
            let histogram = meter.f64_histogram(name).with_unit("s");
            histogram.with_boundaries(SECONDS.into()).with_description(description).build()
        };
        Self {
            invocations: counter(
                "faas.invocations",
                "{invocation}",
                "Number of successful invocations.",
            ),
            errors: counter("faas.errors", "{error}", "Number of invocation errors."),
            timeouts: counter("faas.timeouts", "{timeout}", "Number of invocation timeouts."),
            coldstarts: counter(
                "faas.coldstarts",
                "{coldstart}",
                "Number of invocation cold starts.",
            ),
            throttles: counter(
                "rapid.throttles",
                "{throttle}",
                "Number of invocations that were refused because nothing was free to run them.",
            ),
            invoke_duration: seconds(
                "faas.invoke_duration",
                "Measures the duration of the function's logic execution.",
            ),
            init_duration: seconds(
                "faas.init_duration",
                "Measures the duration of the function's initialization, such as a cold start.",
            ),
            mem_usage: meter
                .u64_histogram("faas.mem_usage")
                .with_unit("By")
                .with_boundaries(BYTES.into())
                .with_description("Distribution of max memory usage per invocation.")
                .build(),
            reader,
            _provider: provider,
        }
    }

    pub(super) fn add(&self, measure: &Measure) {
        match measure {
            Measure::Throttle => self.throttles.add(1, &[]),
            Measure::Init(duration) => self.init_duration.record(duration.as_secs_f64(), &[]),
            Measure::Invocation { outcome, duration, is_cold, max_memory } => {
                match outcome {
                    Outcome::Success => self.invocations.add(1, &[]),
                    Outcome::Timeout => self.timeouts.add(1, &[]),
                    Outcome::Error(kind) => {
                        self.errors.add(1, &[KeyValue::new(ERROR_TYPE, kind.clone())]);
                    }
                }
                self.invoke_duration.record(duration.as_secs_f64(), &[]);
                if *is_cold {
                    self.coldstarts.add(1, &[]);
                }
                if let Some(bytes) = max_memory {
                    self.mem_usage.record(*bytes, &[]);
                }
            }
        }
    }

    /// Everything since the start.
    pub(super) fn collect(&self) -> Option<ResourceMetrics> {
        let mut metrics = ResourceMetrics::default();
        self.reader.collect(&mut metrics).ok().map(|()| metrics)
    }
}

/// A reader that the provider and the collecting side have in common.
#[derive(Debug)]
struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
