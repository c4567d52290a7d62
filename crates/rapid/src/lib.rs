#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod clock;
mod environment;
mod error;
mod json_events;
mod lines;
mod log;
mod output;
mod running;

pub use builder::{Builder, InitMode};
pub use bytes::Bytes;
pub use error::RapidError;
pub use lines::LineEvents;
pub use rapid_engine::EngineHandle;
pub use rapid_events::{EventsApi, LineStyle, NoEvents};
pub use rapid_fatal_error::ErrorType;
pub use rapid_interop::limits::DEFAULT_SHUTDOWN_BUDGET;
pub use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal};
pub use rapid_interop::{
    ErrorInvokeResponse, InitFailure, InitSuccess, Invoke, RequestId, Shutdown, ShutdownSuccess,
    StreamableInvokeResponse,
};
pub use rapid_invoke_api::{Persona, new_trace_id};
pub use rapid_supervisor::{Console, Guard, Reaping};
pub use running::{Bound, Running};
