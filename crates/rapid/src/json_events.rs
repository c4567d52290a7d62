//! [`JsonEvents`]: platform events as the lines of a log whose format is JSON.

use rapid_events::{
    Event, EventsApi, ExtensionInitData, InitReportData, InitRuntimeDoneData, InitStartData,
    InvokeRuntimeDoneData, InvokeStartData, Platform, ReportData, RestoreRuntimeDoneData, Schema,
};
use rapid_supervisor::Console;
use rapid_telemetry::log_format::LogFilter;

use crate::clock;

/// Prints platform events as JSON, one object a line, as far as their level is admitted.
///
/// # Source
/// Telemetry API, "Log format and level".
#[derive(Debug)]
pub(crate) struct JsonEvents {
    console: Console,
    filter: LogFilter,
}

impl JsonEvents {
    pub(crate) const fn new(console: Console, filter: LogFilter) -> Self {
        Self { console, filter }
    }

    fn print<T: Clone + Into<Platform>>(&self, data: &T) {
        let event = Event::platform(clock::now(), data.clone());
        if !self.filter.admits_event(event.level()) {
            return;
        }
        let mut line = Vec::new();
        if event.encode_into(Schema::LATEST, &mut line) {
            line.push(b'\n');
            self.console.write(&line);
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

    fn send_restore_runtime_done(&self, data: &RestoreRuntimeDoneData) {
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
}
