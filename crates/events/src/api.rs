//! [`EventsApi`]: who wants to know what happens.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rapid_interop::{InvokeErrorTraceData, Mono, RequestId};

use crate::{
    Anchor, Api, EndData, ExtensionInitData, FaultData, ImageErrorLogData, InitReportData,
    InitRuntimeDoneData, InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, ReportData, RestoreReportData, RestoreRuntimeDoneData, RestoreStartData, Span,
    SubscriptionData,
};

/// What [`EventsApi::flush`] gives: everything told has arrived when it resolves.
pub type Flush = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Receives platform events, in the order in which they happen.
///
/// The engine calls it between two steps of the lifecycle: implementations must not wait. They
/// clone what they keep, which is cheap: texts are shared. Every method does nothing unless it is
/// implemented. A pair of receivers is a receiver, whose first is told first; and so is a receiver
/// that may be missing.
///
/// # Source
/// Interop types, "`EventsAPI`"; Lifecycle, "Platform events".
pub trait EventsApi: Send + Sync + 'static {
    /// What follows belongs to this invocation.
    fn set_current_request_id(&self, _id: &RequestId) {}
    /// An invocation was refused because nothing was free to run it.
    fn send_throttle(&self, _id: &RequestId) {}
    /// An initialisation begins.
    fn send_init_start(&self, _data: &InitStartData) {}
    /// The runtime's part of the initialisation has ended.
    fn send_init_runtime_done(&self, _data: &InitRuntimeDoneData) {}
    /// How an extension came out of the initialisation.
    fn send_extension_init(&self, _data: &ExtensionInitData) {}
    /// The initialisation has ended.
    fn send_init_report(&self, _data: &InitReportData) {}
    /// A restoration from a snapshot begins. The engine does not restore, so it tells neither this
    /// nor what belongs to it; it is there for whoever does.
    fn send_restore_start(&self, _data: &RestoreStartData) {}
    /// The runtime's part of a restoration has ended.
    fn send_restore_runtime_done(&self, _data: &RestoreRuntimeDoneData) {}
    /// The restoration has ended.
    fn send_restore_report(&self, _data: &RestoreReportData) {}
    /// An invocation begins.
    fn send_invoke_start(&self, _data: &InvokeStartData) {}
    /// What the runtime has said about the cause of the invocation's error, for tracers; comes
    /// before the end of the runtime's part.
    fn send_error_cause(&self, _id: &RequestId, _trace: &InvokeErrorTraceData) {}
    /// The runtime's part of the invocation has ended.
    fn send_invoke_runtime_done(&self, _data: &InvokeRuntimeDoneData) {}
    /// An extension that was told of the invocation has dealt with it: it asks for the next event.
    fn send_extension_done(&self, _id: &RequestId, _extension: &str) {}
    /// What extensions took of the invocation; comes before the report that has it, too.
    fn send_report_span(&self, _span: &Span) {}
    /// The invocation failed; comes before its end.
    fn send_fault(&self, _data: &FaultData) {}
    /// The invocation has ended.
    fn send_end(&self, _data: &EndData) {}
    /// What the invocation took; follows [`EventsApi::send_end`].
    fn send_report(&self, _data: &ReportData) {}
    /// An image's command could not be started.
    fn send_image_error_log(&self, _data: &ImageErrorLogData) {}
    /// An extension has subscribed to `api`, or has asked for the same again.
    fn send_subscription(&self, _api: Api, _data: &SubscriptionData) {}

    /// Passes on what was told so far: it has arrived when the future resolves, which it does
    /// after `budget` at the latest. `None` if there is nothing to wait for.
    fn flush(&self, _budget: Duration) -> Option<Flush> {
        None
    }

    /// The last that an invocation has logged; `None` if nobody kept it.
    fn fetch_tail_logs(&self, _id: &RequestId) -> Option<Bytes> {
        None
    }

    /// The spans for [`InvokeRuntimeDoneData`], from whoever wants them: receivers that do answer
    /// with [`crate::runtime_done_spans`], so that nobody works them out in vain.
    fn runtime_done_spans(
        &self,
        _anchor: Anchor,
        _runtime_started: Option<Mono>,
        _response: Option<&InvokeResponseMetrics>,
        _runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        Vec::new()
    }
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventsApi for NoEvents {}

/// The methods that only tell, for a receiver that passes them on to those in `$receivers`.
macro_rules! tell {
    ($self:ident, $($receivers:expr),+) => {
        tell! { @ $self, [$($receivers),+],
            set_current_request_id(id: &RequestId)
            send_throttle(id: &RequestId)
            send_init_start(data: &InitStartData)
            send_init_runtime_done(data: &InitRuntimeDoneData)
            send_extension_init(data: &ExtensionInitData)
            send_init_report(data: &InitReportData)
            send_restore_start(data: &RestoreStartData)
            send_restore_runtime_done(data: &RestoreRuntimeDoneData)
            send_restore_report(data: &RestoreReportData)
            send_invoke_start(data: &InvokeStartData)
            send_error_cause(id: &RequestId, trace: &InvokeErrorTraceData)
            send_invoke_runtime_done(data: &InvokeRuntimeDoneData)
            send_extension_done(id: &RequestId, extension: &str)
            send_report_span(span: &Span)
            send_fault(data: &FaultData)
            send_end(data: &EndData)
            send_report(data: &ReportData)
            send_image_error_log(data: &ImageErrorLogData)
            send_subscription(api: Api, data: &SubscriptionData)
        }
    };
    (@ $self:ident, $receivers:tt, $($method:ident $arguments:tt)+) => {
        $(tell! { # $self, $receivers, $method $arguments })+
    };
    (# $self:ident, $receivers:tt, $method:ident($($argument:ident: $type:ty),+)) => {
        fn $method(&$self, $($argument: $type),+) {
            tell! { = $receivers, $method($($argument),+) }
        }
    };
    (= [$($receivers:expr),+], $method:ident $arguments:tt) => {
        $(for receiver in $receivers {
            receiver.$method $arguments;
        })+
    };
}

impl<T: EventsApi + ?Sized> EventsApi for Arc<T> {
    tell!(self, [&**self]);

    fn flush(&self, budget: Duration) -> Option<Flush> {
        (**self).flush(budget)
    }

    fn fetch_tail_logs(&self, id: &RequestId) -> Option<Bytes> {
        (**self).fetch_tail_logs(id)
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        (**self).runtime_done_spans(anchor, runtime_started, response, runtime_ready)
    }
}

/// Tells both. What is asked is asked of the first, then of the second if the first has nothing.
impl<A: EventsApi, B: EventsApi> EventsApi for (A, B) {
    tell!(self, [&self.0], [&self.1]);

    fn flush(&self, budget: Duration) -> Option<Flush> {
        match (self.0.flush(budget), self.1.flush(budget)) {
            (Some(first), Some(second)) => Some(both(first, second)),
            (only, None) | (None, only) => only,
        }
    }

    fn fetch_tail_logs(&self, id: &RequestId) -> Option<Bytes> {
        self.0.fetch_tail_logs(id).or_else(|| self.1.fetch_tail_logs(id))
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        let spans = self.0.runtime_done_spans(anchor, runtime_started, response, runtime_ready);
        if spans.is_empty() {
            self.1.runtime_done_spans(anchor, runtime_started, response, runtime_ready)
        } else {
            spans
        }
    }
}

/// Tells the receiver, if there is one.
impl<T: EventsApi> EventsApi for Option<T> {
    tell!(self, self.as_slice());

    fn flush(&self, budget: Duration) -> Option<Flush> {
        self.as_ref()?.flush(budget)
    }

    fn fetch_tail_logs(&self, id: &RequestId) -> Option<Bytes> {
        self.as_ref()?.fetch_tail_logs(id)
    }

    fn runtime_done_spans(
        &self,
        anchor: Anchor,
        runtime_started: Option<Mono>,
        response: Option<&InvokeResponseMetrics>,
        runtime_ready: Option<Mono>,
    ) -> Vec<Span> {
        self.as_ref().map_or_else(Vec::new, |receiver| {
            receiver.runtime_done_spans(anchor, runtime_started, response, runtime_ready)
        })
    }
}

/// Resolves when both have.
fn both(first: Flush, second: Flush) -> Flush {
    let mut waiting = [Some(first), Some(second)];
    Box::pin(poll_fn(move |context| {
        for flush in &mut waiting {
            if flush.as_mut().is_some_and(|flush| flush.as_mut().poll(context).is_ready()) {
                *flush = None;
            }
        }
        if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    }))
}

#[cfg(test)]
mod tests;
