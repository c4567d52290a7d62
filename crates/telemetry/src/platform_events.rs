//! What the engine tells of, published to subscribers.

use std::time::Duration;

use rapid_events::{
    Anchor, EndData, Event, EventsApi, ExtensionInitData, FaultData, Flush, InitReportData,
    InitRuntimeDoneData, InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, Platform, ReportData, RestoreReportData, RestoreRuntimeDoneData,
    RestoreStartData, Span, Status,
};
use rapid_interop::Mono;

use crate::clock;
use crate::telemetry::{Telemetry, settled};

impl Telemetry {
    fn tell<T: Clone + Into<Platform>>(&self, data: &T) {
        if self.is_wanted() {
            self.publish(Event::platform(clock::now(), data.clone()));
        }
    }

    /// After a failure subscribers are about to be ended with the environment: what waits is not to
    /// wait for more.
    fn hurry_unless(&self, success: bool) {
        if !success && self.is_wanted() {
            self.stream_closed();
        }
    }
}

/// Every event is published, with the time at which it is told. Subscriptions are taken from the
/// start of an initialisation to its report.
///
/// # Source
/// Telemetry API, "When subscriptions close".
impl EventsApi for Telemetry {
    fn send_init_start(&self, data: &InitStartData) {
        self.open();
        self.tell(data);
    }

    fn send_init_runtime_done(&self, data: &InitRuntimeDoneData) {
        self.tell(data);
        self.hurry_unless(data.status == Status::Success);
    }

    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.tell(data);
    }

    fn send_init_report(&self, data: &InitReportData) {
        // First: whoever sees the report is not to find subscriptions open.
        self.close();
        self.tell(data);
        self.hurry_unless(data.status.is_none_or(|status| status == Status::Success));
    }

    fn send_restore_start(&self, data: &RestoreStartData) {
        self.tell(data);
    }

    fn send_restore_runtime_done(&self, data: &RestoreRuntimeDoneData) {
        self.tell(data);
    }

    fn send_restore_report(&self, data: &RestoreReportData) {
        self.tell(data);
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.tell(data);
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        self.tell(data);
        self.hurry_unless(data.status == Status::Success);
    }

    fn send_fault(&self, data: &FaultData) {
        self.tell(data);
    }

    fn send_end(&self, data: &EndData) {
        self.tell(data);
    }

    fn send_report(&self, data: &ReportData) {
        self.tell(data);
    }

    /// As [`Telemetry::flush`]; at once if nobody has subscribed.
    fn flush(&self, budget: Duration) -> Option<Flush> {
        let flushes = self.begin_flush();
        if flushes.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            if !settled(flushes, budget).await {
                tracing::debug!("not all telemetry has arrived before the end");
            }
        }))
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        if !self.is_wanted() {
            return Vec::new();
        }
        rapid_events::runtime_done_spans(anchor, runtime_started, response, runtime_ready)
    }
}
