//! [`Recorder`]: makes a segment of an invocation's events.

use std::sync::Arc;
use std::time::SystemTime;

use rapid_events::{InitStartData, InvokeRuntimeDoneData, InvokeStartData, ReportData, Status};
use rapid_interop::RequestId;
use serde_json::value::RawValue;

use super::document::{Aws, Cause, Fault, Interval, Segment, Subsegment};
use crate::trace_header::TracePlace;

/// How many invocations may be open at once; segments of further ones are left out.
const MAX_OPEN: usize = 1024;

/// Follows the sampled invocations of one execution environment.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    function_name: String,
    function_arn: String,
    init: Init,
    /// When the environment was restored from a snapshot, if no invocation has followed yet.
    restored: Option<SystemTime>,
    open: Vec<Open>,
}

/// The initialisation, which is part of the first invocation after it.
#[derive(Debug, Default)]
enum Init {
    #[default]
    None,
    Running {
        since: SystemTime,
    },
    Done(Interval),
}

/// An invocation that was not reported yet.
#[derive(Debug)]
struct Open {
    request_id: RequestId,
    place: TracePlace,
    start: SystemTime,
    init: Option<Interval>,
    restored: Option<SystemTime>,
    runtime_done: Option<SystemTime>,
    /// Whether the runtime has reported an error, which is a success to the platform.
    reported: bool,
    cause: Option<Cause>,
}

impl Recorder {
    pub(super) fn init_start(&mut self, data: &InitStartData, now: SystemTime) {
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        self.function_name = text(&data.function_name);
        self.function_arn = text(&data.function_arn);
        self.init = Init::Running { since: now };
    }

    pub(super) fn init_report(&mut self, now: SystemTime) {
        if let Init::Running { since } = self.init {
            self.init = Init::Done(Interval::new(since, now));
        }
    }

    pub(super) fn restore_runtime_done(&mut self, now: SystemTime) {
        self.restored = Some(now);
    }

    pub(super) fn invoke_start(&mut self, data: &InvokeStartData, now: SystemTime) {
        let init = match std::mem::take(&mut self.init) {
            Init::Done(interval) => Some(interval),
            unfinished @ (Init::None | Init::Running { .. }) => {
                self.init = unfinished;
                None
            }
        };
        let restored = self.restored.take();
        let Some(tracing) = &data.tracing else { return };
        let place = TracePlace::of_start(tracing.span_id.as_deref(), &tracing.value);
        if let Some(place) = place.filter(|_| self.open.len() < MAX_OPEN) {
            let request_id = data.request_id.clone();
            self.open.push(Open {
                request_id,
                place,
                start: now,
                init,
                restored,
                runtime_done: None,
                reported: false,
                cause: None,
            });
        }
    }

    /// A cause that has not the form of one is left out.
    pub(super) fn error_cause(&mut self, request_id: &RequestId, cause: &RawValue) {
        if let Some(open) = self.find(request_id) {
            open.cause = Cause::parse(cause);
        }
    }

    pub(super) fn runtime_done(&mut self, data: &InvokeRuntimeDoneData, now: SystemTime) {
        if let Some(open) = self.find(&data.request_id) {
            open.runtime_done = Some(now);
            open.reported =
                data.internal_metrics.is_some_and(|metrics| !metrics.runtime_called_response);
        }
    }

    /// The segment of the invocation, if its trace is sampled.
    pub(super) fn report(&mut self, data: &ReportData, now: SystemTime) -> Option<Segment> {
        let index = self.open.iter().position(|open| open.request_id == data.request_id)?;
        let open = self.open.swap_remove(index);
        let status = data.status.unwrap_or(Status::Success);
        let failed = status != Status::Success || open.reported || open.cause.is_some();
        let fault = failed.then(|| Fault {
            kind: data.error_type.as_ref().map(ToString::to_string),
            message: match status {
                Status::Timeout => Some("the function timed out".into()),
                Status::Success => Some("the function reported an error".into()),
                Status::Error | Status::Failure => None,
            },
            cause: open.cause,
        });
        let ended = open.runtime_done.unwrap_or(now);
        let mut subsegments = Vec::with_capacity(4);
        if let Some(time) = open.init {
            subsegments.push(Subsegment { name: "Initialization", time, failed: false });
        }
        if let Some((end, took)) = open.restored.zip(data.metrics.restore_duration) {
            let time = Interval::new(end.checked_sub(took).unwrap_or(end), end);
            subsegments.push(Subsegment { name: "Restore", time, failed: false });
        }
        let time = Interval::new(open.start, ended);
        subsegments.push(Subsegment { name: "Invocation", time, failed });
        if open.runtime_done.is_some() {
            let time = Interval::new(ended, now);
            subsegments.push(Subsegment { name: "Overhead", time, failed: false });
        }
        Some(Segment {
            name: self.function_name.clone(),
            place: open.place,
            time: Interval::new(open.start, now),
            aws: Aws {
                account_id: self.function_arn.split(':').nth(4).unwrap_or_default().into(),
                function_arn: self.function_arn.clone(),
                request_id: data.request_id.to_string(),
                resource_names: [self.function_name.clone()],
            },
            fault,
            subsegments,
        })
    }

    fn find(&mut self, request_id: &RequestId) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.request_id == *request_id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rapid_events::{InvokeResponseMetrics, ReportMetrics, TracingCtx};
    use rapid_fatal_error::ErrorType;
    use rapid_interop::{InitPhase, InitType};
    use serde_json::{Value, json};

    use super::*;
    use crate::trace_header::SpanId;

    const TRACE: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_789_456_390) + Duration::from_millis(millis)
    }

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).unwrap()
    }

    fn init_start() -> InitStartData {
        InitStartData {
            initialization_type: InitType::OnDemand,
            phase: InitPhase::Init,
            runtime_version: None,
            runtime_version_arn: None,
            function_name: Some("shop".into()),
            function_arn: Some("arn:aws:lambda:eu-west-1:123456789012:function:shop".into()),
            function_version: None,
            instance_id: None,
            instance_max_memory: None,
            tracing: None,
        }
    }

    fn start(request: &str, trace: &str) -> InvokeStartData {
        InvokeStartData {
            request_id: id(request),
            version: None,
            function_arn: None,
            tenant_id: None,
            tracing: TracingCtx::sampled(trace)
                .map(|tracing| tracing.with_span_id("00000000000000aa".into())),
        }
    }

    fn runtime_done(request: &str) -> InvokeRuntimeDoneData {
        InvokeRuntimeDoneData {
            request_id: id(request),
            status: Status::Success,
            error_type: None,
            metrics: None,
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
            internal_metrics: Some(InvokeResponseMetrics {
                runtime_called_response: true,
                ..InvokeResponseMetrics::default()
            }),
        }
    }

    fn report(request: &str) -> ReportData {
        ReportData {
            request_id: id(request),
            status: Some(Status::Success),
            error_type: None,
            metrics: ReportMetrics::default(),
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
        }
    }

    /// The document, with the ids that are made up replaced by their kind.
    fn document(segment: Option<Segment>) -> Value {
        let json = segment.unwrap().to_json(usize::MAX).unwrap();
        let mut value: Value = serde_json::from_slice(&json).unwrap();
        let exceptions = value.pointer_mut("/cause/exceptions").map(Value::take);
        if let Some(mut exceptions) = exceptions {
            hide_ids(&mut exceptions, "exception");
            value["cause"]["exceptions"] = exceptions;
        }
        hide_ids(&mut value["subsegments"], "subsegment");
        value
    }

    fn hide_ids(list: &mut Value, kind: &str) {
        for item in list.as_array_mut().unwrap() {
            let id = item["id"].as_str().unwrap();
            assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            item["id"] = kind.into();
        }
    }

    #[test]
    fn the_segment_is_the_one_that_the_runtime_was_told_of() {
        let own = SpanId::parse("00000000000000bb").unwrap();
        let tracing = TracingCtx::sampled(TRACE).map(|tracing| tracing.below(own));
        let mut recorder = Recorder::default();
        recorder.invoke_start(&InvokeStartData { tracing, ..start("r-1", TRACE) }, at(0));
        let place = recorder.report(&report("r-1"), at(1)).unwrap().place;
        assert_eq!((place.segment, place.parent), (own, SpanId::parse("53995c3f42cd8ad8")));
    }

    #[test]
    fn the_first_invocation_has_the_initialisation_and_the_next_has_not() {
        let mut recorder = Recorder::default();
        recorder.init_start(&init_start(), at(0));
        recorder.init_report(at(79));
        recorder.invoke_start(&start("r-1", TRACE), at(80));
        recorder.runtime_done(&runtime_done("r-1"), at(92));
        let first = recorder.report(&report("r-1"), at(93));
        let json = String::from_utf8(first.as_ref().unwrap().to_json(usize::MAX).unwrap()).unwrap();
        assert!(
            json.starts_with(
                r#"{"name":"shop","id":"53995c3f42cd8ad8","trace_id":"1-5759e988-bd862e3fe1be46a994272793","parent_id":"00000000000000aa","start_time":1789456390.08,"end_time":1789456390.093,"origin":"AWS::Lambda::Function","aws":{"account_id":"123456789012","function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop","request_id":"r-1","resource_names":["shop"]},"subsegments":[{"id":""#
            ),
            "{json}"
        );
        assert_eq!(
            document(first)["subsegments"],
            json!([
                {"id": "subsegment", "name": "Initialization", "start_time": 1_789_456_390.0, "end_time": 1_789_456_390.079},
                {"id": "subsegment", "name": "Invocation", "start_time": 1_789_456_390.08, "end_time": 1_789_456_390.092},
                {"id": "subsegment", "name": "Overhead", "start_time": 1_789_456_390.092, "end_time": 1_789_456_390.093},
            ])
        );

        recorder.invoke_start(&start("r-2", TRACE), at(100));
        recorder.runtime_done(&runtime_done("r-2"), at(110));
        let second = document(recorder.report(&report("r-2"), at(111)));
        let names: Vec<_> = second["subsegments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["Invocation", "Overhead"]);
        assert_eq!((&second["fault"], &second["cause"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn an_invocation_that_is_not_sampled_has_no_segment_and_uses_up_the_initialisation() {
        let mut recorder = Recorder::default();
        recorder.init_start(&init_start(), at(0));
        recorder.init_report(at(79));
        recorder.invoke_start(&start("r-1", "Root=1-a-b;Sampled=0"), at(80));
        assert!(recorder.report(&report("r-1"), at(90)).is_none());
        recorder.invoke_start(&start("r-2", TRACE), at(100));
        let parts = document(recorder.report(&report("r-2"), at(111)));
        assert_eq!(parts["subsegments"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_cause_that_the_runtime_gives_is_in_the_segment_with_ids() {
        let mut recorder = Recorder::default();
        recorder.invoke_start(&start("r-1", TRACE), at(0));
        let cause = RawValue::from_string(
            r#"{"exceptions":[{"message":"no","type":"ValueError","stack":[{"path":"app.py","line":3,"label":"handler"}]}],"working_directory":"/var/task","paths":["/var/task/app.py"]}"#.into(),
        )
        .unwrap();
        recorder.error_cause(&id("r-1"), &cause);
        recorder.runtime_done(&runtime_done("r-1"), at(5));
        let document = document(recorder.report(&report("r-1"), at(6)));
        assert_eq!(document["fault"], true);
        assert_eq!(document["subsegments"][0]["fault"], true);
        assert_eq!(
            document["cause"],
            json!({
                "working_directory": "/var/task",
                "paths": ["/var/task/app.py"],
                "exceptions": [{
                    "id": "exception",
                    "message": "no",
                    "type": "ValueError",
                    "stack": [{"path": "app.py", "line": 3, "label": "handler"}],
                }],
            })
        );
    }

    #[test]
    fn a_cause_with_nulls_and_a_message_only_is_an_exception() {
        let mut recorder = Recorder::default();
        recorder.invoke_start(&start("r-1", TRACE), at(0));
        let cause = r#"{"exceptions":null,"working_directory":"","paths":null,"message":"cut..."}"#;
        recorder.error_cause(&id("r-1"), &RawValue::from_string(cause.into()).unwrap());
        let document = document(recorder.report(&report("r-1"), at(6)));
        let expected = json!({"exceptions": [{"id": "exception", "message": "cut..."}]});
        assert_eq!(document["cause"], expected);
    }

    #[test]
    fn what_the_platform_ran_into_is_the_cause_when_the_runtime_gives_none() {
        let error = |status, error_type, reported: bool| {
            let mut recorder = Recorder::default();
            recorder.invoke_start(&start("r-1", TRACE), at(0));
            let mut done = runtime_done("r-1");
            done.internal_metrics = Some(InvokeResponseMetrics {
                runtime_called_response: !reported,
                ..InvokeResponseMetrics::default()
            });
            recorder.runtime_done(&done, at(5));
            let report = ReportData { status: Some(status), error_type, ..report("r-1") };
            let document = document(recorder.report(&report, at(6)));
            assert_eq!(document["fault"], true);
            document["cause"]["exceptions"].clone()
        };
        assert_eq!(
            error(Status::Error, Some(ErrorType::RuntimeExitError), false),
            json!([{"id": "exception", "type": "Runtime.ExitError"}])
        );
        assert_eq!(
            error(Status::Timeout, None, false),
            json!([{"id": "exception", "message": "the function timed out"}])
        );
        assert_eq!(
            error(Status::Success, None, true),
            json!([{"id": "exception", "message": "the function reported an error"}])
        );
    }

    #[test]
    fn a_cause_that_is_none_or_too_long_or_of_nobody_is_left_out() {
        let mut recorder = Recorder::default();
        recorder.invoke_start(&start("r-1", TRACE), at(0));
        let odd = RawValue::from_string(r#"{"exceptions":[{"message":1}]}"#.into()).unwrap();
        recorder.error_cause(&id("r-1"), &odd);
        recorder.error_cause(&id("nobody"), &odd);
        let done = recorder.report(&report("r-1"), at(6));
        assert_eq!(document(done)["fault"], Value::Null);

        recorder.invoke_start(&start("r-2", TRACE), at(0));
        let long = format!(r#"{{"message":"{}"}}"#, "m".repeat(60_000));
        recorder.error_cause(&id("r-2"), &RawValue::from_string(long).unwrap());
        let segment = recorder.report(&report("r-2"), at(6)).unwrap();
        let whole = segment.to_json(usize::MAX).unwrap();
        assert!(whole.len() > 60_000);
        let brief = segment.to_json(whole.len() - 1).unwrap();
        assert!(brief.len() < 1000 && segment.to_json(brief.len() - 1).is_none());
    }

    #[test]
    fn a_restoration_is_part_of_the_invocation_after_it() {
        let mut recorder = Recorder::default();
        recorder.restore_runtime_done(at(50));
        recorder.invoke_start(&start("r-1", TRACE), at(60));
        let mut report = report("r-1");
        report.metrics.restore_duration = Some(Duration::from_millis(20));
        let parts = document(recorder.report(&report, at(70)));
        assert_eq!(
            parts["subsegments"][0],
            json!({"id": "subsegment", "name": "Restore", "start_time": 1_789_456_390.03, "end_time": 1_789_456_390.05})
        );
    }

    #[test]
    fn invocations_at_once_are_told_apart_and_their_number_is_bounded() {
        let mut recorder = Recorder::default();
        for number in 0..MAX_OPEN + 1 {
            recorder.invoke_start(&start(&format!("r-{number}"), TRACE), at(number as u64));
        }
        assert!(recorder.report(&report(&format!("r-{MAX_OPEN}")), at(5000)).is_none());
        for number in (0..MAX_OPEN).rev() {
            let segment = recorder.report(&report(&format!("r-{number}")), at(5000)).unwrap();
            assert_eq!(segment.time, Interval { start: at(number as u64), end: at(5000) });
        }
        assert!(recorder.open.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_parts_empty() {
        let mut recorder = Recorder::default();
        recorder.invoke_start(&start("r-1", TRACE), at(100));
        recorder.runtime_done(&runtime_done("r-1"), at(50));
        let segment = recorder.report(&report("r-1"), at(20)).unwrap();
        assert_eq!(segment.time, Interval { start: at(100), end: at(100) });
        assert!(segment.subsegments.iter().all(|part| part.time.start <= part.time.end));
    }
}
