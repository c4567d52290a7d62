//! [`dispatch`]: gives events their turns, one task for each that runs.

mod end;
mod turn;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapid_interop::ports::InvokePort;
use rapid_interop::{EpochMillis, RequestId};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::turn::{Permit, run, tell};
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::Files;
use crate::ledger::{Ledger, Next, Turn};
use crate::policy::Policy;
use crate::store::Store;

/// How many endings may be told at the same time. Responses are large, so there has to be a bound;
/// while it is reached, the others wait in the store.
const DELIVERIES: usize = 16;

/// What was left when the queue was drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many events stay in the directory.
    pub kept: usize,
    /// The events that are lost, because there is no directory.
    pub dropped: Vec<RequestId>,
}

/// What the handles, the dispatcher and the events' tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    /// The tasks that store events.
    pub(crate) arrivals: TaskTracker,
    /// There may be something to do.
    pub(crate) changed: Notify,
    ledger: Mutex<Ledger>,
    policy: Mutex<Policy>,
    /// One permit for each event that may run.
    slots: Arc<Semaphore>,
    /// One permit for each event whose end is told.
    deliveries: Arc<Semaphore>,
    files: Files,
}

impl Shared {
    pub(crate) fn new(config: Config, clock: Clock, store: Store, ledger: Ledger) -> Self {
        let slots = config.concurrency.get().min(Semaphore::MAX_PERMITS);
        Self {
            clock,
            store,
            arrivals: TaskTracker::new(),
            changed: Notify::new(),
            ledger: Mutex::new(ledger),
            policy: Mutex::new(config.policy.clone()),
            slots: Arc::new(Semaphore::new(slots)),
            deliveries: Arc::new(Semaphore::new(DELIVERIES)),
            files: Files::of(&config.destinations),
            config,
        }
    }

    /// Never held while anything is waited for.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

/// Gives events their turns until it is told to stop, or nobody is left to tell it; then closes the
/// store.
pub(crate) async fn dispatch<P: InvokePort>(
    shared: Arc<Shared>,
    port: P,
    mut stop: watch::Receiver<Option<Instant>>,
) -> Drained {
    let mut turns = JoinSet::new();
    // Whoever is left can still say until when, but not that it goes on.
    let end = loop {
        let wake = start_what_is_due(&shared, &port, &mut turns);
        tokio::select! {
            biased;
            changed = stop.changed() => match (changed, *stop.borrow()) {
                (Ok(()), None) => {}
                (Ok(()), Some(end)) => break end,
                (Err(_), end) => break end.unwrap_or_else(Instant::now),
            },
            () = wait(&shared, &mut turns, wake) => {}
        }
    };
    finish(&shared, &port, &mut turns, stop, end).await;
    turns.shutdown().await;
    shared.ledger().close();
    shared.arrivals.close();
    shared.arrivals.wait().await;
    let drained = what_is_left(&shared);
    shared.store.close().await;
    drained
}

/// Starts what is due and has a permit; returns when something will be due that could have one.
fn start_what_is_due<P: InvokePort>(
    shared: &Arc<Shared>,
    port: &P,
    turns: &mut JoinSet<()>,
) -> Option<EpochMillis> {
    let untold = start_telling(shared, turns);
    let take = || {
        let policy = shared.policy();
        shared.ledger().take(shared.clock.now(), &policy)
    };
    let due = give_turns(shared, &shared.slots, take, |turn, slot| {
        turns.spawn(run(Arc::clone(shared), port.clone(), turn, slot));
    });
    [untold, due].into_iter().flatten().min()
}

/// The same for the ends that are only to be told.
fn start_telling(shared: &Arc<Shared>, turns: &mut JoinSet<()>) -> Option<EpochMillis> {
    let take = || shared.ledger().take_untold(shared.clock.now());
    give_turns(shared, &shared.deliveries, take, |turn, delivery| {
        turns.spawn(tell(Arc::clone(shared), turn, delivery));
    })
}

fn give_turns(
    shared: &Arc<Shared>,
    permits: &Arc<Semaphore>,
    take: impl Fn() -> Next,
    mut start: impl FnMut(Turn, Permit),
) -> Option<EpochMillis> {
    loop {
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else { return None };
        match take() {
            Next::Turn(turn) => start(turn, Permit::new(Arc::clone(shared), permit)),
            Next::At(due) => return Some(due),
            Next::Nothing => return None,
        }
    }
}

/// Waits until there may be something to do.
async fn wait(shared: &Shared, turns: &mut JoinSet<()>, wake: Option<EpochMillis>) {
    tokio::select! {
        () = shared.changed.notified() => {}
        Some(ended) = turns.join_next() => {
            if let Err(error) = ended && error.is_panic() {
                tracing::error!(%error, "an event's task panicked; the event is tried again");
            }
        }
        () = until(shared, wake) => {}
    }
}

/// Resolves at a time, if there is one.
async fn until(shared: &Shared, at: Option<EpochMillis>) {
    match at {
        Some(at) => tokio::time::sleep_until(shared.clock.instant(at)).await,
        None => std::future::pending().await,
    }
}

/// Lets what may finish do so until `end`, or until an earlier one that is told meanwhile.
async fn finish<P: InvokePort>(
    shared: &Arc<Shared>,
    port: &P,
    turns: &mut JoinSet<()>,
    mut stop: watch::Receiver<Option<Instant>>,
    mut end: Instant,
) {
    // What is on the disk already is safe; what is not has to be tried while there is time.
    let goes_on = !shared.store.is_durable();
    loop {
        let wake = if goes_on {
            start_what_is_due(shared, port, turns)
        } else {
            // What has just ended is told; what is to be told later is safe, too.
            start_telling(shared, turns);
            None
        };
        let due_in_time = wake.is_some_and(|due| shared.clock.instant(due) <= end);
        if turns.is_empty() && shared.arrivals.is_empty() && !due_in_time {
            return;
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(end) => return,
            Ok(()) = stop.changed() => end = stop.borrow().unwrap_or(end),
            () = wait(shared, turns, wake) => {}
        }
    }
}

fn what_is_left(shared: &Shared) -> Drained {
    let ledger = shared.ledger();
    let left: Vec<RequestId> = ledger.ids().cloned().collect();
    if left.is_empty() {
        return Drained::default();
    }
    if shared.store.is_durable() {
        return Drained { kept: left.len(), dropped: Vec::new() };
    }
    Drained { kept: 0, dropped: left }
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use rapid_interop::Mono;
    use rapid_interop::ports::{Health, InvokeRefusal, Invoked};

    use super::*;
    use crate::event::tests::unqualified;
    use crate::store::Left;

    /// Throttles every event.
    #[derive(Clone)]
    struct Throttled;

    impl InvokePort for Throttled {
        async fn invoke(&self, _: rapid_interop::Invoke) -> Result<Invoked, InvokeRefusal> {
            Err(InvokeRefusal::TooManyRequests)
        }

        fn health(&self) -> Health {
            Health::Ready
        }

        fn now(&self) -> Mono {
            Mono::default()
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn nothing_wakes_while_nothing_is_due() {
        let (config, clock) = (Config::default(), Clock::start());
        let ledger = Ledger::new(9, 99, Left::default());
        let shared = Arc::new(Shared::new(config, clock, Store::in_memory(), ledger));
        let (stop, stopping) = watch::channel(None);
        let polls = Arc::new(AtomicUsize::new(0));
        let (counted, dispatched) = (Arc::clone(&polls), Arc::clone(&shared));
        let dispatcher = tokio::spawn(async move {
            let mut dispatching = pin!(dispatch(dispatched, Throttled, stopping));
            poll_fn(|context| {
                counted.fetch_add(1, Ordering::Relaxed);
                dispatching.as_mut().poll(context)
            })
            .await
        });
        let polled = || polls.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(polled(), 1, "there is no event");
        let event = unqualified("[]");
        let (id, now) = (event.id().clone(), clock.now());
        let seq = shared.ledger().reserve(2).unwrap();
        shared.store.put(seq, event).await.unwrap();
        shared.ledger().admit(seq, id, now, 2);
        shared.changed.notify_one();
        // After nine attempts it waits for 256 seconds, and then for 300 again and again.
        tokio::time::sleep(Duration::from_secs(256)).await;
        let before = polled();
        tokio::time::sleep(Duration::from_secs(250)).await;
        assert_eq!(polled(), before, "the event is not due yet");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(polled() > before, "the event was due");
        drop(stop);
        assert_eq!(dispatcher.await.unwrap().dropped.len(), 1);
    }
}
