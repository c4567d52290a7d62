//! How the log is written: in whose manner, and in which format.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use rapid_events::{EventsApi, LineStyle};
use rapid_invoke_api::Persona;
use rapid_supervisor::Console;
use rapid_telemetry::log_format::{LogFilter, LogFormat};

use crate::json_events::JsonEvents;
use crate::lines::LineEvents;

/// What the function's variables say about its log. The emulator knows text alone.
pub(crate) fn filter(persona: Persona, env: &[(OsString, OsString)]) -> LogFilter {
    match persona {
        Persona::Aws => LogFilter::from_variables(|name| {
            let mut named = env.iter().filter(|(found, _)| found == OsStr::new(name));
            named.next().map(|(_, value)| value.to_string_lossy().into_owned())
        }),
        Persona::Rie => LogFilter::default(),
    }
}

/// Who prints platform events.
pub(crate) fn events(persona: Persona, console: Console, filter: LogFilter) -> Arc<dyn EventsApi> {
    match (persona, filter.format) {
        (Persona::Aws, LogFormat::Json) => Arc::new(JsonEvents::new(console, filter)),
        (Persona::Aws, LogFormat::Text) => Arc::new(LineEvents::new(console, LineStyle::Aws)),
        (Persona::Rie, _) => Arc::new(LineEvents::new(console, LineStyle::Rie)),
    }
}
