//! [`AsyncInvoke`]: the queue of events, as those see it who fill it.

use std::sync::Arc;
use std::time::Duration;

use rapid_interop::Invoke;
use rapid_interop::limits::MAX_ASYNC_REQUEST_SIZE;
use rapid_interop::ports::InvokePort;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::Config;
use crate::dispatch::{Drained, Shared, dispatch};
use crate::error::{AsyncInvokeError, Refusal};
use crate::event::Event;
use crate::json;
use crate::ledger::{Ledger, Pending};
use crate::policy::Policy;
use crate::store::{Left, Store};
use crate::target::Target;

/// Accepts events, and sees to it that each comes to its end. A clone is another handle.
///
/// Every accepted event runs at least once, and leaves only when it has succeeded, or when its
/// final record has gone to its destinations, or could not be delivered, which is logged as an
/// error. With a directory this holds however often the process is killed.
///
/// When the last handle is dropped, what has not come to its end stays in the directory, or is lost
/// when there is none: see [`AsyncInvoke::drain`].
#[derive(Clone, Debug)]
pub struct AsyncInvoke {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Says until when to go on once nothing is accepted any more.
    stop: watch::Sender<Option<Instant>>,
    drained: watch::Receiver<Option<Drained>>,
}

impl AsyncInvoke {
    /// Opens the queue, and goes on with the events that earlier runs have left in the directory.
    ///
    /// Has to be called inside a tokio runtime with a timer and, for targets on the network, its
    /// network; a task of it runs the events.
    ///
    /// # Errors
    /// [`AsyncInvokeError`], when a setting is out of its range, a destination cannot be written to,
    /// or the directory cannot be used.
    pub async fn open<P: InvokePort>(config: Config, port: P) -> Result<Self, AsyncInvokeError> {
        config.policy.check()?;
        let destinations = config.destinations.clone();
        let prepared =
            tokio::task::spawn_blocking(move || destinations.iter().try_for_each(Target::prepare));
        // When the runtime ends meanwhile, nothing is told either.
        prepared.await.unwrap_or(Ok(()))?;
        let (store, left) = match &config.directory {
            Some(directory) => Store::open(directory).await?,
            None => (Store::in_memory(), Left::default()),
        };
        if !left.events.is_empty() {
            tracing::info!(events = left.events.len(), "going on with events of an earlier run");
        }
        if left.unreadable > 0 {
            tracing::error!(
                events = left.unreadable,
                "events of an earlier run cannot be read, not even their ids; they were set aside, \
                 and nobody can be told"
            );
        }
        let ledger = Ledger::new(config.max_events, config.max_bytes, left);
        let shared = Arc::new(Shared::new(config, Clock::start(), store, ledger));
        let (stop, stopping) = watch::channel(None);
        let (report, drained) = watch::channel(None);
        let task = dispatch(Arc::clone(&shared), port, stopping);
        tokio::spawn(async move {
            // Whoever drains is told; when the last handle was dropped instead, nobody can be.
            if let Err(unheard) = report.send(Some(task.await)) {
                for id in unheard.0.iter().flat_map(|drained| &drained.dropped) {
                    tracing::error!(request_id = %id, "an event is lost: nobody has drained the queue");
                }
            }
        });
        Ok(Self { handle: Arc::new(Handle { shared, stop, drained }) })
    }

    /// Accepts an event: the answer to its invoker may be 202 now.
    ///
    /// With a directory it is on the disk when this returns. It has the id of `invoke` in every
    /// attempt; client context, response mode and times of `invoke` are not for events. Ids may
    /// repeat: each call accepts an event of its own.
    ///
    /// # Errors
    /// [`Refusal`]; the event will not run then. ([`Refusal::Store`] alone cannot be that certain:
    /// a disk that fails may have kept what it says it has not.)
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the event is accepted.
    ///
    /// # Source
    /// Asynchronous invocation, "Accepting an event".
    pub async fn accept(&self, invoke: Invoke) -> Result<(), Refusal> {
        check_size(&invoke)?;
        json::check(&invoke.payload).map_err(|error| Refusal::NotJson(error.to_string().into()))?;
        self.accept_json(invoke).await
    }

    /// As [`AsyncInvoke::accept`], for an event that is known to be JSON; it is not read again.
    ///
    /// # Errors
    /// [`Refusal`], but not [`Refusal::NotJson`].
    ///
    /// # Cancel safety
    /// As [`AsyncInvoke::accept`].
    pub async fn accept_json(&self, invoke: Invoke) -> Result<(), Refusal> {
        let size = check_size(&invoke)?;
        let shared = Arc::clone(&self.handle.shared);
        // From here on the end waits for this event.
        let arriving = shared.arrivals.token();
        let seq = shared.ledger().reserve(size)?;
        // A task, so that the books balance also when the invoker goes away meanwhile.
        let storing = tokio::spawn(async move {
            let event = Event::new(invoke, shared.clock.now());
            let (id, accepted) = (event.id().clone(), event.accepted);
            let stored = shared.store.put(seq, event).await;
            match stored {
                Ok(()) => shared.ledger().admit(seq, id, accepted, size),
                Err(_) => shared.ledger().release(size),
            }
            drop(arriving);
            shared.changed.notify_one();
            stored
        });
        match storing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal::Store(error.to_string().into())),
            // The runtime is being shut down.
            Err(_) => Err(Refusal::ShuttingDown),
        }
    }

    /// How many events there are; it takes a lock for a moment, and no longer the more there are.
    #[must_use]
    pub fn pending(&self) -> Pending {
        let shared = &self.handle.shared;
        shared.ledger().pending(shared.clock.now())
    }

    /// Changes how events are tried, also those that wait already. When the next attempt of those is
    /// due stays as it was.
    ///
    /// # Errors
    /// [`AsyncInvokeError::OutOfRange`]; nothing has changed then.
    pub fn set_policy(&self, policy: Policy) -> Result<(), AsyncInvokeError> {
        policy.check()?;
        self.handle.shared.set_policy(policy);
        Ok(())
    }

    /// Stops accepting, goes on for at most `budget`, and tells what is left.
    ///
    /// With a directory only what runs already may finish: all else is safe. In memory, what is due
    /// within the budget still runs. An attempt that is cut off is repeated after a restart and
    /// costs no retry. When this returns, the directory may be opened again.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing about the end, only nobody is told.
    ///
    /// # Source
    /// Asynchronous invocation, "Retry rules": shutdown.
    pub async fn drain(&self, budget: Duration) -> Drained {
        self.handle.shared.ledger().close();
        let until = Instant::now() + budget;
        self.handle.stop.send_modify(|stop| {
            *stop = Some(stop.map_or(until, |before| before.min(until)));
        });
        let mut drained = self.handle.drained.clone();
        match drained.wait_for(Option::is_some).await {
            Ok(drained) => drained.clone().unwrap_or_default(),
            // The runtime has dropped the task.
            Err(_) => Drained::default(),
        }
    }
}

fn check_size(invoke: &Invoke) -> Result<usize, Refusal> {
    let size = invoke.payload.len();
    if size > MAX_ASYNC_REQUEST_SIZE { Err(Refusal::TooLarge { size }) } else { Ok(size) }
}
