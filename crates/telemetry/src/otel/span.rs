//! [`Draft`]: what a span says, before it is one of the SDK's.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::trace_header;

/// The attribute that tells the type of an error.
pub(super) const ERROR_TYPE: &str = "error.type";

/// Who makes these spans and metrics.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("rapid").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// A span that has begun.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
}

impl Context {
    /// A new trace.
    pub(super) fn root(now: SystemTime) -> Self {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let trace = trace_header::TraceId::random(seconds);
        Self::of(trace, trace_header::SpanId::random())
    }

    pub(super) fn of(trace: trace_header::TraceId, span: trace_header::SpanId) -> Self {
        Self {
            trace: TraceId::from_bytes(trace.to_bytes()),
            span: SpanId::from_bytes(span.to_bytes()),
        }
    }

    /// A new span of the same trace.
    pub(super) fn child(&self) -> Self {
        let span = SpanId::from_bytes(trace_header::SpanId::random().to_bytes());
        Self { trace: self.trace, span }
    }

    /// A link to this span.
    pub(super) fn link(&self) -> Link {
        Link::with_context(self.sampled())
    }

    fn sampled(&self) -> SpanContext {
        let state = TraceState::default();
        SpanContext::new(self.trace, self.span, TraceFlags::SAMPLED, false, state)
    }
}

/// A span that has ended.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) context: Context,
    pub(super) parent: Option<Parent>,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
    pub(super) attributes: Vec<KeyValue>,
    /// The type of the error it ended with.
    pub(super) error: Option<String>,
    pub(super) links: Vec<Link>,
    /// What the function has thrown.
    pub(super) exception: Option<Event>,
}

/// The span above a span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent {
    pub(super) span: SpanId,
    /// Whether somebody else has made it.
    pub(super) is_remote: bool,
}

impl Draft {
    /// A part of the span `above`.
    pub(super) fn part_of(
        above: &Context,
        name: impl Into<Cow<'static, str>>,
        start: SystemTime,
        end: SystemTime,
    ) -> Self {
        Self {
            context: above.child(),
            parent: Some(Parent { span: above.span, is_remote: false }),
            kind: SpanKind::Internal,
            name: name.into(),
            start,
            end,
            attributes: Vec::new(),
            error: None,
            links: Vec::new(),
            exception: None,
        }
    }

    /// The SDK's form of it. A clock that was set back makes a span empty, not negative.
    pub(super) fn into_span(self, scope: InstrumentationScope) -> SpanData {
        let mut attributes = self.attributes;
        let status = match self.error {
            None => Status::Unset,
            Some(error) => {
                attributes.push(KeyValue::new(ERROR_TYPE, error.clone()));
                Status::error(error)
            }
        };
        let mut links = SpanLinks::default();
        links.links = self.links;
        let mut events = SpanEvents::default();
        events.events.extend(self.exception);
        SpanData {
            span_context: self.context.sampled(),
            parent_span_id: self.parent.map_or(SpanId::INVALID, |parent| parent.span),
            parent_span_is_remote: self.parent.is_some_and(|parent| parent.is_remote),
            span_kind: self.kind,
            name: self.name,
            start_time: self.start,
            end_time: self.end.max(self.start),
            attributes,
            dropped_attributes_count: 0,
            events,
            links,
            status,
            instrumentation_scope: scope,
        }
    }
}
