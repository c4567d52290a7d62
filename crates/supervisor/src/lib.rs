#![doc = include_str!("../README.md")]

mod child;
mod config;
mod console;
mod discovery;
mod error;
mod exec;
mod group;
mod guard;
mod hunt;
mod log_pipe;
mod lookup;
mod memory;
mod oom;
mod output;
mod proc;
mod reaper;
mod registry;
mod spawn;
mod stop;
mod supervisor;
mod sys;

pub use child::Child;
pub use config::{Config, Reaping};
pub use console::Console;
pub use error::SupervisorError;
pub use guard::Guard;
pub use output::{OutputSink, Stream};
pub use supervisor::Supervisor;
