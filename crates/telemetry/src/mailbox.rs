//! [`Mailbox`]: a subscriber's queue between those who fill it and the task that empties it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::queue::{Batch, Pushed, Queue};

/// A queue, and what wakes those who wait for it.
///
/// One task takes from it; anybody may put into it, which never waits for the subscriber.
#[derive(Debug)]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    /// The next batch may be due at another time.
    changed: Notify,
    /// A batch is not to be waited for any longer.
    hurried: Notify,
    /// A batch is no longer out.
    returned: Notify,
}

impl Mailbox {
    pub(crate) fn new(queue: Queue) -> Self {
        let [changed, hurried, returned] = std::array::from_fn(|_| Notify::new());
        Self { queue: Mutex::new(queue), changed, hurried, returned }
    }

    pub(crate) fn push(&self, event: Bytes) {
        if self.lock().push(Instant::now(), event) == Pushed::Due {
            self.changed.notify_one();
        }
    }

    /// Adds an event from before the subscription.
    pub(crate) fn replay(&self, event: Bytes) {
        self.lock().replay(Instant::now(), event);
    }

    /// Counts events that were dropped before they got here.
    pub(crate) fn lose(&self, records: u64, bytes: u64) {
        self.lock().lose(records, bytes);
    }

    /// What waits becomes due.
    pub(crate) fn hurry(&self) {
        self.lock().hurry();
        self.changed.notify_one();
    }

    /// What waits becomes due, and what is being sent again and again is sent at once.
    pub(crate) fn flush(&self) {
        self.hurry();
        self.hurried.notify_one();
    }

    /// Waits until nothing waits and nothing is being sent.
    pub(crate) async fn settled(&self) {
        loop {
            let returned = self.returned.notified();
            if self.lock().is_settled() {
                return;
            }
            returned.await;
        }
    }

    /// Waits until [`Mailbox::flush`] is called.
    pub(crate) async fn hurried(&self) {
        self.hurried.notified().await;
    }

    /// The next batch, once it is due.
    ///
    /// # Cancel safety
    /// Nothing is taken if the future is dropped.
    pub(crate) async fn next(&self) -> Batch {
        loop {
            let due = {
                let mut queue = self.lock();
                if let Some(batch) = queue.take(Instant::now()) {
                    return batch;
                }
                queue.due()
            };
            match due {
                None => self.changed.notified().await,
                Some(due) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = tokio::time::sleep_until(due) => {}
                },
            }
        }
    }

    /// The batch that was taken has arrived.
    pub(crate) fn delivered(&self) {
        self.lock().delivered();
        self.returned.notify_waiters();
    }

    /// The batch that was taken could not be sent. Drops it if to go on trying costs later events;
    /// `false` if it is to be sent again.
    pub(crate) fn give_up(&self, error: &str) -> bool {
        let mut queue = self.lock();
        let overflowed = queue.overflowed();
        if overflowed {
            queue.gave_up(error);
            self.returned.notify_waiters();
        }
        overflowed
    }

    /// The queue is whole between any two calls, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
