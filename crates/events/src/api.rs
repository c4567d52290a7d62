//! [`EventsApi`]: who wants to know what happens.

use crate::{
    EndData, ExtensionInitData, InitReportData, InitRuntimeDoneData, InitStartData,
    InvokeRuntimeDoneData, InvokeStartData, ReportData,
};

/// Receives platform events, in the order in which they happen.
///
/// The engine calls it between two steps of the lifecycle: implementations must not wait. Every
/// method does nothing unless it is implemented.
///
/// # Source
/// Interop types, "EventsAPI"; Lifecycle, "Platform events".
pub trait EventsApi: Send + Sync + 'static {
    /// An initialisation begins.
    fn send_init_start(&self, _data: InitStartData) {}
    /// The runtime's part of the initialisation has ended.
    fn send_init_runtime_done(&self, _data: InitRuntimeDoneData) {}
    /// How an extension came out of the initialisation.
    fn send_extension_init(&self, _data: ExtensionInitData) {}
    /// The initialisation has ended.
    fn send_init_report(&self, _data: InitReportData) {}
    /// An invocation begins.
    fn send_invoke_start(&self, _data: InvokeStartData) {}
    /// The runtime's part of the invocation has ended.
    fn send_invoke_runtime_done(&self, _data: InvokeRuntimeDoneData) {}
    /// The invocation has ended.
    fn send_end(&self, _data: EndData) {}
    /// What the invocation took; follows [`EventsApi::send_end`].
    fn send_report(&self, _data: ReportData) {}
}

impl<T: EventsApi + ?Sized> EventsApi for std::sync::Arc<T> {
    fn send_init_start(&self, data: InitStartData) {
        (**self).send_init_start(data);
    }
    fn send_init_runtime_done(&self, data: InitRuntimeDoneData) {
        (**self).send_init_runtime_done(data);
    }
    fn send_extension_init(&self, data: ExtensionInitData) {
        (**self).send_extension_init(data);
    }
    fn send_init_report(&self, data: InitReportData) {
        (**self).send_init_report(data);
    }
    fn send_invoke_start(&self, data: InvokeStartData) {
        (**self).send_invoke_start(data);
    }
    fn send_invoke_runtime_done(&self, data: InvokeRuntimeDoneData) {
        (**self).send_invoke_runtime_done(data);
    }
    fn send_end(&self, data: EndData) {
        (**self).send_end(data);
    }
    fn send_report(&self, data: ReportData) {
        (**self).send_report(data);
    }
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventsApi for NoEvents {}
