//! [`run`]: an extension from registration to its end.

mod error;
#[cfg_attr(not(feature = "telemetry"), path = "run/no_intake.rs")]
mod intake;
mod stop;

use std::fmt::Display;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::error::RunError;
use self::intake::{Awaited, Batch, Happened, Intake};
use self::stop::{Signals, unless};
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::event::{Event, EventType};
use crate::events::Events;
use crate::handler::Handler;

/// Runs an extension, as the platform started this program: [`run_with`] with [`Client::new`].
///
/// # Errors
/// As [`run_with`], and those of [`Client::new`].
///
/// # Cancel safety
/// As [`run_until`].
///
/// # Source
/// Extensions API, "Run".
pub async fn run<H: Handler>(handler: H, events: impl Into<Events> + Send) -> Result<(), RunError> {
    run_with(Client::new()?, handler, events).await
}

/// Runs an extension with a client of your own, until SHUTDOWN, SIGTERM or SIGINT.
///
/// Otherwise as [`run_until`]: at the first signal the handler finishes the event that it has, and
/// no other is asked for. A second signal does not wait for the handler any more; its future is
/// dropped wherever it is. Both end with `Ok`.
///
/// From the call on, the two signals do not end this process by themselves any more, also not
/// after the return: that is tokio's way.
///
/// # Errors
/// As [`run_until`], and [`RunError::Signals`].
///
/// # Cancel safety
/// As [`run_until`].
///
/// # Source
/// Extensions API, "Run".
pub async fn run_with<H: Handler>(
    client: Client,
    handler: H,
    events: impl Into<Events> + Send,
) -> Result<(), RunError> {
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut running = pin!(run_until(client, handler, events, async {
        // The sender is kept for as long as this is polled; its end would mean the same.
        let _ = stopped.await;
    }));
    tokio::select! {
        biased;
        ended = &mut running => return ended,
        () = signals.next() => {}
    }
    // There is nobody to tell if the extension does not look for the end any more.
    let _ = stop.send(());
    tokio::select! {
        biased;
        ended = &mut running => ended,
        () = signals.next() => Ok(()),
    }
}

/// Runs an extension with a client of your own, until SHUTDOWN or until `stop` resolves. Signals
/// are left alone.
///
/// In order: it registers, calls [`Handler::init`], subscribes to the telemetry that the handler
/// wants, and then asks for one event after the other. INVOKE goes to [`Handler::invoke`]; SHUTDOWN
/// goes to [`Handler::shutdown`] and is the end; anything else is passed over. Telemetry is handed
/// over as it comes.
///
/// When `stop` resolves while the handler is busy, the handler finishes with the event that it
/// has. While an event is waited for, it ends at once. An event that comes at the same moment is
/// still handled. [`Handler::shutdown`] is called for SHUTDOWN only.
///
/// # Errors
/// The first of: what the API or the connection says, and what the handler says. A failure to
/// initialise or to subscribe is first reported with [`Client::init_error`], a failed invocation
/// with [`Client::exit_error`]. If the report does not arrive, the error says so beside the
/// handler's.
///
/// # Cancel safety
/// Dropping the future ends the handler wherever it is, and closes the connection; the platform is
/// not told anything. End the process then.
///
/// # Source
/// Extensions API, "Run".
pub async fn run_until<H: Handler>(
    mut client: Client,
    mut handler: H,
    events: impl Into<Events> + Send,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let mut stop = pin!(stop);
    let Some(registered) = unless(stop.as_mut(), client.register(events)).await else {
        return Ok(());
    };
    if let Err(error) = handler.init(&registered?).await {
        let error = error.into();
        let unreported = report(&mut client, Call::InitError, &error).await;
        return Err(RunError::Init { error, unreported });
    }
    let opening = Intake::open(&mut client, &mut handler);
    let intake = match unless(stop.as_mut(), opening).await {
        Some(Ok(intake)) => intake,
        Some(Err(error)) => {
            let unreported = report(&mut client, Call::InitError, &error).await;
            return Err(RunError::Subscribe { error, unreported });
        }
        None => return Ok(()),
    };
    let mut life = Life { client, handler, intake };
    loop {
        let Some(happened) = unless(stop.as_mut(), life.next()).await else {
            return Ok(());
        };
        let event = match happened? {
            Happened::Event(event) => event,
            Happened::Telemetry(batch) => {
                life.take(batch).await?;
                continue;
            }
        };
        match &event.event_type {
            EventType::Invoke => {
                if life.invoke(event, stop.as_mut()).await?.is_none() {
                    return Ok(());
                }
            }
            EventType::Shutdown => return life.shutdown(event).await,
            EventType::Other(name) => {
                tracing::debug!(event.type = name, "passed over an event of an unknown type");
            }
        }
    }
}

/// An extension that has initialised.
struct Life<H> {
    client: Client,
    handler: H,
    intake: Intake,
}

impl<H: Handler> Life<H> {
    /// What happens next. Cancel safe.
    async fn next(&mut self) -> Result<Happened, Error> {
        self.intake.next(&mut self.client).await
    }

    /// Handles an invocation and what telemetry it has to wait for; `None` when `stop` was first.
    async fn invoke(
        &mut self,
        event: Event,
        stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<Option<()>, RunError> {
        self.intake.begin(&event);
        let invoked = event.clone();
        if let Err(error) = self.handler.invoke(event).await {
            let error = error.into();
            let unreported = report(&mut self.client, Call::ExitError, &error).await;
            let request_id = invoked.request_id;
            return Err(RunError::Invoke { error, request_id, unreported });
        }
        self.settle(Awaited::RuntimeDone(&invoked.request_id), invoked.timeout(), stop).await
    }

    /// Takes what still comes, and finishes.
    async fn shutdown(mut self, event: Event) -> Result<(), RunError> {
        let limit = self.intake.lingers().min(event.timeout() / 2);
        // A signal does not cut it short: the handler is to finish, and soon.
        self.settle(Awaited::LastReport, limit, pin!(pending())).await?;
        self.intake.close().await;
        let finished = self.handler.shutdown(event).await;
        finished.map_err(|error| RunError::Shutdown { error: error.into() })
    }

    /// Takes telemetry until `awaited` has come, or until the limit; `None` when `stop` was first.
    async fn settle(
        &mut self,
        awaited: Awaited<'_>,
        limit: Duration,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<Option<()>, RunError> {
        let mut limit = pin!(tokio::time::sleep(limit));
        loop {
            let coming = self.intake.until(awaited, limit.as_mut());
            match unless(stop.as_mut(), coming).await {
                Some(Some(batch)) => self.take(batch).await?,
                Some(None) => return Ok(Some(())),
                None => return Ok(None),
            }
        }
    }

    /// Lets the handler have telemetry.
    async fn take(&mut self, batch: Batch) -> Result<(), RunError> {
        let Err(error) = self.intake.hand_over(batch, &mut self.handler).await else {
            return Ok(());
        };
        let error = error.into();
        let unreported = report(&mut self.client, Call::ExitError, &error).await;
        Err(RunError::Telemetry { error, unreported })
    }
}

/// Tells the platform of a failure; returns why it could not be told.
async fn report(client: &mut Client, call: Call, error: &(impl Display + Sync)) -> Option<Error> {
    let error_type = error.to_string();
    let reported = match call {
        Call::InitError => client.init_error(&error_type).await,
        Call::ExitError
        | Call::Register
        | Call::NextEvent
        | Call::SubscribeTelemetry
        | Call::SubscribeLogs => client.exit_error(&error_type).await,
    };
    let unreported = reported.err()?;
    tracing::warn!(%error, %unreported, "the platform could not be told of an error");
    Some(unreported)
}
