#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod display;
mod error;
mod event;
mod extension;
mod fault;
mod init;
mod invoke;
mod level;
mod line;
mod log_record;
mod platform;
mod projection;
mod received;
mod report;
mod response_metrics;
mod restore;
mod schema;
mod span;
mod status;
mod subscription;
mod timestamp;
mod trace;
mod wire;

pub use api::{EventsApi, Flush, NoEvents};
pub use error::EventsError;
pub use event::{Event, Record};
pub use extension::ExtensionInitData;
pub use fault::{FaultData, ImageErrorLogData};
pub use init::{InitReportData, InitReportMetrics, InitRuntimeDoneData, InitStartData};
pub use invoke::{EndData, InvokeRuntimeDoneData, InvokeStartData, RuntimeDoneInvokeMetrics};
pub use level::Level;
pub use line::{Line, LineStyle};
pub use log_record::LogRecord;
pub use platform::Platform;
pub use received::{OtherEvent, Received};
pub use report::{ReportData, ReportMetrics};
pub use response_metrics::{InvokeResponseMetrics, is_response_streaming_metrics};
pub use restore::{
    RestoreReportData, RestoreReportMetrics, RestoreRuntimeDoneData, RestoreStartData,
};
pub use schema::{Api, Category, Schema};
pub use span::{Anchor, Span, SpanName, extension_overhead, runtime_done_spans};
pub use status::Status;
pub use subscription::{
    LogsDroppedData, SubscriptionData, SubscriptionState, TelemetrySubscriptionMetrics,
};
pub use timestamp::Timestamp;
pub use trace::{TracingCtx, TracingType};
