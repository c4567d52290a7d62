#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
#[cfg(feature = "client")]
pub mod client;
mod paced;
mod seldom;
mod serve;

pub use hyper::service::{Service, service_fn};

pub use body::{BodyError, collect, collect_with_trailers, next_piece};
pub use serve::{Limits, serve};
