//! [`LineEvents`]: the `START`, `END` and `REPORT` lines.

use std::mem;
use std::sync::{Mutex, PoisonError};

use rapid_events::{
    EndData, EventsApi, ExtensionInitData, InitReportData, InitStartData, InvokeStartData,
    LineStyle, ReportData,
};
use rapid_supervisor::Console;

/// Prints platform events as the lines that people know from the service's log.
#[derive(Debug)]
pub struct LineEvents {
    console: Console,
    style: LineStyle,
    /// The `END` line, which is written together with the `REPORT` that follows at once.
    end: Mutex<String>,
}

impl LineEvents {
    /// Prints to `console`, in the words of `style`.
    #[must_use]
    pub const fn new(console: Console, style: LineStyle) -> Self {
        Self { console, style, end: Mutex::new(String::new()) }
    }

    fn print(&self, mut line: String) {
        line.push('\n');
        self.console.write(line.as_bytes());
    }
}

impl EventsApi for LineEvents {
    fn send_init_start(&self, data: InitStartData) {
        if let Some(line) = data.line() {
            self.print(line);
        }
    }

    fn send_extension_init(&self, data: ExtensionInitData) {
        // The emulator's log does not tell of extensions.
        if self.style == LineStyle::Aws {
            self.print(data.line());
        }
    }

    fn send_init_report(&self, data: InitReportData) {
        if let Some(line) = data.line() {
            self.print(line);
        }
    }

    fn send_invoke_start(&self, data: InvokeStartData) {
        self.print(data.line());
    }

    fn send_end(&self, data: EndData) {
        let mut line = data.line();
        line.push('\n');
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    fn send_report(&self, data: ReportData) {
        let mut lines = mem::take(&mut *self.end.lock().unwrap_or_else(PoisonError::into_inner));
        lines.push_str(&data.line(self.style));
        self.print(lines);
    }
}
