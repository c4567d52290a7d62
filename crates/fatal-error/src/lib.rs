#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error_type;
mod first;

pub use error_type::ErrorType;
pub use first::FirstFatalError;
