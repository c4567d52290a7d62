#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod bootstrap;
pub mod effect;
pub mod environment;
pub mod extension;
pub mod input;
pub mod runtime;
pub mod sandbox;
pub mod stop;

pub use effect::{Answer, Effect, EndStatus, ExtensionNotice, Milestone};
pub use extension::ExtensionState;
pub use input::{Caller, Found, Input, Participant, Ticket, UploadEnd};
pub use runtime::Runtime;
pub use sandbox::{Policy, Refusal, Sandbox};
