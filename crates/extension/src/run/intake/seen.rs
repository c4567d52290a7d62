//! [`Seen`]: how far telemetry has come.

use crate::telemetry::{Platform, Received, Record};

/// How far telemetry has come. One invocation runs at a time, and telemetry has an order: the last
/// of each kind tells enough.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last invocation that the platform told the extension of.
    invoked: Option<Box<str>>,
    /// That of the last `platform.start`, for an extension that is not told of invocations.
    started: Option<Box<str>>,
    /// That of the last `platform.runtimeDone`.
    done: Option<Box<str>>,
    /// That of the last `platform.report`.
    reported: Option<Box<str>>,
}

impl Seen {
    /// An invocation begins.
    pub(super) fn invoke(&mut self, request_id: &str) {
        self.invoked = Some(request_id.into());
    }

    /// Telemetry came.
    pub(super) fn note(&mut self, events: &[Received]) {
        for event in events {
            let Received::Known(event) = event else { continue };
            let Record::Platform(event) = &event.record else { continue };
            let place = match event {
                Platform::Start(_) => &mut self.started,
                Platform::RuntimeDone(_) => &mut self.done,
                Platform::Report(_) => &mut self.reported,
                Platform::InitStart(_)
                | Platform::InitRuntimeDone(_)
                | Platform::Extension(_)
                | Platform::InitReport(_)
                | Platform::RestoreStart(_)
                | Platform::RestoreRuntimeDone(_)
                | Platform::RestoreReport(_)
                | Platform::Fault(_)
                | Platform::End(_)
                | Platform::TelemetrySubscription(_)
                | Platform::LogsSubscription(_)
                | Platform::LogsDropped(_) => continue,
            };
            *place = event.request_id().map(|id| id.as_str().into());
        }
    }

    /// Whether the function's part in an invocation, the last one, is over. That may be known
    /// before the extension hears of the invocation.
    pub(super) fn is_done(&self, request_id: &str) -> bool {
        self.done.as_deref() == Some(request_id)
    }

    /// Whether the last invocation has its report.
    pub(super) fn is_all_reported(&self) -> bool {
        let last = self.invoked.as_ref().or(self.started.as_ref());
        last.is_none_or(|last| self.reported.as_ref() == Some(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(seen: &mut Seen, name: &str, request_id: &str) {
        let rest = match name {
            "runtimeDone" => r#","status":"success""#,
            "report" => {
                r#","status":"success","metrics":{"durationMs":1.0,"billedDurationMs":1,"memorySizeMB":128,"maxMemoryUsedMB":1}"#
            }
            _ => "",
        };
        let json = format!(
            r#"{{"time":"2026-09-15T07:13:10.674Z","type":"platform.{name}","record":{{"requestId":"{request_id}"{rest}}}}}"#
        );
        let event = Received::decode(json.as_bytes()).unwrap();
        assert!(matches!(event, Received::Known(_)), "{json}");
        seen.note(&[event]);
    }

    #[test]
    fn an_invocation_may_be_done_before_it_is_told() {
        let mut seen = Seen::default();
        noted(&mut seen, "start", "r-1");
        assert!(!seen.is_done("r-1"));
        noted(&mut seen, "runtimeDone", "r-1");
        seen.invoke("r-1");
        assert!(seen.is_done("r-1"));
        assert!(!seen.is_done("r-2"));
    }

    #[test]
    fn the_last_invocation_has_to_be_reported_and_no_other() {
        let mut seen = Seen::default();
        assert!(seen.is_all_reported());
        seen.invoke("r-1");
        seen.invoke("r-2");
        // Telemetry comes late, and all of it is of the first one.
        noted(&mut seen, "start", "r-1");
        noted(&mut seen, "report", "r-1");
        assert!(!seen.is_all_reported());
        noted(&mut seen, "start", "r-2");
        noted(&mut seen, "runtimeDone", "r-2");
        assert!(!seen.is_all_reported());
        noted(&mut seen, "report", "r-2");
        assert!(seen.is_all_reported());
    }

    #[test]
    fn whoever_is_not_told_of_invocations_goes_by_their_start() {
        let mut seen = Seen::default();
        noted(&mut seen, "start", "r-1");
        assert!(!seen.is_all_reported());
        noted(&mut seen, "report", "r-1");
        assert!(seen.is_all_reported());
    }
}
