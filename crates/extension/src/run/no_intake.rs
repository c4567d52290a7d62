//! [`Intake`] without the feature `telemetry`: nothing comes beside events.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use crate::client::Client;
use crate::error::Error;
use crate::event::Event;
use crate::handler::Handler;

/// Nothing.
pub(super) type Batch = Infallible;

/// What happens next.
pub(super) enum Happened {
    /// The platform has an event.
    Event(Event),
    /// There is telemetry, which cannot be.
    #[expect(dead_code, reason = "nobody has any telemetry")]
    Telemetry(Batch),
}

/// What telemetry would be waited for.
#[derive(Clone, Copy)]
pub(super) enum Awaited<'a> {
    /// The end of the function's part in an invocation.
    RuntimeDone(#[expect(dead_code, reason = "nobody waits for it")] &'a str),
    /// The report of the last invocation.
    LastReport,
}

/// No telemetry.
pub(super) struct Intake;

#[expect(clippy::unused_async, reason = "with telemetry there is something to wait for")]
impl Intake {
    pub(super) async fn open<H: Handler>(_: &mut Client, _: &mut H) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self, client: &mut Client) -> Result<Happened, Error> {
        client.next_event().await.map(Happened::Event)
    }

    pub(super) async fn hand_over<H: Handler>(
        &self,
        batch: Batch,
        _: &mut H,
    ) -> Result<(), H::Error> {
        match batch {}
    }

    pub(super) const fn begin(&mut self, _: &Event) {}

    pub(super) async fn until(&mut self, _: Awaited<'_>, _: Pin<&mut Sleep>) -> Option<Batch> {
        None
    }

    pub(super) const fn lingers(&self) -> Duration {
        Duration::ZERO
    }

    pub(super) async fn close(self) {}
}
