#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod delivery;
mod error_cause;
mod event;
mod extension;
mod init_error;
mod metadata;
mod routes;
mod serve;
mod settings;
mod stream;
mod throttle;
mod upload;
mod wire;

pub use error_cause::error_cause;
pub use metadata::Metadata;
pub use routes::{ConnectionGeneration, router};
pub use serve::serve;
pub use settings::Settings;
pub use throttle::{Bandwidth, BandwidthError};
