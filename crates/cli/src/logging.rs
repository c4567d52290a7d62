//! rapid's own log: on standard error, quiet unless asked, readable either way.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Zoned;
use rapid::{Console, Persona};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging to `console`; a second start changes nothing.
pub(crate) fn start(persona: Persona, level: LevelFilter, json: bool, console: Console) {
    let dropped = Arc::new(AtomicU64::new(0));
    let base = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || Unblocked {
            console: console.clone(),
            dropped: Arc::clone(&dropped),
            json,
        })
        .with_ansi(colored());
    // Only a second start can fail.
    let _ = match (json, persona) {
        (true, _) => tracing::subscriber::set_global_default(base.json().finish()),
        (false, Persona::Rie) => {
            tracing::subscriber::set_global_default(base.event_format(EmulatorFormat).finish())
        }
        (false, Persona::Aws) => {
            let format = tracing_subscriber::fmt::format().compact().with_target(false);
            tracing::subscriber::set_global_default(base.event_format(format).finish())
        }
    };
}

/// Writes without ever waiting for whoever reads standard error: the thread that logs serves too.
/// What nobody reads for long is dropped, and that is told when somebody reads again.
struct Unblocked {
    console: Console,
    dropped: Arc<AtomicU64>,
    json: bool,
}

impl io::Write for Unblocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.console.has_room() {
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let message = format!("{dropped} lines of this log were dropped: nobody read it");
                let line = if self.json {
                    format!("{{\"level\":\"WARN\",\"fields\":{{\"message\":\"{message}\"}}}}\n")
                } else {
                    format!("{message}\n")
                };
                self.console.write(line.as_bytes());
            }
            self.console.write(bytes);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Colours are for people: a terminal, and no NO_COLOR.
pub(crate) fn colored() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && io::stderr().is_terminal()
}

/// `02 Jan 2006 15:04:05,000 [LEVEL] (rapid) message key=value`.
///
/// # Source
/// Environment, "stderr (RIE's own log)".
struct EmulatorFormat;

impl<S, N> FormatEvent<S, N> for EmulatorFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::WARN => "WARNING",
            Level::ERROR => "ERROR",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        let now = Zoned::now();
        let millis = now.millisecond();
        write!(writer, "{},{millis:03} [{level}] (rapid) ", now.strftime("%d %b %Y %H:%M:%S"))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
