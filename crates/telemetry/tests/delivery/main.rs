//! Subscribers of every kind, with real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod hub;
mod loss;
mod over_http;
mod over_tcp;
mod port;
mod receiver;
mod told;
mod world;
