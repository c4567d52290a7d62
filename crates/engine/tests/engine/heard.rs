//! [`Heard`]: every event of the platform and what processes write, one a line.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rapid_events::{
    Anchor, EndData, Event, EventsApi, ExtensionInitData, FaultData, Flush, InitReportData,
    InitRuntimeDoneData, InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, Record, ReportData, Schema, Span, Status, TracingCtx,
};
use rapid_fatal_error::ErrorType;
use rapid_interop::{EpochMillis, Mono, RequestId};

/// Writes down what it is told, with times in milliseconds of the tests' own clock.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    tracing: Vec<Option<TracingCtx>>,
    runtime_done: Vec<InvokeRuntimeDoneData>,
    /// When the first span of the last invocation began.
    origin: u64,
    /// There is something to flush.
    passes_on: bool,
}

impl Heard {
    /// The lines since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().lines)
    }

    pub(crate) fn pass_on(&self) {
        self.0.lock().unwrap().passes_on = true;
    }

    pub(crate) fn is_over(&self, id: &str) -> bool {
        let report = format!("report {id} ");
        self.0.lock().unwrap().lines.iter().any(|line| line.starts_with(&report))
    }

    /// The traces of the invocations' events, in order.
    pub(crate) fn tracing(&self) -> Vec<Option<TracingCtx>> {
        self.0.lock().unwrap().tracing.clone()
    }

    pub(crate) fn runtime_done(&self) -> Vec<InvokeRuntimeDoneData> {
        self.0.lock().unwrap().runtime_done.clone()
    }

    pub(crate) fn note(&self, line: String) {
        self.0.lock().unwrap().lines.push(line);
    }

    fn trace(&self, tracing: &Option<TracingCtx>) {
        self.0.lock().unwrap().tracing.push(tracing.clone());
    }

    /// `name begin+duration`, the beginning as seen from the first one of the invocation.
    fn spans(&self, spans: &[Span]) -> String {
        let mut notes = self.0.lock().unwrap();
        if spans.len() > 1 {
            notes.origin = spans[0].start.0;
        }
        let origin = notes.origin;
        let written = spans.iter().map(|span| {
            let start = span.start.0 - origin;
            format!(" {} {start}+{}", span.name.as_str(), span.duration.as_millis())
        });
        written.collect()
    }
}

fn ended(status: Status, error_type: Option<&ErrorType>) -> String {
    let error_type = error_type.map_or(String::new(), |error_type| format!(" {error_type}"));
    format!("{}{error_type}", status.as_str())
}

fn took(status: Status, error_type: Option<&ErrorType>, duration: Duration) -> String {
    format!("{} {} ms", ended(status, error_type), duration.as_millis())
}

impl EventsApi for Heard {
    fn set_current_request_id(&self, id: &RequestId) {
        self.note(format!("now {id}"));
    }

    fn send_init_start(&self, data: &InitStartData) {
        self.note(format!("initStart {}", data.phase.as_str()));
    }

    fn send_init_runtime_done(&self, data: &InitRuntimeDoneData) {
        let how = ended(data.status, data.error_type.as_ref());
        self.note(format!("initRuntimeDone {} {how}", data.phase.as_str()));
    }

    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.note(format!("extension {} {}", data.name, data.state));
    }

    fn send_init_report(&self, data: &InitReportData) {
        let how = took(data.status.unwrap(), data.error_type.as_ref(), data.metrics.duration);
        self.note(format!("initReport {} {how}", data.phase.as_str()));
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.note(format!("start {}", data.request_id));
        self.trace(&data.tracing);
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        let metrics = data.metrics.unwrap();
        let how = took(data.status, data.error_type.as_ref(), metrics.duration);
        let spans = self.spans(&data.spans);
        let (id, bytes) = (&data.request_id, metrics.produced_bytes);
        self.note(format!("runtimeDone {id} {how}, {bytes} bytes{spans}"));
        self.trace(&data.tracing);
        self.0.lock().unwrap().runtime_done.push(data.clone());
    }

    fn send_extension_done(&self, id: &RequestId, extension: &str) {
        self.note(format!("extension {extension} done with {id}"));
    }

    fn send_report_span(&self, span: &Span) {
        let span = self.spans(std::slice::from_ref(span));
        self.note(format!("span{span}"));
    }

    /// As subscribers of the Logs API get it.
    fn send_fault(&self, data: &FaultData) {
        let event = Event::platform(EpochMillis(0), data.clone());
        assert!(matches!(event.record, Record::Platform(_)));
        let json = event.encode(Schema::Logs20210318).unwrap();
        let json = String::from_utf8(json.to_vec()).unwrap();
        let begin = r#"{"time":"1970-01-01T00:00:00.000Z","type":"platform.fault","record":"#;
        self.note(format!("fault {}", json.strip_prefix(begin).unwrap().trim_end_matches('}')));
    }

    fn send_end(&self, data: &EndData) {
        self.note(format!("end {}", data.request_id));
    }

    fn send_report(&self, data: &ReportData) {
        let status = data.status.unwrap();
        let how = took(status, data.error_type.as_ref(), data.metrics.duration);
        let spans = self.spans(&data.spans);
        self.note(format!("report {} {how}{spans}", data.request_id));
        self.trace(&data.tracing);
    }

    /// Takes as long as it may, if it is one that has something to pass on.
    fn flush(&self, budget: Duration) -> Option<Flush> {
        if !self.0.lock().unwrap().passes_on {
            return None;
        }
        let heard = self.clone();
        heard.note("flush".to_owned());
        Some(Box::pin(async move {
            tokio::time::sleep(budget).await;
            heard.note(format!("flushed after {} ms", budget.as_millis()));
        }))
    }

    fn fetch_tail_logs(&self, id: &RequestId) -> Option<Bytes> {
        Some(format!("log of {id}").into())
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        rapid_events::runtime_done_spans(anchor, runtime_started, response, runtime_ready)
    }
}
