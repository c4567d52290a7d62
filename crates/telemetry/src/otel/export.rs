//! [`Exporter`]: the task that makes spans and measures of the queue and sends them on.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
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
    traces: Option<Arc<SpanExporter>>,
    metrics: Option<Arc<MetricExporter>>,
    schedule_delay: Duration,
    metric_interval: Duration,
    counts: Arc<Counts>,
    spans: Vec<SpanData>,
    spans_due: Option<Instant>,
    metrics_due: Option<Instant>,
}

/// An export under way.
type Export = Pin<Box<dyn Future<Output = OTelSdkResult> + Send>>;

impl Exporter {
    pub(super) fn new(config: &OtelConfig, counts: Arc<Counts>) -> Result<Self, OtelError> {
        let resource = resource(config);
        let traces = config.traces.as_ref().map(|endpoint| {
            let builder = SpanExporter::builder().with_http();
            let mut exporter = with_endpoint(builder, config, &endpoint.to_string()).build()?;
            exporter.set_resource(&resource);
            Ok::<_, ExporterBuildError>(Arc::new(exporter))
        });
        let metrics = config.metrics.as_ref().map(|endpoint| {
            let builder = MetricExporter::builder().with_http();
            let exporter = with_endpoint(builder, config, &endpoint.to_string()).build()?;
            Ok::<_, ExporterBuildError>(Arc::new(exporter))
        });
        Ok(Self {
            recorder: Recorder::new(config.function.name.clone(), config.new_traces),
            measures: Measures::new(resource),
            traces: traces.transpose()?,
            metrics: metrics.transpose()?,
            schedule_delay: config.schedule_delay,
            metric_interval: config.metric_interval,
            counts,
            spans: Vec::new(),
            spans_due: None,
            metrics_due: None,
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
        if self.traces.is_none() {
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
            return self.export_spans();
        }
        if self.metrics_due.is_some_and(|due| due <= now) {
            return self.export_metrics();
        }
        None
    }

    fn export_spans(&mut self) -> Option<Export> {
        self.spans_due = None;
        let batch = std::mem::take(&mut self.spans);
        let exporter = self.traces.clone().filter(|_| !batch.is_empty())?;
        Some(Box::pin(async move { exporter.export(batch).await }))
    }

    fn export_metrics(&mut self) -> Option<Export> {
        self.metrics_due.take()?;
        let exporter = self.metrics.clone()?;
        let metrics = self.measures.collect()?;
        Some(Box::pin(async move { exporter.export(&metrics).await }))
    }

    /// Exports everything, after the export that is under way.
    async fn flush(&mut self, under_way: Option<Export>) {
        if let Some(export) = under_way {
            self.count(&export.await);
        }
        // Both together: a slow collector of one signal does not use up the other's time.
        let (spans, metrics) = (self.export_spans(), self.export_metrics());
        let results = tokio::join!(completed(spans), completed(metrics));
        self.count(&results.0);
        self.count(&results.1);
    }

    fn count(&self, result: &OTelSdkResult) {
        if let Err(error) = result {
            tracing::warn!(%error, "an export to the OpenTelemetry collector failed");
            self.counts.failed_exports.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn with_endpoint<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    config: &OtelConfig,
    endpoint: &str,
) -> B {
    builder
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(config.timeout)
        .with_http_client(PlainHttp { timeout: config.timeout })
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
    let resource = Resource::builder_empty()
        .with_attributes(attributes)
        .with_attribute(KeyValue::new("cloud.provider", "aws"))
        .with_attribute(KeyValue::new("cloud.platform", "aws_lambda"))
        .with_attribute(KeyValue::new(
            "faas.max_memory",
            i64::try_from(*memory).unwrap_or(i64::MAX),
        ))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
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
