//! [`LineEvents`]: the `START`, `END` and `REPORT` lines.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rapid_events::{
    EndData, EventsApi, ExtensionInitData, InitReportData, InitStartData, InvokeStartData, Line,
    LineStyle, ReportData,
};
use rapid_supervisor::Console;

/// Prints platform events as the lines that people know from the service's log.
#[derive(Debug)]
pub struct LineEvents {
    console: Console,
    style: LineStyle,
    /// What is printed next: empty, or the `END` line, which is written together with the
    /// `REPORT` that follows at once.
    lines: Mutex<String>,
}

impl LineEvents {
    /// Prints to `console`, in the words of `style`.
    #[must_use]
    pub const fn new(console: Console, style: LineStyle) -> Self {
        Self { console, style, lines: Mutex::new(String::new()) }
    }

    /// Adds the line of `data`, if it has one, to what is printed next.
    fn add(&self, data: &impl Line) -> MutexGuard<'_, String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lines.len();
        data.write_line(self.style, &mut lines);
        if lines.len() > before {
            lines.push('\n');
        }
        lines
    }

    fn print(&self, data: &impl Line) {
        let mut lines = self.add(data);
        self.console.write(lines.as_bytes());
        lines.clear();
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

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.print(data);
    }

    fn send_end(&self, data: &EndData) {
        drop(self.add(data));
    }

    fn send_report(&self, data: &ReportData) {
        self.print(data);
    }
}
