//! The harness of the end-to-end tests: starts the real `rapid` binary, talks to it over raw
//! sockets, and looks at what it does from outside.
//!
//! Beside the stack: nothing depends on it, and it depends on no crate of the workspace, so that a
//! test sees what a user sees.
//!
//! ```no_run
//! use rapid_e2e::{Options, Rapid, event};
//!
//! let rapid = Rapid::serve(Options::fixture());
//! let reply = rapid.invoke(event("echo").to_string());
//! assert_eq!(reply.status, 200);
//! rapid.wait_for_line("REPORT RequestId", rapid_e2e::DEADLINE);
//! rapid.term();
//! assert_eq!(rapid.exit_code(rapid_e2e::DEADLINE), Some(0));
//! ```
//!
//! It does not know any client library; what has to be tested with one starts it as the command of
//! [`Options::command`].
//!
//! Whatever fails in here panics with what was expected and what was there, since its only callers
//! are tests.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the callers are tests, and a panic is how a test fails"
)]

mod agent;
mod binary;
mod command;
pub mod extension;
mod extensions;
mod fixture;
mod host;
pub mod http;
mod options;
pub mod processes;
mod stream;
mod subscriber;
mod wait;

pub use agent::Agent;
pub use binary::{fixture_extension, fixture_runtime, rapid_binary};
pub use command::{Finished, run};
pub use extensions::Extensions;
pub use fixture::{error_body, event, figure};
pub use host::Rapid;
pub use http::{Connection, Reply, Request};
pub use options::Options;
pub use stream::Stream;
pub use subscriber::{Batch, Subscriber, answer, bind, receive_batch};
pub use wait::{DEADLINE, epoch_ms, eventually, eventually_some};
