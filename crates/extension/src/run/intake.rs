//! [`Intake`]: what comes beside events.

mod seen;

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use self::seen::Seen;
use crate::client::Client;
use crate::error::Error;
use crate::event::Event;
use crate::handler::Handler;
use crate::telemetry::{Destination, Received, Receiver, Subscribed, Subscription};

/// What comes beside events: telemetry.
pub(super) type Batch = Vec<Received>;

/// What happens next.
pub(super) enum Happened {
    /// The platform has an event.
    Event(Event),
    /// There is telemetry.
    Telemetry(Batch),
}

/// What telemetry is waited for.
#[derive(Clone, Copy)]
pub(super) enum Awaited<'a> {
    /// The end of the function's part in an invocation.
    RuntimeDone(&'a str),
    /// The report of the last invocation.
    LastReport,
}

/// Telemetry for a handler; `None` if it wants none, has a listener of its own, or if the platform
/// has none.
pub(super) struct Intake(Option<Open>);

struct Open {
    receiver: Receiver,
    subscription: Subscription,
    seen: Seen,
}

impl Intake {
    /// Subscribes to what the handler wants, and listens for it.
    ///
    /// # Errors
    /// [`Error::Listen`], and those of [`Client::subscribe`].
    pub(super) async fn open<H: Handler>(
        client: &mut Client,
        handler: &mut H,
    ) -> Result<Self, Error> {
        let Some(subscription) = handler.subscription() else { return Ok(Self(None)) };
        let receiver = match *subscription.destination() {
            Destination::Http { port, .. } => {
                Some(Receiver::bind(port).await.map_err(|reason| Error::Listen { port, reason })?)
            }
            Destination::Tcp { .. } => None,
        };
        let answer = client.subscribe(&subscription).await?;
        tracing::debug!(?answer, "subscribed to telemetry");
        handler.subscribed(answer);
        let receiver = receiver.filter(|_| answer != Subscribed::NotSupported);
        Ok(Self(receiver.map(|receiver| Open { receiver, subscription, seen: Seen::default() })))
    }

    /// The next event, or telemetry before it. Cancel safe.
    pub(super) async fn next(&mut self, client: &mut Client) -> Result<Happened, Error> {
        let Some(open) = &mut self.0 else { return client.next_event().await.map(Happened::Event) };
        tokio::select! {
            biased;
            batch = open.take() => Ok(Happened::Telemetry(batch)),
            event = client.next_event() => event.map(Happened::Event),
        }
    }

    /// Lets the handler have it.
    pub(super) async fn hand_over<H: Handler>(
        &self,
        batch: Batch,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        handler.telemetry(batch).await
    }

    /// An invocation begins.
    pub(super) fn begin(&mut self, event: &Event) {
        if let Some(open) = &mut self.0 {
            open.seen.invoke(&event.request_id);
        }
    }

    /// The next telemetry; `None` when there is nothing to wait for, or when the limit is reached.
    /// Cancel safe.
    pub(super) async fn until(
        &mut self,
        awaited: Awaited<'_>,
        limit: Pin<&mut Sleep>,
    ) -> Option<Batch> {
        let open = self.0.as_mut().filter(|open| open.is_outstanding(awaited))?;
        tokio::select! {
            biased;
            batch = open.take() => Some(batch),
            () = limit => None,
        }
    }

    /// The longest wait for the last report.
    pub(super) fn lingers(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |open| open.subscription.lingers())
    }

    /// Takes no more.
    pub(super) async fn close(self) {
        if let Some(open) = self.0 {
            open.receiver.close().await;
        }
    }
}

impl Open {
    async fn take(&mut self) -> Batch {
        let batch = self.receiver.next().await;
        self.seen.note(&batch);
        batch
    }

    fn is_outstanding(&self, awaited: Awaited<'_>) -> bool {
        match awaited {
            Awaited::RuntimeDone(request_id) => {
                self.subscription.awaits_runtime_done() && !self.seen.is_done(request_id)
            }
            Awaited::LastReport => {
                !(self.subscription.has_reports() && self.seen.is_all_reported())
            }
        }
    }
}
