//! [`Invocation`]: what the engine knows of an invocation, and how its invoker is answered.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use rapid_events::{Anchor, InvokeResponseMetrics, TracingCtx};
use rapid_interop::ports::{Failure, InvokeAnswer, Invoked};
use rapid_interop::time::millis;
use rapid_interop::trace::SpanId;
use rapid_interop::{
    EpochMillis, ErrorInvokeResponse, Invoke, InvokeErrorTraceData, InvokeResponseHeaders,
    InvokeResponseMode, Mono, RequestId, ResponseMetrics, ResponseMode, StreamEnd,
};
use tokio::sync::{mpsc, oneshot};

use crate::answer::Content;
use crate::message::InvokeReply;
use crate::stream;

/// An invocation that was taken in and has not ended.
pub(crate) struct Invocation {
    pub(crate) invoke: Arc<Invoke>,
    /// Of the event, in bytes.
    pub(crate) request_size: u64,
    /// The trace that it belongs to, if that is sampled.
    pub(crate) tracing: Option<TracingCtx>,
    /// `None` once the invoker was answered.
    pub(crate) reply: Option<InvokeReply>,
    /// Where an invoker that takes the response in pieces is told of its end.
    end: Option<oneshot::Sender<StreamEnd>>,
    /// What an invoker gets that waits for the log.
    held: Option<Content>,
    /// When it times out; worked out once, so that everybody is told the same.
    pub(crate) deadline: Option<EpochMillis>,
    /// When the runtime was first given the event, and what the wall clock showed then.
    pub(crate) handed: Option<(Mono, Anchor)>,
    /// When the runtime last began to answer.
    pub(crate) begun: Mono,
    /// How the runtime's answer came in, once it has.
    pub(crate) response: Option<InvokeResponseMetrics>,
    /// What the invoker was told when it was an error.
    pub(crate) told: Option<(Failure, ErrorInvokeResponse)>,
    pub(crate) trace: InvokeErrorTraceData,
}

impl Invocation {
    pub(crate) fn new(invoke: Arc<Invoke>, reply: InvokeReply, segments: bool) -> Self {
        let header = str::from_utf8(invoke.trace_id.as_bytes()).unwrap_or_default();
        let mut tracing = TracingCtx::sampled(header);
        if segments {
            tracing = tracing.map(|tracing| tracing.below(SpanId::random()));
        }
        Self {
            request_size: invoke.payload.len() as u64,
            invoke,
            tracing,
            reply: Some(reply),
            end: None,
            held: None,
            deadline: None,
            handed: None,
            begun: Mono::default(),
            response: None,
            told: None,
            trace: InvokeErrorTraceData::default(),
        }
    }

    /// Whether the invoker takes the response in pieces.
    pub(crate) fn is_streamed(&self) -> bool {
        self.invoke.response_mode == InvokeResponseMode(ResponseMode::Streaming)
    }

    /// Gives the invoker the pieces of its response, which have begun to come.
    pub(crate) fn open(&mut self, headers: InvokeResponseHeaders, pieces: mpsc::Receiver<Bytes>) {
        if let Some(reply) = self.reply.take() {
            let (stream, end) = stream::open(headers, pieces, self.invoke.id.clone());
            self.end = Some(end);
            // An invoker that has gone does not want to know; the invocation goes on all the same.
            drop(
                reply.send(Ok(Invoked { answer: InvokeAnswer::Streamed(stream), log_tail: None })),
            );
        }
    }

    /// Answers the invoker: now, or at the end if it wants the log too.
    pub(crate) fn answer(&mut self, content: Content) {
        if self.invoke.log_tail {
            self.held = Some(content);
        } else {
            self.give(content, None);
        }
    }

    /// Gives an invoker that has waited for the log what it waits for: the invocation is over.
    pub(crate) fn let_go(mut self, log_tail: impl FnOnce(&RequestId) -> Option<Bytes>) {
        if let Some(content) = self.held.take() {
            let log_tail = log_tail(&self.invoke.id);
            self.give(content, log_tail);
        }
    }

    /// As in [`Invocation::open`], who has gone does not want to know.
    fn give(&mut self, content: Content, log_tail: Option<Bytes>) {
        if let Some(end) = self.end.take() {
            let failure = match content {
                Content::Failed(failure, error) => Some((failure, error)),
                Content::Response(_) | Content::PassedOn => None,
            };
            drop(end.send(StreamEnd { failure, log_tail }));
            return;
        }
        let answer = match content {
            Content::Response(response) => InvokeAnswer::Response(response),
            Content::Failed(failure, error) => InvokeAnswer::Failed(failure, error),
            // To an invoker that had gone before it began.
            Content::PassedOn => return,
        };
        if let Some(reply) = self.reply.take() {
            drop(reply.send(Ok(Invoked { answer, log_tail })));
        }
    }

    /// What the runtime gets: with the tracing header that names the segment, if there is one.
    pub(crate) fn event(&self) -> Arc<Invoke> {
        let own = self.tracing.as_ref().filter(|tracing| tracing.span_id.is_some());
        match own.and_then(|own| HeaderValue::from_str(&own.value).ok()) {
            None => Arc::clone(&self.invoke),
            Some(trace_id) => Arc::new(Invoke { trace_id, ..Invoke::clone(&self.invoke) }),
        }
    }

    /// How the runtime has responded, for the done message: nothing unless it was streamed.
    pub(crate) fn response_metrics(&self) -> ResponseMetrics {
        let streamed = self
            .response
            .filter(|response| response.function_response_mode.0 == ResponseMode::Streaming);
        let Some(response) = streamed else { return ResponseMetrics::default() };
        let latency = self.handed.map(|(at, _)| response.start_reading_response.since(at));
        ResponseMetrics {
            runtime_response_latency_ms: latency.map_or(0.0, millis),
            runtime_produced_bytes: response.produced_bytes,
            runtime_outbound_throughput: response.outbound_throughput,
            runtime_time_throttled: response.time_shaped.unwrap_or_default(),
        }
    }

    /// Forgets the event's bytes, so that large ones are not held beside the response.
    ///
    /// Nobody can be given the event any more once the runtime has begun to answer. Whoever was
    /// given it and has not written it yet holds it too; then it is kept.
    pub(crate) fn let_go_of_the_event(&mut self) {
        if let Some(invoke) = Arc::get_mut(&mut self.invoke) {
            invoke.payload = Bytes::new();
        }
    }
}
