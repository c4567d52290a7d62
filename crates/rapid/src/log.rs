//! [`Log`]: where the log goes, in whose manner and in which format.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use rapid_events::{EventsApi, LineStyle};
use rapid_invoke_api::Persona;
use rapid_supervisor::Console;
use rapid_telemetry::LogTail;
use rapid_telemetry::log_format::{LogFilter, LogFormat};

use crate::json_events::JsonEvents;
use crate::lines::LineEvents;

/// Where the log goes: to the console, and into the tail that invokers can ask for.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// `None` if somebody else prints.
    pub(crate) console: Option<Console>,
    /// `None` if nobody can ask for it.
    pub(crate) tail: Option<Arc<LogTail>>,
}

impl Log {
    /// The emulator's answers have no tail.
    pub(crate) fn new(persona: Persona, console: Console, filter: LogFilter) -> Self {
        let tail = match persona {
            Persona::Aws => Some(Arc::new(LogTail::new(filter.format))),
            Persona::Rie => None,
        };
        Self { console: Some(console), tail }
    }

    /// Takes lines, each a record of its own. What does not end in a newline is given one.
    pub(crate) fn lines(&self, lines: &[u8]) {
        finished(lines, |lines| {
            self.print(lines);
            if let Some(tail) = &self.tail {
                tail.lines(lines);
            }
        });
    }

    /// Takes one record, which is printed if it is `admitted`; the tail has every one.
    pub(crate) fn record(&self, record: &[u8], admitted: bool) {
        finished(record, |record| {
            if admitted {
                self.print(record);
            }
            if let Some(tail) = &self.tail {
                tail.record(record);
            }
        });
    }

    /// Takes what goes on with a record that began earlier and was too long for one piece, and so
    /// for the tail, which has whole records alone.
    pub(crate) fn go_on(&self, piece: &[u8], admitted: bool) {
        if admitted {
            finished(piece, |piece| self.print(piece));
        }
    }

    fn print(&self, bytes: &[u8]) {
        if let Some(console) = &self.console {
            console.write(bytes);
        }
    }
}

/// Hands on `bytes` with a newline at their end; in one piece, so that nobody else's line gets in
/// between.
fn finished(bytes: &[u8], take: impl FnOnce(&[u8])) {
    if bytes.ends_with(b"\n") {
        take(bytes);
    } else {
        take(&[bytes, b"\n"].concat());
    }
}

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

/// Who receives platform events: `named`, or else who prints them; and the tail, which has them in
/// either case.
pub(crate) fn events(
    persona: Persona,
    log: &Log,
    filter: LogFilter,
    named: Option<Arc<dyn EventsApi>>,
) -> Arc<dyn EventsApi> {
    let Some(named) = named else { return written(persona, log.clone(), filter) };
    if log.tail.is_none() {
        return named;
    }
    let unprinted = Log { console: None, ..log.clone() };
    Arc::new((named, written(persona, unprinted, filter)))
}

/// Who writes platform events into the log. The tail is told after that, so that it ends with the
/// report.
fn written(persona: Persona, log: Log, filter: LogFilter) -> Arc<dyn EventsApi> {
    let tail = log.tail.clone();
    match (persona, filter.format) {
        (Persona::Aws, LogFormat::Json) => Arc::new((JsonEvents::new(log, filter), tail)),
        (Persona::Aws, LogFormat::Text) => Arc::new((LineEvents::of(log, LineStyle::Aws), tail)),
        (Persona::Rie, _) => Arc::new((LineEvents::of(log, LineStyle::Rie), tail)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, PipeReader, Read as _};

    use rapid_events::{Api, Category, NoEvents, SubscriptionData, SubscriptionState};
    use rapid_interop::RequestId;

    use super::*;

    const TEXT: LogFormat = LogFormat::Text;
    const JSON: LogFormat = LogFormat::Json;

    /// Of whatever type is wanted.
    macro_rules! data {
        ($json:expr) => {
            serde_json::from_str($json).unwrap()
        };
    }

    /// A log, who writes into it, and what is printed.
    fn logging(
        persona: Persona,
        format: LogFormat,
        named: Option<Arc<dyn EventsApi>>,
    ) -> (Log, Arc<dyn EventsApi>, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let filter = LogFilter { format, ..LogFilter::default() };
        let log = Log::new(persona, Console::to(writer.into()).unwrap(), filter);
        let events = events(persona, &log, filter, named);
        (log, events, reader)
    }

    fn read(mut reader: PipeReader) -> String {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    fn subscribe(events: &Arc<dyn EventsApi>, api: Api, state: SubscriptionState) {
        let types = vec![Category::Platform, Category::Function];
        events.send_subscription(api, &SubscriptionData { name: "probe.sh".into(), state, types });
    }

    /// An invocation that writes one line; its tail.
    fn invoke(log: &Log, events: &Arc<dyn EventsApi>, id: &str) -> Option<String> {
        let request_id = RequestId::parse(id).unwrap();
        let ended = format!(r#"{{"requestId":"{id}"}}"#);
        events.send_invoke_start(&data!(&format!(r#"{{"requestId":"{id}","version":"$LATEST"}}"#)));
        log.lines(b"hello\n");
        events.send_invoke_runtime_done(&data!(&format!(
            r#"{{"requestId":"{id}","status":"success"}}"#
        )));
        events.send_end(&data!(&ended));
        events.send_report(&data!(&format!(
            r#"{{"requestId":"{id}","status":"success","metrics":{{"durationMs":1.0,"billedDurationMs":1,"memorySizeMB":128,"maxMemoryUsedMB":37}}}}"#
        )));
        log.lines(b"between\n");
        let tail = events.fetch_tail_logs(&request_id)?;
        Some(String::from_utf8(tail.into()).unwrap())
    }

    const A: &str = "8f7a1e5c-0000-4000-8000-00000000000a";
    const B: &str = "8f7a1e5c-0000-4000-8000-00000000000b";

    #[test]
    fn the_tail_has_what_was_logged_since_the_last_report() {
        let invocation = |id: &str| {
            format!(
                "START RequestId: {id} Version: $LATEST\nhello\nEND RequestId: {id}\n\
                 REPORT RequestId: {id}\tDuration: 1.00 ms\tBilled Duration: 1 ms\t\
                 Memory Size: 128 MB\tMax Memory Used: 37 MB\t\n"
            )
        };
        let (log, events, reader) = logging(Persona::Aws, TEXT, None);
        log.lines(b"init\n");
        subscribe(&events, Api::Telemetry, SubscriptionState::Subscribed);
        let init =
            "init\nTELEMETRY\tName: probe.sh\tState: Subscribed\tTypes: [Platform, Function]\n";
        assert_eq!(invoke(&log, &events, A).unwrap(), format!("{init}{}", invocation(A)));
        assert_eq!(invoke(&log, &events, B).unwrap(), format!("between\n{}", invocation(B)));
        drop((log, events));
        let printed = format!("{init}{}between\n{}between\n", invocation(A), invocation(B));
        assert_eq!(read(reader), printed);
    }

    #[test]
    fn in_json_the_tail_has_the_events_that_are_not_printed() {
        let (log, events, reader) = logging(Persona::Aws, JSON, None);
        let tail = invoke(&log, &events, A).unwrap();
        let types = |text: &str| -> Vec<String> {
            let types = text.lines().map(|line| match line.strip_prefix('{') {
                Some(_) => {
                    let event: serde_json::Value = data!(line);
                    event["type"].to_string()
                }
                None => line.to_owned(),
            });
            types.collect()
        };
        let [start, done, report] =
            ["\"platform.start\"", "\"platform.runtimeDone\"", "\"platform.report\""];
        assert_eq!(types(&tail), [start, "hello", done, report]);
        drop((log, events));
        assert_eq!(types(&read(reader)), [start, "hello", report, "between"]);
    }

    #[test]
    fn the_tail_is_there_whoever_receives_the_events() {
        let (log, events, reader) = logging(Persona::Aws, TEXT, Some(Arc::new(NoEvents)));
        let tail = invoke(&log, &events, A).unwrap();
        assert!(tail.starts_with("START RequestId: ") && tail.ends_with(" MB\t\n"), "{tail}");
        drop((log, events));
        assert_eq!(read(reader), "hello\nbetween\n");
    }

    #[test]
    fn the_emulator_has_no_tail() {
        let (log, events, _reader) = logging(Persona::Rie, TEXT, None);
        assert_eq!(invoke(&log, &events, A), None);
    }

    #[test]
    fn subscriptions_are_printed_as_the_service_does() {
        let printed = |persona, format| {
            let (log, events, reader) = logging(persona, format, None);
            subscribe(&events, Api::Telemetry, SubscriptionState::Subscribed);
            subscribe(&events, Api::Logs, SubscriptionState::AlreadySubscribed);
            drop((log, events));
            read(reader)
        };
        assert_eq!(
            printed(Persona::Aws, TEXT),
            "TELEMETRY\tName: probe.sh\tState: Subscribed\tTypes: [Platform, Function]\n\
             LOGS\tName: probe.sh\tState: Already subscribed\tTypes: [Platform, Function]\n"
        );
        assert_eq!(printed(Persona::Rie, TEXT), "");
        let json = printed(Persona::Aws, JSON);
        let ends: Vec<&str> =
            json.lines().filter_map(|line| line.split_once("Z\",")).map(|(_, end)| end).collect();
        assert_eq!(
            ends,
            [
                r#""type":"platform.telemetrySubscription","record":{"name":"probe.sh","state":"Subscribed","types":["platform","function"]}}"#,
                r#""type":"platform.logsSubscription","record":{"name":"probe.sh","state":"Already subscribed","types":["platform","function"]}}"#,
            ]
        );
    }

    #[test]
    fn a_restoration_is_printed_in_either_format() {
        let printed = |format| {
            let (log, events, reader) = logging(Persona::Aws, format, None);
            events.send_restore_start(&data!(r#"{"runtimeVersion":"java:17.v9"}"#));
            events.send_restore_report(&data!(
                r#"{"status":"success","metrics":{"durationMs":10.0}}"#
            ));
            drop((log, events));
            read(reader)
        };
        assert_eq!(
            printed(TEXT),
            "RESTORE_START Runtime Version: java:17.v9\tRuntime Version ARN: \n\
             RESTORE_REPORT Restore Duration: 10.00 ms\n"
        );
        let json = printed(JSON);
        let ends: Vec<&str> =
            json.lines().filter_map(|line| line.split_once("Z\",")).map(|(_, end)| end).collect();
        assert_eq!(
            ends,
            [
                r#""type":"platform.restoreStart","record":{"runtimeVersion":"java:17.v9"}}"#,
                r#""type":"platform.restoreReport","record":{"status":"success","metrics":{"durationMs":10.0}}}"#,
            ]
        );
    }

    #[test]
    fn spans_are_worked_out_for_a_json_log() {
        use rapid_events::{Anchor, InvokeResponseMetrics};
        use rapid_interop::Mono;

        let millis = |millis: u64| Mono::from_nanos(millis * 1_000_000);
        let response = InvokeResponseMetrics {
            start_reading_response: millis(2),
            finish_reading_response: millis(5),
            runtime_called_response: true,
            ..InvokeResponseMetrics::default()
        };
        let anchor = || Anchor::new(millis(0), std::time::SystemTime::UNIX_EPOCH);
        for (format, expected) in [(TEXT, 0), (JSON, 3)] {
            let (_log, events, _reader) = logging(Persona::Aws, format, None);
            let (start, ready) = (Some(millis(1)), Some(millis(9)));
            let spans = events.runtime_done_spans(anchor(), start, Some(&response), ready);
            assert_eq!(spans.len(), expected);
        }
    }
}
