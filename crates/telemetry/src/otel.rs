//! [`OtelEvents`]: traces and metrics for an OpenTelemetry collector.
//!
//! Platform events become spans and metrics after the conventions for functions as a service, and go
//! to a collector with OTLP over HTTP, in batches. It is switched on by naming a collector in
//! `OTEL_EXPORTER_OTLP_ENDPOINT`; otherwise [`OtelConfig::from_variables`] gives nothing, and there
//! is no task, no connection and no memory taken.
//!
//! An event costs its sender a place in a bounded queue and never a wait. One task makes spans and
//! measures of the queue; while it exports, it goes on emptying the queue. What does not fit is left
//! out and counted. Nothing wakes up when nothing happens.
//!
//! - `config`: what the variables say; `pairs`: lists in them.
//! - `recorder`: events in, spans and measures out; no clock, no socket.
//! - `span`: what a span says of an initialisation or an invocation.
//! - `measures`: the instruments.
//! - `client`: HTTP without TLS.
//! - `export`: the task.
//!
//! # Source
//! OpenTelemetry, "Semantic conventions for FaaS spans", "Semantic conventions for FaaS metrics",
//! "Instrumenting AWS Lambda", "OTLP Exporter Configuration".

mod client;
mod config;
mod export;
mod measures;
mod pairs;
mod recorder;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rapid_events::{
    Anchor, EventsApi, ExtensionInitData, InitReportData, InitRuntimeDoneData, InitStartData,
    InvokeResponseMetrics, InvokeRuntimeDoneData, InvokeStartData, ReportData,
    RestoreRuntimeDoneData, Span, runtime_done_spans,
};
use rapid_interop::{InvokeErrorTraceData, Mono, RequestId};
use tokio::sync::{mpsc, oneshot};

pub use self::config::{OtelConfig, OtelError, OtelFunction};
use self::export::Exporter;
use self::recorder::Happening;

/// How many events wait at most to become spans and measures.
const MAX_QUEUE: usize = 4096;

/// Makes spans and metrics of platform events. Clones share one task, which ends with the last.
#[derive(Clone, Debug)]
pub struct OtelEvents {
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

/// What the task is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every message is of the large kind")]
enum Message {
    Happened(SystemTime, Happening),
    /// Export everything; answer when that is over.
    Flush(oneshot::Sender<()>),
}

/// What was left out, and what was not taken.
#[derive(Debug, Default)]
struct Counts {
    dropped_events: AtomicU64,
    dropped_spans: AtomicU64,
    failed_exports: AtomicU64,
}

impl OtelEvents {
    /// Starts the task, on the tokio runtime that calls this.
    ///
    /// # Errors
    /// [`OtelError`] when an exporter cannot be made of the configuration.
    pub fn start(config: &OtelConfig) -> Result<Self, OtelError> {
        let (queue, messages) = mpsc::channel(MAX_QUEUE);
        let counts = Arc::new(Counts::default());
        let exporter = Exporter::new(config, Arc::clone(&counts))?;
        tokio::spawn(exporter.run(messages));
        Ok(Self { queue, counts })
    }

    /// Exports everything that has happened, and waits for that at most this long.
    ///
    /// Returns whether that was long enough; the collector may have refused it all the same.
    ///
    /// # Cancel safety
    /// Dropping the future gives up waiting, not exporting.
    pub async fn flush(&self, budget: Duration) -> bool {
        let (done, flushed) = oneshot::channel();
        let flush =
            async { self.queue.send(Message::Flush(done)).await.is_ok() && flushed.await.is_ok() };
        tokio::time::timeout(budget, flush).await.unwrap_or(false)
    }

    /// How many events and spans were left out because there were too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.counts.dropped_events.load(Ordering::Relaxed)
            + self.counts.dropped_spans.load(Ordering::Relaxed)
    }

    /// How many exports the collector did not take.
    #[must_use]
    pub fn failed_exports(&self) -> u64 {
        self.counts.failed_exports.load(Ordering::Relaxed)
    }

    fn happened(&self, happening: Happening) {
        let message = Message::Happened(SystemTime::now(), happening);
        if self.queue.try_send(message).is_err() {
            self.counts.dropped_events.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// [`EventsApi::flush`] is left out on purpose: whoever resets an environment is not to wait for the
/// collector. Whoever ends one calls [`OtelEvents::flush`].
impl EventsApi for OtelEvents {
    fn send_throttle(&self, _id: &RequestId) {
        self.happened(Happening::Throttled);
    }

    fn send_init_start(&self, _data: &InitStartData) {
        self.happened(Happening::InitStart);
    }

    fn send_init_runtime_done(&self, data: &InitRuntimeDoneData) {
        self.happened(Happening::InitRuntimeDone(data.clone()));
    }

    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.happened(Happening::Extension(data.clone()));
    }

    fn send_init_report(&self, data: &InitReportData) {
        self.happened(Happening::InitReport(data.clone()));
    }

    fn send_restore_runtime_done(&self, data: &RestoreRuntimeDoneData) {
        self.happened(Happening::RestoreRuntimeDone(data.clone()));
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.happened(Happening::Start(data.clone()));
    }

    fn send_error_cause(&self, id: &RequestId, trace: &InvokeErrorTraceData) {
        if let Some(cause) = trace.error_cause.clone() {
            self.happened(Happening::ErrorCause(id.clone(), cause));
        }
    }

    fn send_extension_done(&self, id: &RequestId, extension: &str) {
        self.happened(Happening::ExtensionDone(id.clone(), extension.into()));
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        self.happened(Happening::RuntimeDone(data.clone()));
    }

    fn send_report(&self, data: &ReportData) {
        self.happened(Happening::Report(data.clone()));
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        runtime_done_spans(anchor, runtime_started, response, runtime_ready)
    }
}
