//! [`JsonEvents`]: platform events as the lines of a log whose format is JSON.

use rapid_events::{
    Anchor, Api, Event, EventsApi, ExtensionInitData, InitReportData, InitRuntimeDoneData,
    InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData, InvokeStartData, Platform,
    ReportData, RestoreReportData, RestoreRuntimeDoneData, RestoreStartData, Schema, Span,
    SubscriptionData,
};
use rapid_interop::Mono;
use rapid_telemetry::log_format::LogFilter;

use crate::clock;
use crate::log::Log;

/// Room for most lines, in bytes.
const USUAL_LINE: usize = 512;

/// Prints platform events as JSON, one object a line, as far as their level is admitted.
///
/// # Source
/// Telemetry API, "Log format and level".
#[derive(Debug)]
pub(crate) struct JsonEvents {
    log: Log,
    filter: LogFilter,
}

impl JsonEvents {
    pub(crate) const fn new(log: Log, filter: LogFilter) -> Self {
        Self { log, filter }
    }

    fn print<T: Clone + Into<Platform>>(&self, data: &T) {
        self.write(data.clone());
    }

    fn write(&self, event: impl Into<Platform>) {
        let event = Event::platform(clock::now(), event);
        let admitted = self.filter.admits_event(event.level());
        if !admitted && self.log.tail.is_none() {
            return;
        }
        let mut line = Vec::with_capacity(USUAL_LINE);
        // A subscription to the Logs API is in no schema of the other one.
        let schemas = [Schema::LATEST, Schema::Logs20210318];
        if schemas.into_iter().any(|schema| event.encode_into(schema, &mut line)) {
            line.push(b'\n');
            self.log.record(&line, admitted);
        }
    }
}

/// An invocation's end and fault have no line: its report tells the same.
impl EventsApi for JsonEvents {
    fn send_init_start(&self, data: &InitStartData) {
        self.print(data);
    }

    fn send_init_runtime_done(&self, data: &InitRuntimeDoneData) {
        self.print(data);
    }

    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.print(data);
    }

    fn send_init_report(&self, data: &InitReportData) {
        self.print(data);
    }

    fn send_restore_start(&self, data: &RestoreStartData) {
        self.print(data);
    }

    fn send_restore_runtime_done(&self, data: &RestoreRuntimeDoneData) {
        self.print(data);
    }

    fn send_restore_report(&self, data: &RestoreReportData) {
        self.print(data);
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.print(data);
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        self.print(data);
    }

    fn send_report(&self, data: &ReportData) {
        self.print(data);
    }

    fn send_subscription(&self, api: Api, data: &SubscriptionData) {
        let data = data.clone();
        self.write(match api {
            Api::Telemetry => Platform::TelemetrySubscription(data),
            Api::Logs => Platform::LogsSubscription(data),
        });
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
