//! [`Refusal`] and [`AsyncInvokeError`]: why an event is not accepted, and why nothing can be.

use std::path::PathBuf;

use rapid_interop::limits::MAX_ASYNC_REQUEST_SIZE;

/// Why an event was not accepted. It will not run then.
///
/// # Source
/// Asynchronous invocation, "Accepting an event". The limits of the queue are ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many events wait as may: `TooManyRequestsException`, 429.
    #[error("too many events are waiting already")]
    TooManyRequests,
    /// The event is larger than [`MAX_ASYNC_REQUEST_SIZE`]: `RequestTooLargeException`, 413.
    #[error(
        "{size} byte payload is too large for the Event invocation type (limit \
         {MAX_ASYNC_REQUEST_SIZE} bytes)"
    )]
    TooLarge {
        /// Its size, in bytes.
        size: usize,
    },
    /// The event is not JSON: `InvalidRequestContentException`, 400.
    #[error("Could not parse request body into json: Could not parse payload into json: {0}")]
    NotJson(Box<str>),
    /// No events are accepted any more: `ServiceException`, 500.
    #[error("the queue of events is shutting down")]
    ShuttingDown,
    /// The event could not be stored, so that it might be lost: `ServiceException`, 500.
    #[error("the event could not be stored: {0}")]
    Store(Box<str>),
}

/// Why events cannot be accepted at all, or not under these settings.
#[derive(Debug, thiserror::Error)]
pub enum AsyncInvokeError {
    /// A destination makes no sense, or nothing can be written there.
    #[error("'{text}' is no destination: {reason}")]
    Target {
        /// What was given, without a password.
        text: Box<str>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// A setting is out of its range.
    #[error("{name} is {value}; it has to be from {least} to {most}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// The directory cannot be used.
    #[error("could not use {}: {error}", path.display())]
    Directory {
        /// The directory, or what is in it.
        path: PathBuf,
        /// The system's reason.
        #[source]
        error: std::io::Error,
    },
    /// The events of earlier runs cannot be read.
    #[error("could not open the events in {}: {reason}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: Box<str>,
    },
}
