#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cors;
mod event;
mod head;
mod headers;
mod prelude;
mod response;
mod serve;
mod service;
mod stream;
mod told;
mod trace;
mod url;
mod wire;

pub use cors::{Allow, Cors};
pub use serve::serve;
pub use service::service;
pub use url::FunctionUrl;
pub use wire::{BoxError, ResponseBody};
