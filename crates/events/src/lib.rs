#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod init;
mod invoke;
mod status;

pub use api::{EventsApi, NoEvents};
pub use init::{InitReportData, InitReportMetrics, InitRuntimeDoneData, InitStartData};
pub use invoke::{
    EndData, InvokeRuntimeDoneData, InvokeStartData, LineStyle, ReportData, ReportMetrics,
    RuntimeDoneInvokeMetrics,
};
pub use status::Status;
