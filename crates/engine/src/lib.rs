#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod clock;
mod config;
mod engine;
mod handle;
mod invocation;
mod message;
mod participants;
mod report;
mod stream;

pub use clock::Clock;
pub use config::{EngineConfig, ExtensionConfig, FunctionInfo};
pub use engine::Engine;
pub use handle::{EngineHandle, EngineReceipt, EngineUpload, ExtensionReceipt};
