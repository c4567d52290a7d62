//! [`Client::subscribe`]: asks for telemetry.

use http::StatusCode;

use crate::client::Client;
use crate::error::{Error, Unreadable};
use crate::telemetry::Subscription;

/// What answers a repeated request; the quotes are a part of it.
const ALREADY: &[u8] = b"\"AlreadySubscribed\"";

/// What came of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscribed {
    /// It is there.
    New,
    /// It has been there: the same request was taken before, in an earlier life of the extension
    /// for instance.
    Already,
    /// This environment has no telemetry, as local ones may: nothing will come.
    NotSupported,
}

impl Client {
    /// Subscribes to the Telemetry API, or to the Logs API: the subscription's schema says which.
    ///
    /// That is possible between [`register`](Self::register) and the first
    /// [`next_event`](Self::next_event). What happened before comes first. Several subscriptions
    /// add up. Somebody should be listening, but need not yet: the platform tries again.
    ///
    /// # Errors
    /// [`Error::NotRegistered`], or any of the API's or the connection's. [`Error::Refused`] leaves
    /// no trace, and what it complains about can be mended and sent again.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the subscription may have been taken, or not.
    /// Asking once more does no harm.
    ///
    /// # Source
    /// Telemetry API, "Subscribe request" and "Subscribe responses".
    pub async fn subscribe(&mut self, subscription: &Subscription) -> Result<Subscribed, Error> {
        let call = subscription.call();
        let body = subscription
            .body()
            .map_err(|error| Error::Unreadable { call, problem: Unreadable::NotJson(error) })?;
        let (status, answer) = self.put(call, body).await?;
        Ok(if status == StatusCode::ACCEPTED {
            Subscribed::NotSupported
        } else if answer.trim_ascii() == ALREADY {
            Subscribed::Already
        } else {
            Subscribed::New
        })
    }
}
