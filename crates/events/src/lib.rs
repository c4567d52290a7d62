#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod extension;
mod init;
mod invoke;
mod status;

pub use api::{EventsApi, NoEvents};
pub use extension::ExtensionInitData;
pub use init::{InitReportData, InitReportMetrics, InitRuntimeDoneData, InitStartData};
pub use invoke::{
    EndData, InvokeRuntimeDoneData, InvokeStartData, LineStyle, ReportData, ReportMetrics,
    RuntimeDoneInvokeMetrics,
};
pub use status::Status;
