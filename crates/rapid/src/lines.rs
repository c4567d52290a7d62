//! [`LineEvents`]: the `START`, `END` and `REPORT` lines.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rapid_events::{
    Api, EndData, EventsApi, ExtensionInitData, InitReportData, InitStartData, InvokeStartData,
    Line, LineStyle, ReportData, RestoreReportData, RestoreStartData, SubscriptionData,
};
use rapid_supervisor::Console;

use crate::log::Log;

/// Prints platform events as the lines that people know from the service's log.
#[derive(Debug)]
pub struct LineEvents {
    log: Log,
    style: LineStyle,
    /// What is printed next: empty, or the `END` line, which is written together with the
    /// `REPORT` that follows at once.
    lines: Mutex<String>,
}

impl LineEvents {
    /// Prints to `console`, in the words of `style`.
    #[must_use]
    pub const fn new(console: Console, style: LineStyle) -> Self {
        Self::of(Log { console: Some(console), tail: None }, style)
    }

    pub(crate) const fn of(log: Log, style: LineStyle) -> Self {
        Self { log, style, lines: Mutex::new(String::new()) }
    }

    /// Adds the line that `write` appends, if there is one, to what is printed next.
    fn add(&self, write: impl FnOnce(LineStyle, &mut String)) -> MutexGuard<'_, String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lines.len();
        write(self.style, &mut lines);
        if lines.len() > before {
            lines.push('\n');
        }
        lines
    }

    fn print(&self, data: &impl Line) {
        self.write(self.add(|style, out| data.write_line(style, out)));
    }

    fn write(&self, mut lines: MutexGuard<'_, String>) {
        if !lines.is_empty() {
            self.log.lines(lines.as_bytes());
            lines.clear();
        }
    }
}

impl EventsApi for LineEvents {
    fn send_init_start(&self, data: &InitStartData) {
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

    fn send_restore_report(&self, data: &RestoreReportData) {
        self.print(data);
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.print(data);
    }

    fn send_end(&self, data: &EndData) {
        drop(self.add(|style, out| data.write_line(style, out)));
    }

    fn send_report(&self, data: &ReportData) {
        self.print(data);
    }

    fn send_subscription(&self, api: Api, data: &SubscriptionData) {
        self.write(self.add(|style, out| data.write_line(api, style, out)));
    }
}
