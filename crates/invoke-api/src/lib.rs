#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod function;
mod persona;
mod request;
mod routes;
mod serve;
mod trace;
mod wire;

pub use function::{FunctionIdentity, FunctionName, Qualified, is_account, is_region, is_version};
pub use persona::Persona;
pub use routes::router;
pub use serve::serve;
pub use trace::new_trace_id;
