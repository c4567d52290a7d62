#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod bootstrap;
pub mod effect;
pub mod environment;
pub mod input;
pub mod runtime;
pub mod sandbox;
pub mod stop;

pub use effect::{Answer, Effect, EndStatus, Milestone};
pub use input::{Caller, Input, Ticket, UploadEnd};
pub use runtime::Runtime;
pub use sandbox::{Policy, Sandbox};
