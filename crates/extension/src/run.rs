//! [`run`]: an extension from registration to its end.

mod error;
mod stop;

use std::future::Future;
use std::pin::pin;

use tokio::sync::oneshot;

pub use self::error::RunError;
use self::stop::{Signals, unless};
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::event::EventType;
use crate::events::Events;
use crate::handler::{BoxError, Handler};

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
/// In order: it registers, calls [`Handler::init`], and then asks for one event after the other.
/// INVOKE goes to [`Handler::invoke`]; SHUTDOWN goes to [`Handler::shutdown`] and is the end;
/// anything else is passed over.
///
/// When `stop` resolves while the handler is busy, the handler finishes with the event that it
/// has. While an event is waited for, it ends at once. An event that comes at the same moment is
/// still handled. [`Handler::shutdown`] is called for SHUTDOWN only.
///
/// # Errors
/// The first of: what the API or the connection says, and what the handler says. A failure to
/// initialise is first reported with [`Client::init_error`], a failed invocation with
/// [`Client::exit_error`]. If the report does not arrive, the error says so beside the handler's.
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
    loop {
        let Some(event) = unless(stop.as_mut(), client.next_event()).await else {
            return Ok(());
        };
        let event = event?;
        match &event.event_type {
            EventType::Invoke => {
                let request_id = event.request_id.clone();
                if let Err(error) = handler.invoke(event).await {
                    let error = error.into();
                    let unreported = report(&mut client, Call::ExitError, &error).await;
                    return Err(RunError::Invoke { error, request_id, unreported });
                }
            }
            EventType::Shutdown => {
                let finished = handler.shutdown(event).await;
                return finished.map_err(|error| RunError::Shutdown { error: error.into() });
            }
            EventType::Other(name) => {
                tracing::debug!(event.type = name, "passed over an event of an unknown type");
            }
        }
    }
}

/// Tells the platform of a failure of the handler; returns why it could not be told.
async fn report(client: &mut Client, call: Call, error: &BoxError) -> Option<Error> {
    let error_type = error.to_string();
    let reported = match call {
        Call::InitError => client.init_error(&error_type).await,
        Call::ExitError | Call::Register | Call::NextEvent => client.exit_error(&error_type).await,
    };
    let unreported = reported.err()?;
    tracing::warn!(%error, %unreported, "the platform could not be told of an error");
    Some(unreported)
}
