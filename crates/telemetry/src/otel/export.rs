//! [`Exporter`]: the task that makes spans and measures of the queue and sends them on.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderMap, Uri};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::client::PlainHttp;
use super::config::{OtelConfig, OtelError, OtelFunction};
use super::measures::{Measure, Measures};
use super::recorder::Recorder;
use super::{Counts, Message};

/// A batch of so many spans does not wait for more.
const BATCH: usize = 512;
/// So many spans are kept while an export goes on.
const MAX_SPANS: usize = 2048;

/// Owns the recorder, the instruments and the exporters.
pub(super) struct Exporter {
    recorder: Recorder,
    measures: Measures,
    /// What is due by itself may be tried several times.
    patient: Signals,
    /// Whoever waits for a flush waits for one attempt.
    hurried: Signals,
    schedule_delay: Duration,
    metric_interval: Duration,
    counts: Arc<Counts>,
    spans: Vec<SpanData>,
    spans_due: Option<Instant>,
    metrics_due: Option<Instant>,
    /// Where the collector is, for people.
    collector: String,
    /// Whether it was said that the collector takes nothing; that is said once.
    complained: bool,
}

/// What sends each signal, if it is sent.
struct Signals {
    traces: Option<Arc<SpanExporter>>,
    metrics: Option<Arc<MetricExporter>>,
}

/// An export under way.
type Export = Pin<Box<dyn Future<Output = OTelSdkResult> + Send>>;

impl Exporter {
    pub(super) fn new(config: &OtelConfig, counts: Arc<Counts>) -> Result<Self, OtelError> {
        let resource = resource(config);
        let collector = config.traces.as_ref().or(config.metrics.as_ref());
        Ok(Self {
            recorder: Recorder::new(config.function.name.clone(), config.new_traces),
            patient: Signals::new(config, &resource, &RetryPolicy::recommended())?,
            hurried: Signals::new(config, &resource, &RetryPolicy::disabled())?,
            measures: Measures::new(resource),
            schedule_delay: config.schedule_delay,
            metric_interval: config.metric_interval,
            counts,
            spans: Vec::new(),
            spans_due: None,
            metrics_due: None,
            collector: collector.map(ToString::to_string).unwrap_or_default(),
            complained: false,
        })
    }

    /// Works until nobody can tell it anything any more; then exports what is left.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut export: Option<Export> = None;
        loop {
            let due = if export.is_none() { self.due() } else { None };
            tokio::select! {
                // However much happens, what is due goes out.
                biased;
                result = finished(&mut export) => {
                    export = None;
                    self.count(&result);
                }
                () = reached(due) => export = self.next_export(Instant::now()),
                message = messages.recv() => match message {
                    Some(Message::Happened(at, happening)) => {
                        let measure = self.recorder.observe(happening, at, &mut self.spans);
                        self.take_in(measure.as_ref());
                    }
                    Some(Message::Flush(done)) => {
                        self.flush(export.take()).await;
                        // Whoever has given up waiting does not want to know.
                        let _ = done.send(());
                    }
                    None => {
                        self.flush(export.take()).await;
                        return;
                    }
                },
            }
        }
    }

    /// Adds up what there is to measure, keeps the spans bounded, and begins to count the time that
    /// both wait.
    fn take_in(&mut self, measure: Option<&Measure>) {
        if let Some(measure) = measure {
            self.measures.add(measure);
            self.metrics_due.get_or_insert_with(|| Instant::now() + self.metric_interval);
        }
        if self.patient.traces.is_none() {
            self.spans.clear();
        }
        let surplus = self.spans.len().saturating_sub(MAX_SPANS);
        self.spans.truncate(MAX_SPANS);
        self.counts.dropped_spans.fetch_add(surplus as u64, Ordering::Relaxed);
        if !self.spans.is_empty() {
            self.spans_due.get_or_insert_with(|| Instant::now() + self.schedule_delay);
        }
    }

    /// When something has to be exported; `None` if there is nothing.
    fn due(&self) -> Option<Instant> {
        if self.spans.len() >= BATCH {
            return Some(Instant::now());
        }
        [self.spans_due, self.metrics_due].into_iter().flatten().min()
    }

    /// The export that is due by now.
    fn next_export(&mut self, now: Instant) -> Option<Export> {
        if self.spans.len() >= BATCH || self.spans_due.is_some_and(|due| due <= now) {
            return self.export_spans(self.patient.traces.clone());
        }
        if self.metrics_due.is_some_and(|due| due <= now) {
            return self.export_metrics(self.patient.metrics.clone());
        }
        None
    }

    fn export_spans(&mut self, exporter: Option<Arc<SpanExporter>>) -> Option<Export> {
        self.spans_due = None;
        let batch = std::mem::take(&mut self.spans);
        let exporter = exporter.filter(|_| !batch.is_empty())?;
        Some(Box::pin(async move { exporter.export(batch).await }))
    }

    fn export_metrics(&mut self, exporter: Option<Arc<MetricExporter>>) -> Option<Export> {
        self.metrics_due.take()?;
        let exporter = exporter?;
        let metrics = self.measures.collect()?;
        Some(Box::pin(async move { exporter.export(&metrics).await }))
    }

    /// Exports everything, after the export that is under way.
    async fn flush(&mut self, under_way: Option<Export>) {
        if let Some(export) = under_way {
            self.count(&export.await);
        }
        // Both together: a slow collector of one signal does not use up the other's time.
        let spans = self.export_spans(self.hurried.traces.clone());
        let metrics = self.export_metrics(self.hurried.metrics.clone());
        let results = tokio::join!(completed(spans), completed(metrics));
        self.count(&results.0);
        self.count(&results.1);
    }

    fn count(&mut self, result: &OTelSdkResult) {
        let Err(error) = result else { return };
        self.counts.failed_exports.fetch_add(1, Ordering::Relaxed);
        if std::mem::replace(&mut self.complained, true) {
            tracing::debug!(%error, "an export to the OpenTelemetry collector failed");
        } else {
            tracing::warn!(
                "the OpenTelemetry collector at {} does not take what is sent: {error}; no \
                 invocation waits for it, and this is said only once",
                self.collector
            );
        }
    }
}

impl Signals {
    fn new(
        config: &OtelConfig,
        resource: &Resource,
        retries: &RetryPolicy,
    ) -> Result<Self, ExporterBuildError> {
        let traces = config.traces.as_ref().map(|endpoint| {
            let builder = SpanExporter::builder().with_http();
            let mut exporter =
                sending_to(endpoint, &config.trace_headers, builder, config, retries).build()?;
            exporter.set_resource(resource);
            Ok(Arc::new(exporter))
        });
        let metrics = config.metrics.as_ref().map(|endpoint| {
            let builder = MetricExporter::builder().with_http();
            let builder = sending_to(endpoint, &config.metric_headers, builder, config, retries);
            builder.build().map(Arc::new)
        });
        Ok(Self { traces: traces.transpose()?, metrics: metrics.transpose()? })
    }
}

fn sending_to<B: WithExportConfig + WithHttpConfig>(
    endpoint: &Uri,
    headers: &HeaderMap,
    builder: B,
    config: &OtelConfig,
    retries: &RetryPolicy,
) -> B {
    builder
        .with_endpoint(endpoint.to_string())
        .with_retry_policy(retries.clone())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(config.timeout)
        .with_http_client(PlainHttp::new(headers, config.timeout))
}

/// What every span and metric belongs to. What the operator says beats what is known.
fn resource(config: &OtelConfig) -> Resource {
    let OtelFunction { name, version, arn, instance, memory } = &config.function;
    let part = |index| arn.split(':').nth(index).unwrap_or_default().to_owned();
    let texts = [
        ("service.name", name.clone()),
        ("faas.name", name.clone()),
        ("faas.version", version.clone()),
        ("faas.instance", instance.clone()),
        ("cloud.resource_id", arn.clone()),
        ("cloud.region", part(3)),
        ("cloud.account.id", part(4)),
    ];
    let known = texts.into_iter().filter(|(_, value)| !value.is_empty());
    let attributes = known.map(|(key, value)| KeyValue::new(key, value));
    let said = config.attributes.iter().cloned();
    let resource = Resource::builder_empty()
        .with_attributes(attributes)
        .with_attribute(KeyValue::new("cloud.provider", "aws"))
        .with_attribute(KeyValue::new("cloud.platform", "aws_lambda"))
        .with_attribute(KeyValue::new(
            "faas.max_memory",
            i64::try_from(*memory).unwrap_or(i64::MAX),
        ))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(said.map(|(key, value)| KeyValue::new(key, value)));
    match &config.service_name {
        Some(service) => resource.with_service_name(service.clone()).build(),
        None => resource.build(),
    }
}

/// Waits for the export under way; for ever, if there is none.
async fn finished(export: &mut Option<Export>) -> OTelSdkResult {
    match export {
        Some(export) => export.await,
        None => pending().await,
    }
}

async fn completed(export: Option<Export>) -> OTelSdkResult {
    match export {
        Some(export) => export.await,
        None => Ok(()),
    }
}

/// Waits until then; for ever, if there is no such time.
async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
