//! [`LineEvents`]: the `START`, `END` and `REPORT` lines.

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
}

impl LineEvents {
    /// Prints to `console`, in the words of `style`.
    #[must_use]
    pub const fn new(console: Console, style: LineStyle) -> Self {
        Self { console, style }
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
        self.print(data.line());
    }

    fn send_report(&self, data: ReportData) {
        self.print(data.line(self.style));
    }
}
