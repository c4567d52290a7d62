//! The engine with processes that are only played, on a clock that the tests turn.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod events;
mod extensions;
mod heard;
mod runtime;
mod streaming;
mod world;
