#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod async_events;
mod bind;
mod builder;
mod clock;
mod environment;
mod error;
mod hosts;
mod json_events;
mod lines;
mod log;
mod output;
mod running;
mod tracers;

pub use builder::{Builder, InitMode, TelemetryMode, UrlSettings};
pub use bytes::Bytes;
pub use error::RapidError;
pub use lines::LineEvents;
pub use rapid_async_invoke as async_invoke;
pub use rapid_engine::EngineHandle;
pub use rapid_events::{EventsApi, LineStyle, NoEvents};
pub use rapid_fatal_error::ErrorType;
pub use rapid_function_url as function_url;
pub use rapid_interop::limits::DEFAULT_SHUTDOWN_BUDGET;
pub use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal};
pub use rapid_interop::{
    ErrorInvokeResponse, InitFailure, InitSuccess, Invoke, RequestId, Shutdown, ShutdownSuccess,
    StreamableInvokeResponse,
};
pub use rapid_invoke_api::{Origins, Persona, new_trace_id};
pub use rapid_runtime_api::{Bandwidth, BandwidthError};
pub use rapid_supervisor::{Console, Guard, Reaping};
pub use running::{Bound, Running};
