#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod async_invoke;
mod clock;
mod config;
mod deliver;
mod dispatch;
mod error;
mod event;
mod json;
mod ledger;
mod outcome;
mod policy;
mod record;
mod retry;
mod store;
mod target;

pub use async_invoke::AsyncInvoke;
pub use config::Config;
pub use dispatch::Drained;
pub use error::{AsyncInvokeError, Refusal};
pub use ledger::Pending;
pub use policy::Policy;
pub use target::{Destinations, Target};
