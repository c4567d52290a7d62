//! Telemetry: the platform's events, and what the function and the extensions write.
//!
//! Behind the feature `telemetry`. With [`run`](crate::run) a handler says in
//! [`Handler::subscription`](crate::Handler::subscription) what it wants, and gets it in
//! [`Handler::telemetry`](crate::Handler::telemetry):
//!
//! ```no_run
//! use rapid_extension::telemetry::{Category, Destination, Received, Subscription};
//! use rapid_extension::{BoxError, Event, Handler};
//!
//! struct Shipper;
//!
//! impl Handler for Shipper {
//!     type Error = BoxError;
//!
//!     fn subscription(&self) -> Option<Subscription> {
//!         let types = [Category::Platform, Category::Function];
//!         Some(Subscription::new(&types, Destination::http(4243)).wait_for_runtime_done())
//!     }
//!
//!     async fn telemetry(&mut self, events: Vec<Received>) -> Result<(), BoxError> {
//!         eprintln!("{} events", events.len());
//!         Ok(())
//!     }
//!
//!     async fn invoke(&mut self, _: Event) -> Result<(), BoxError> {
//!         Ok(())
//!     }
//! }
//! ```
//!
//! Without `run` there are [`Client::subscribe`](crate::Client::subscribe) and [`Receiver`].
//!
//! The events themselves are those of `rapid-events`, which is here as [`events`].

mod batch;
mod receiver;
mod subscribe;
mod subscription;

/// The crate of the events: every type of record, and their JSON.
pub use rapid_events as events;
pub use rapid_events::{Category, OtherEvent, Platform, Received, Record, Schema};

pub use self::receiver::Receiver;
pub use self::subscribe::Subscribed;
pub use self::subscription::{Buffering, Destination, Subscription};
