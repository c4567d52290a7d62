//! What `cargo xtask bench` measures with: a runtime, a load generator, subscribers, and a bare
//! relay that is the floor.
//!
//! Beside the stack: it knows no crate of the workspace, so that nothing it measures is part of
//! the ruler. Every tool makes as few system calls as the protocol allows, one write and usually
//! one read a message, and allocates nothing once it runs: whatever it took would be added to
//! what is measured.

#![forbid(unsafe_code)]

mod connection;
mod flags;
mod head;
pub mod load;
pub mod percentile;
pub mod relay;
pub mod runtime;
pub mod stream;
pub mod subscriber;

pub use connection::{Connection, Message};
pub use flags::Flags;

use std::process::ExitCode;

/// Ends a tool: what went wrong is on standard error, with the tool's name.
pub fn finish(tool: &str, result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{tool}: {error}");
            ExitCode::FAILURE
        }
    }
}
