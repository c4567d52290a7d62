#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod cors;
mod event_stream;
mod function;
mod persona;
mod request;
mod routes;
mod serve;
mod settings;
mod trace;
mod wire;

pub use cors::Origins;
pub use function::{FunctionIdentity, FunctionName, Qualified, is_account, is_region, is_version};
pub use persona::Persona;
pub use routes::router;
pub use serve::serve;
pub use settings::Settings;
pub use trace::new_trace_id;
