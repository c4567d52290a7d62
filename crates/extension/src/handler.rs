//! [`Handler`]: what an extension does.

use std::future::Future;

use crate::event::Event;
use crate::register::Register;

/// Any error, as a handler's failure is kept.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What an extension does; [`run`](crate::run) calls it.
///
/// The methods can be written as `async fn`. They are called one after the other.
///
/// ```
/// use rapid_extension::{Event, Handler};
///
/// /// Counts the invocations.
/// #[derive(Default)]
/// struct Counter(u64);
///
/// impl Handler for Counter {
///     type Error = std::convert::Infallible;
///
///     async fn invoke(&mut self, _: Event) -> Result<(), Self::Error> {
///         self.0 += 1;
///         Ok(())
///     }
/// }
/// ```
///
/// # Source
/// Extensions API, "Run".
pub trait Handler: Send {
    /// How it fails: any error type, `anyhow::Error`, [`BoxError`] or a `String`. Its text is what
    /// the platform is told, in the shape that [`Client::init_error`](crate::Client::init_error)
    /// describes.
    type Error: Into<BoxError> + Send;

    /// Prepares the extension, after it has registered. By default there is nothing to prepare.
    ///
    /// The function's initialisation waits for it.
    ///
    /// # Errors
    /// A failure is reported to the platform, and ends the extension.
    fn init(
        &mut self,
        _register: &Register,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async { Ok(()) }
    }

    /// What telemetry the extension wants; by default none. It is asked once, after
    /// [`init`](Self::init).
    ///
    /// With [`Destination::Http`](crate::telemetry::Destination::Http),
    /// [`Receiver::bind`](crate::telemetry::Receiver::bind) listens at its port, and
    /// [`telemetry`](Self::telemetry) gets what comes. With
    /// [`Destination::Tcp`](crate::telemetry::Destination::Tcp) the listener is your own.
    ///
    /// A subscription that cannot be had is reported to the platform, and ends the extension.
    #[cfg(feature = "telemetry")]
    fn subscription(&self) -> Option<crate::telemetry::Subscription> {
        None
    }

    /// Hears how the platform took the subscription. By default it does not matter: in a local
    /// environment that has no telemetry the extension works on without.
    #[cfg(feature = "telemetry")]
    fn subscribed(&mut self, _answer: crate::telemetry::Subscribed) {}

    /// Takes telemetry, in the order in which it happened. By default it is dropped.
    ///
    /// It is called between the other methods, never beside one: what comes while one of them runs
    /// waits with the platform. The platform takes the events for delivered when this is called. At
    /// SHUTDOWN it is called with what still comes, and then [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// A failure is reported to the platform, and ends the extension; the platform ends the
    /// environment with it. What is not that grave should be logged instead.
    #[cfg(feature = "telemetry")]
    fn telemetry(
        &mut self,
        _events: Vec<crate::telemetry::Received>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async { Ok(()) }
    }

    /// Handles an invocation, while the function does.
    ///
    /// The invocation ends only when every extension has returned from here and asked for the next
    /// event: what can wait should. On Lambda the environment is frozen between invocations, the
    /// extension's tasks with it.
    ///
    /// # Errors
    /// A failure is reported to the platform, and ends the extension; the platform ends the
    /// environment with it. What is not that grave should be logged instead.
    fn invoke(&mut self, event: Event) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Finishes, when the environment ends. By default there is nothing to finish.
    ///
    /// [`Event::timeout`] says how much time is left until the process is killed: 2 seconds in
    /// all on Lambda.
    ///
    /// # Errors
    /// A failure ends the extension with an error, which nobody is told by then.
    fn shutdown(&mut self, _event: Event) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async { Ok(()) }
    }
}
