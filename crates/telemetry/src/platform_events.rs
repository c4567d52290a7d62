//! What the engine tells of, published to subscribers.

use rapid_events::{
    Anchor, EndData, Event, EventsApi, ExtensionInitData, FaultData, InitReportData,
    InitRuntimeDoneData, InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, Platform, ReportData, RestoreRuntimeDoneData, Span, Status,
};
use rapid_interop::Mono;

use crate::clock;
use crate::telemetry::Telemetry;

impl Telemetry {
    fn tell<T: Clone + Into<Platform>>(&self, data: &T) {
        if self.is_wanted() {
            self.publish(Event::platform(clock::now(), data.clone()));
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
    }

    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.tell(data);
    }

    fn send_init_report(&self, data: &InitReportData) {
        // First: whoever sees the report is not to find subscriptions open.
        self.close();
        self.tell(data);
    }

    fn send_restore_runtime_done(&self, data: &RestoreRuntimeDoneData) {
        self.tell(data);
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.tell(data);
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        self.tell(data);
        // Subscribers are about to be ended with the environment: this is not to wait for more.
        if data.status != Status::Success && self.is_wanted() {
            self.stream_closed();
        }
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
