//! [`Recorder`]: platform events in, spans and measures out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, SpanKind};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use rapid_events::{
    ExtensionInitData, InitReportData, InitRuntimeDoneData, InvokeRuntimeDoneData, InvokeStartData,
    ReportData, RestoreRuntimeDoneData, Span, Status,
};
use rapid_fatal_error::ErrorType;
use rapid_interop::{InitPhase, RequestId, TenantId};
use serde_json::value::RawValue;

use super::measures::{Measure, Outcome};
use super::span::{Context, Draft, Parent, scope};
use crate::trace_header::TracePlace;
use crate::xray::Cause;

/// How many invocations may be open at once; further ones are only measured.
const MAX_OPEN: usize = 1024;
/// How many extensions an initialisation or an invocation tells of; there are fewer unless one keeps
/// failing.
const MAX_EXTENSIONS: usize = 64;
/// How much of a text of the function's is worth an attribute, in bytes.
const MAX_TEXT: usize = 1024;
/// The type of an error of which nobody knows the type.
const OTHER: &str = "_OTHER";

/// A platform event, or what else counts.
#[derive(Debug)]
pub(super) enum Happening {
    InitStart,
    InitRuntimeDone(InitRuntimeDoneData),
    Extension(ExtensionInitData),
    InitReport(InitReportData),
    RestoreRuntimeDone(RestoreRuntimeDoneData),
    Start(InvokeStartData),
    ErrorCause(RequestId, Box<RawValue>),
    RuntimeDone(InvokeRuntimeDoneData),
    ExtensionDone(RequestId, Box<str>),
    Report(ReportData),
    Throttled,
}

/// Follows the initialisations and invocations of an execution environment.
#[derive(Debug)]
pub(super) struct Recorder {
    function_name: String,
    new_traces: bool,
    scope: InstrumentationScope,
    init: Option<Init>,
    /// The initialisation that no invocation has followed yet.
    cold: Option<Cold>,
    /// The restoration from a snapshot that no invocation has followed yet.
    restored: Option<Ended>,
    open: Vec<Open>,
}

/// An initialisation that goes on.
#[derive(Debug)]
struct Init {
    context: Context,
    start: SystemTime,
    runtime: Option<Ended>,
    extensions: Vec<(ExtensionInitData, SystemTime)>,
}

/// When something ended, and with what error.
#[derive(Debug)]
struct Ended {
    at: SystemTime,
    error: Option<String>,
}

/// An initialisation that is over.
#[derive(Clone, Debug)]
struct Cold(Context);

/// An invocation that goes on.
#[derive(Debug)]
struct Open {
    request_id: RequestId,
    tenant_id: Option<TenantId>,
    /// `None` if it is in no trace.
    place: Option<(Context, Option<Parent>)>,
    start: SystemTime,
    cold: Option<Cold>,
    restored: Option<Ended>,
    cause: Option<Cause>,
    /// The end of the runtime's part, with the parts of that.
    runtime: Option<(Ended, Vec<Span>)>,
    /// When extensions were done with it.
    extensions: Vec<(Box<str>, SystemTime)>,
}

impl Recorder {
    pub(super) fn new(function_name: String, new_traces: bool) -> Self {
        Self {
            function_name,
            new_traces,
            scope: scope(),
            init: None,
            cold: None,
            restored: None,
            open: Vec::new(),
        }
    }

    /// Takes in what happened at `now`; gives out the spans that have ended with it, and what there
    /// is to measure.
    pub(super) fn observe(
        &mut self,
        happening: Happening,
        now: SystemTime,
        spans: &mut Vec<SpanData>,
    ) -> Option<Measure> {
        match happening {
            Happening::InitStart => {
                let (context, extensions) = (Context::root(now), Vec::new());
                self.init = Some(Init { context, start: now, runtime: None, extensions });
                None
            }
            Happening::InitRuntimeDone(data) => {
                if let Some(init) = &mut self.init {
                    let error = error(data.status, data.error_type.as_ref());
                    init.runtime = Some(Ended { at: now, error });
                }
                None
            }
            Happening::RestoreRuntimeDone(data) => {
                let error = error(data.status, data.error_type.as_ref());
                self.restored = Some(Ended { at: now, error });
                None
            }
            Happening::Extension(data) => {
                if let Some(init) = &mut self.init
                    && init.extensions.len() < MAX_EXTENSIONS
                {
                    init.extensions.push((data, now));
                }
                None
            }
            Happening::InitReport(data) => Some(self.init_report(&data, now, spans)),
            Happening::Start(data) => {
                self.start(data, now);
                None
            }
            Happening::ErrorCause(request_id, cause) => {
                if let Some(open) = self.find(&request_id) {
                    open.cause = Cause::parse(&cause);
                }
                None
            }
            Happening::RuntimeDone(data) => {
                self.runtime_done(data, now);
                None
            }
            Happening::ExtensionDone(request_id, extension) => {
                if let Some(open) = self.find(&request_id)
                    && open.extensions.len() < MAX_EXTENSIONS
                {
                    open.extensions.push((extension, now));
                }
                None
            }
            Happening::Report(data) => Some(self.report(&data, now, spans)),
            Happening::Throttled => Some(Measure::Throttle),
        }
    }

    fn init_report(
        &mut self,
        data: &InitReportData,
        now: SystemTime,
        spans: &mut Vec<SpanData>,
    ) -> Measure {
        if let Some(init) = self.init.take() {
            // Without an invocation there is no trace that it could belong to: it has its own, and
            // the first invocation after it is linked to it.
            self.cold = Some(Cold(init.context.clone()));
            if self.new_traces {
                self.init_spans(data, init, now, spans);
            }
        }
        Measure::Init(data.metrics.duration)
    }

    fn init_spans(
        &self,
        data: &InitReportData,
        init: Init,
        now: SystemTime,
        spans: &mut Vec<SpanData>,
    ) {
        let Init { context, start, runtime, extensions } = init;
        if let Some(Ended { at, error }) = runtime {
            let part = Draft::part_of(&context, "init runtime", start, at);
            spans.push(self.span(Draft { error, ..part }));
        }
        for (extension, end) in extensions {
            let part =
                Draft::part_of(&context, format!("extension {}", extension.name), start, end);
            let events = extension.events.join(",");
            let attributes = vec![
                KeyValue::new("rapid.extension.name", String::from(extension.name)),
                KeyValue::new("rapid.extension.state", extension.state.into_owned()),
                KeyValue::new("rapid.extension.events", events),
            ];
            let error = extension.error_type.map(String::from);
            spans.push(self.span(Draft { attributes, error, ..part }));
        }
        let phase = match data.phase {
            InitPhase::Init => "init",
            InitPhase::Invoke => "invoke",
        };
        spans.push(self.span(Draft {
            context,
            parent: None,
            kind: SpanKind::Internal,
            name: "init".into(),
            start,
            end: now,
            attributes: vec![
                KeyValue::new("rapid.init.type", data.initialization_type.as_str()),
                KeyValue::new("rapid.init.phase", phase),
            ],
            error: data.status.and_then(|status| error(status, data.error_type.as_ref())),
            links: Vec::new(),
            exception: None,
        }));
    }

    fn start(&mut self, data: InvokeStartData, now: SystemTime) {
        let (cold, restored) = (self.cold.take(), self.restored.take());
        if self.open.len() >= MAX_OPEN {
            return;
        }
        let tracing = data.tracing.as_ref();
        let place = tracing
            .and_then(|tracing| TracePlace::of_start(tracing.span_id.as_deref(), &tracing.value));
        let place = match place {
            Some(TracePlace { trace, segment, parent }) => {
                let parent = parent.map(|parent| Parent {
                    span: Context::of(trace, parent).span,
                    is_remote: true,
                });
                Some((Context::of(trace, segment), parent))
            }
            None => self.new_traces.then(|| (Context::root(now), None)),
        };
        self.open.push(Open {
            request_id: data.request_id,
            tenant_id: data.tenant_id,
            place,
            start: now,
            cold,
            restored,
            cause: None,
            runtime: None,
            extensions: Vec::new(),
        });
    }

    fn runtime_done(&mut self, data: InvokeRuntimeDoneData, now: SystemTime) {
        let Some(open) = self.find(&data.request_id) else { return };
        // To the service an error that the runtime reports is a success; to the caller it is not.
        let reported =
            data.internal_metrics.is_some_and(|metrics| !metrics.runtime_called_response);
        let error = error(data.status, data.error_type.as_ref());
        let error = error.or_else(|| reported.then(|| thrown(open.cause.as_ref())));
        open.runtime = Some((Ended { at: now, error }, data.spans));
    }

    fn report(&mut self, data: &ReportData, now: SystemTime, spans: &mut Vec<SpanData>) -> Measure {
        let index = self.open.iter().position(|open| open.request_id == data.request_id);
        let open = index.map(|index| self.open.swap_remove(index));
        let told = data.status.and_then(|status| error(status, data.error_type.as_ref()));
        let reported = open.as_ref().and_then(|open| open.runtime.as_ref()?.0.error.clone());
        let error = told.or(reported);
        let outcome = match (&error, data.status) {
            (_, Some(Status::Timeout)) => Outcome::Timeout,
            (Some(error), _) => Outcome::Error(error.clone()),
            (None, _) => Outcome::Success,
        };
        let is_cold = open.as_ref().is_some_and(|open| open.cold.is_some());
        if let Some(open) = open {
            self.invocation_spans(open, error, data.metrics.restore_duration, now, spans);
        }
        Measure::Invocation {
            outcome,
            duration: data.metrics.duration,
            is_cold,
            max_memory: data.metrics.max_memory_used_mb.map(|mb| mb.saturating_mul(1024 * 1024)),
        }
    }

    fn invocation_spans(
        &self,
        open: Open,
        error: Option<String>,
        restore: Option<Duration>,
        now: SystemTime,
        spans: &mut Vec<SpanData>,
    ) {
        let Some((context, parent)) = open.place else { return };
        let exception = open.cause.map(|cause| {
            let (kind, message) = cause.thrown();
            let at = open.runtime.as_ref().map_or(now, |(runtime, _)| runtime.at);
            let attributes = vec![
                KeyValue::new("exception.type", brief(kind).to_owned()),
                KeyValue::new("exception.message", brief(message).to_owned()),
            ];
            Event::new("exception", at, attributes, 0)
        });
        if let Some((Ended { at, error }, took)) = open.restored.zip(restore) {
            let start = at.checked_sub(took).unwrap_or(at);
            let part = Draft::part_of(&context, "restore", start, at);
            spans.push(self.span(Draft { error, ..part }));
        }
        if let Some((Ended { at, error }, parts)) = open.runtime {
            let runtime = Draft::part_of(&context, "runtime", open.start, at);
            for part in parts {
                let start = UNIX_EPOCH + Duration::from_millis(part.start.0);
                let end = start + part.duration;
                spans.push(self.span(Draft::part_of(
                    &runtime.context,
                    part.name.as_str(),
                    start,
                    end,
                )));
            }
            spans.push(self.span(Draft { error, ..runtime }));
            spans.push(self.span(Draft::part_of(&context, "overhead", at, now)));
        }
        for (extension, end) in open.extensions {
            let part = Draft::part_of(&context, format!("extension {extension}"), open.start, end);
            let attributes = vec![KeyValue::new("rapid.extension.name", String::from(extension))];
            spans.push(self.span(Draft { attributes, ..part }));
        }
        let mut attributes = vec![
            KeyValue::new("faas.invocation_id", open.request_id.to_string()),
            KeyValue::new("faas.coldstart", open.cold.is_some()),
        ];
        if let Some(tenant) = open.tenant_id {
            attributes.push(KeyValue::new("rapid.tenant_id", tenant.as_str().to_owned()));
        }
        spans.push(self.span(Draft {
            context,
            parent,
            kind: SpanKind::Server,
            name: self.function_name.clone().into(),
            start: open.start,
            end: now,
            attributes,
            error,
            links: open.cold.iter().map(|Cold(init)| init.link()).collect(),
            exception,
        }));
    }

    fn find(&mut self, request_id: &RequestId) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.request_id == *request_id)
    }

    fn span(&self, draft: Draft) -> SpanData {
        draft.into_span(self.scope.clone())
    }
}

/// The type of the error that something ended with, if it did.
fn error(status: Status, error_type: Option<&ErrorType>) -> Option<String> {
    match status {
        Status::Success => None,
        Status::Timeout => Some("timeout".to_owned()),
        Status::Error | Status::Failure => {
            Some(error_type.map_or_else(|| OTHER.to_owned(), ToString::to_string))
        }
    }
}

/// The type of the error that the runtime has reported.
fn thrown(cause: Option<&Cause>) -> String {
    let kind = cause.map_or("", |cause| cause.thrown().0);
    if kind.is_empty() { OTHER.to_owned() } else { brief(kind).to_owned() }
}

/// As much of a text as is worth an attribute.
fn brief(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
}
