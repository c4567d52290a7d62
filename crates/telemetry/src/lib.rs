#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod framing;
pub mod log_format;
#[cfg(feature = "otel")]
pub mod otel;
pub mod trace_header;
pub mod xray;

mod clock;
mod delivery;
mod error;
mod history;
mod mailbox;
mod platform_events;
mod port;
mod queue;
mod request;
mod subscriptions;
mod tail;
mod telemetry;

pub use error::SubscribeError;
pub use request::{
    Buffering, Categories, Destination, MAX_REQUEST_SIZE, Rules, Strictness, SubscribeRequest,
};
pub use subscriptions::{MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_EACH, Subscribed};
pub use tail::{LogTail, MAX_TAIL};
pub use telemetry::{MAX_FLUSH, Telemetry};
