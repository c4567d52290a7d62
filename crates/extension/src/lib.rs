#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod advice;
mod call;
mod client;
mod error;
mod error_type;
mod event;
mod events;
mod handler;
mod name;
mod register;
mod run;
#[cfg(feature = "telemetry")]
pub mod telemetry;
mod wire;

pub use call::Call;
pub use client::Client;
pub use error::{Error, Refusal, Unreadable};
pub use event::{Event, EventType, ShutdownReason, Tracing};
pub use events::Events;
pub use handler::{BoxError, Handler};
pub use register::{Register, StatusResponse};
pub use run::{RunError, run, run_until, run_with};
