//! [`EventsApi`]: who wants to know what happens.

use std::sync::Arc;

use bytes::Bytes;
use rapid_interop::{Mono, RequestId};

use crate::{
    Anchor, EndData, ExtensionInitData, FaultData, ImageErrorLogData, InitReportData,
    InitRuntimeDoneData, InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, ReportData, RestoreRuntimeDoneData, Span,
};

/// Receives platform events, in the order in which they happen.
///
/// The engine calls it between two steps of the lifecycle: implementations must not wait. They
/// clone what they keep, which is cheap: texts are shared. Every method does nothing unless it is
/// implemented. A pair of receivers is a receiver; the first is told first.
///
/// # Source
/// Interop types, "`EventsAPI`"; Lifecycle, "Platform events".
pub trait EventsApi: Send + Sync + 'static {
    /// What follows belongs to this invocation.
    fn set_current_request_id(&self, _id: &RequestId) {}
    /// An initialisation begins.
    fn send_init_start(&self, _data: &InitStartData) {}
    /// The runtime's part of the initialisation has ended.
    fn send_init_runtime_done(&self, _data: &InitRuntimeDoneData) {}
    /// How an extension came out of the initialisation.
    fn send_extension_init(&self, _data: &ExtensionInitData) {}
    /// The initialisation has ended.
    fn send_init_report(&self, _data: &InitReportData) {}
    /// The runtime's part of a restoration has ended.
    fn send_restore_runtime_done(&self, _data: &RestoreRuntimeDoneData) {}
    /// An invocation begins.
    fn send_invoke_start(&self, _data: &InvokeStartData) {}
    /// The runtime's part of the invocation has ended.
    fn send_invoke_runtime_done(&self, _data: &InvokeRuntimeDoneData) {}
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

/// The methods that only tell, for a receiver that passes them on.
macro_rules! tell {
    ($self:ident, $($receiver:expr),+) => {
        tell! { @ $self, [$($receiver),+],
            set_current_request_id(RequestId)
            send_init_start(InitStartData)
            send_init_runtime_done(InitRuntimeDoneData)
            send_extension_init(ExtensionInitData)
            send_init_report(InitReportData)
            send_restore_runtime_done(RestoreRuntimeDoneData)
            send_invoke_start(InvokeStartData)
            send_invoke_runtime_done(InvokeRuntimeDoneData)
            send_report_span(Span)
            send_fault(FaultData)
            send_end(EndData)
            send_report(ReportData)
            send_image_error_log(ImageErrorLogData)
        }
    };
    (@ $self:ident, $receivers:tt, $($method:ident($data:ty))+) => {
        $(tell! { # $self, $receivers, $method($data) })+
    };
    (# $self:ident, [$($receiver:expr),+], $method:ident($data:ty)) => {
        fn $method(&$self, data: &$data) {
            $($receiver.$method(data);)+
        }
    };
}

impl<T: EventsApi + ?Sized> EventsApi for Arc<T> {
    tell!(self, (**self));

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
    tell!(self, self.0, self.1);

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

#[cfg(test)]
mod tests;
