#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod serve;

pub use body::{BodyError, collect};
pub use serve::{Limits, serve};
