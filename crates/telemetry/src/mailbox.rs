//! [`Mailbox`]: a subscriber's queue between those who fill it and the task that empties it.

use std::pin::pin;
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
    state: Mutex<State>,
    /// The next batch may be due at another time.
    changed: Notify,
    /// A batch is not to be waited for any longer.
    hurried: Notify,
    /// A batch is no longer out, or an attempt to send it has failed, or nobody waits any longer.
    returned: Notify,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// How many flushes were asked for.
    asked: u64,
    /// The last flush that was asked for before an attempt that has failed.
    failed: u64,
    /// The last flush that was waited for in vain, if nothing has arrived since.
    in_vain: Option<u64>,
    /// Whether somebody was told that something was dropped, and it was not yet made up for.
    has_complained: bool,
    /// How many records were dropped when that was last looked at.
    seen_lost: u64,
}

/// Something that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flush {
    /// The first one has the number 1.
    number: u64,
    /// The number of the last event that it is about.
    last: u64,
}

/// How many flushes were asked for when an attempt to send something began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt(u64);

impl Mailbox {
    pub(crate) fn new(queue: Queue) -> Self {
        let state = State {
            queue,
            asked: 0,
            failed: 0,
            in_vain: None,
            has_complained: false,
            seen_lost: 0,
        };
        let [changed, hurried, returned] = std::array::from_fn(|_| Notify::new());
        Self { state: Mutex::new(state), changed, hurried, returned }
    }

    pub(crate) fn push(&self, events: impl Iterator<Item = Bytes>) {
        let now = Instant::now();
        let mut changes = false;
        let mut state = self.lock();
        for event in events {
            changes |= state.queue.push(now, event) == Pushed::Due;
        }
        drop(state);
        if changes {
            self.changed.notify_one();
        }
    }

    /// Adds an event from before the subscription.
    pub(crate) fn replay(&self, event: Bytes) {
        self.lock().queue.replay(Instant::now(), event);
    }

    /// Counts events that were dropped before they got here.
    pub(crate) fn lose(&self, records: u64, bytes: u64) {
        self.lock().queue.lose(records, bytes);
    }

    /// What waits becomes due.
    pub(crate) fn hurry(&self) {
        self.lock().queue.hurry();
        self.changed.notify_one();
    }

    /// What waits becomes due, and what is being sent again and again is sent at once.
    pub(crate) fn flush(&self) -> Flush {
        let flush = {
            let mut state = self.lock();
            state.queue.hurry();
            state.asked += 1;
            Flush { number: state.asked, last: state.queue.last() }
        };
        self.changed.notify_one();
        self.hurried.notify_one();
        flush
    }

    /// Waits until all that was there at the flush has arrived or was dropped, which is `true`; or
    /// until an attempt that was begun after the flush has failed, since nobody knows when one will
    /// not. Does not wait for who has let an earlier flush wait in vain and was silent since.
    pub(crate) async fn settled(&self, flush: Flush) -> bool {
        loop {
            let returned = self.returned.notified();
            {
                let state = self.lock();
                if state.queue.gone() >= flush.last {
                    return true;
                }
                let is_silent = state.in_vain.is_some_and(|earlier| earlier < flush.number);
                if is_silent || state.failed >= flush.number {
                    return false;
                }
            }
            returned.await;
        }
    }

    /// Nobody waits for this flush any longer. If it was in vain, later ones are not waited for
    /// until something arrives.
    pub(crate) fn stop_waiting(&self, flush: Flush) {
        let mut state = self.lock();
        if state.queue.gone() < flush.last {
            state.in_vain = state.in_vain.max(Some(flush.number));
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
                let queue = &mut self.lock().queue;
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

    /// An attempt to send the batch that was taken begins.
    pub(crate) fn attempt(&self) -> Attempt {
        // This attempt is what earlier flushes have hurried. First, so that none gets in between.
        pin!(self.hurried.notified()).enable();
        Attempt(self.lock().asked)
    }

    /// The attempt that began then has failed.
    pub(crate) fn failed(&self, attempt: Attempt) {
        self.lock().failed = attempt.0;
        self.returned.notify_waiters();
    }

    /// The batch that was taken has arrived.
    pub(crate) fn delivered(&self) {
        let mut state = self.lock();
        state.queue.delivered();
        state.in_vain = None;
        // Who has caught up has made up for what it missed.
        if state.queue.gone() == state.queue.last() {
            state.has_complained = false;
        }
        drop(state);
        self.returned.notify_waiters();
    }

    /// How many records were dropped so far, if it is time to say so: when the first one was, and
    /// the first one after the subscriber had caught up.
    pub(crate) fn complaint(&self) -> Option<u64> {
        let mut state = self.lock();
        let lost = state.queue.lost();
        let is_told = lost > state.seen_lost && !state.has_complained;
        state.seen_lost = lost;
        state.has_complained |= is_told;
        is_told.then_some(lost)
    }

    /// Drops and counts all that is here, for good; gives how many records were dropped so far.
    pub(crate) fn close(&self) -> u64 {
        let mut state = self.lock();
        state.queue.clear("the subscription was replaced");
        let lost = state.queue.lost();
        drop(state);
        self.returned.notify_waiters();
        lost
    }

    /// The batch that was taken could not be sent. Drops it if to go on trying costs later events;
    /// `false` if it is to be sent again.
    pub(crate) fn give_up(&self, error: &str) -> bool {
        let queue = &mut self.lock().queue;
        let overflowed = queue.overflowed();
        if overflowed {
            queue.gave_up(error);
            self.returned.notify_waiters();
        }
        overflowed
    }

    /// The state is whole between any two calls, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::request::Buffering;

    /// With an event that is sent, and sent again.
    async fn busy() -> Mailbox {
        let buffering = Buffering { timeout: Duration::ZERO, ..Buffering::default() };
        let mailbox = Mailbox::new(Queue::new(buffering, true));
        mailbox.push(iter::once(Bytes::from_static(b"{}")));
        assert_eq!(mailbox.next().await.events, [b"{}".as_slice()]);
        mailbox
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_flush_waits_until_everything_has_arrived() {
        let mailbox = busy().await;
        let mut settled = pin!(mailbox.settled(mailbox.flush()));
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        mailbox.delivered();
        assert_eq!(poll(settled), Poll::Ready(true));
        assert_eq!(poll(pin!(mailbox.settled(mailbox.flush()))), Poll::Ready(true));
    }

    #[tokio::test]
    async fn a_flush_is_about_what_was_there_and_not_about_what_comes() {
        let mailbox = busy().await;
        let mut settled = pin!(mailbox.settled(mailbox.flush()));
        mailbox.push(iter::once(Bytes::from_static(b"{}")));
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        mailbox.delivered();
        assert_eq!(poll(settled), Poll::Ready(true));
    }

    #[tokio::test]
    async fn who_was_silent_is_not_waited_for_again_until_something_has_arrived() {
        let mailbox = busy().await;
        let (first, second) = (mailbox.flush(), mailbox.flush());
        mailbox.stop_waiting(first);
        // Another attempt that begins is no sign of life.
        mailbox.failed(mailbox.attempt());
        mailbox.attempt();
        assert_eq!(poll(pin!(mailbox.settled(second))), Poll::Ready(false));
        let third = mailbox.flush();
        assert_eq!(poll(pin!(mailbox.settled(third))), Poll::Ready(false));
        mailbox.delivered();
        assert_eq!(poll(pin!(mailbox.settled(third))), Poll::Ready(true));
        mailbox.push(iter::once(Bytes::from_static(b"{}")));
        mailbox.next().await;
        mailbox.attempt();
        let fourth = mailbox.flush();
        // What a flush had no part in was not in vain.
        mailbox.stop_waiting(third);
        assert_eq!(poll(pin!(mailbox.settled(fourth))), Poll::Pending);
    }

    #[tokio::test]
    async fn an_attempt_uses_up_the_hurry_of_earlier_flushes() {
        let mailbox = busy().await;
        mailbox.flush();
        let attempt = mailbox.attempt();
        mailbox.failed(attempt);
        assert_eq!(poll(pin!(mailbox.hurried())), Poll::Pending);
        mailbox.attempt();
        mailbox.flush();
        assert_eq!(poll(pin!(mailbox.hurried())), Poll::Ready(()));
    }

    #[tokio::test]
    async fn a_loss_is_told_once_until_the_subscriber_has_caught_up() {
        let mailbox = busy().await;
        assert_eq!(mailbox.complaint(), None);
        mailbox.lose(2, 20);
        assert_eq!(mailbox.complaint(), Some(2));
        mailbox.lose(1, 10);
        assert_eq!(mailbox.complaint(), None);
        mailbox.push(iter::once(Bytes::from_static(b"{}")));
        mailbox.delivered();
        mailbox.lose(1, 10);
        assert_eq!(mailbox.complaint(), None, "something waited still");
        mailbox.next().await;
        mailbox.delivered();
        assert_eq!(mailbox.complaint(), None);
        mailbox.lose(1, 10);
        assert_eq!(mailbox.complaint(), Some(5));
    }

    #[tokio::test]
    async fn closing_drops_all_and_keeps_nobody_waiting() {
        let mailbox = busy().await;
        mailbox.push(iter::once(Bytes::from_static(b"{}")));
        let mut settled = pin!(mailbox.settled(mailbox.flush()));
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        assert_eq!(mailbox.close(), 2);
        assert_eq!(poll(settled), Poll::Ready(true));
    }

    #[tokio::test]
    async fn a_flush_waits_for_nobody_who_fails_after_it() {
        let mailbox = busy().await;
        let attempt = mailbox.attempt();
        let mut settled = pin!(mailbox.settled(mailbox.flush()));
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        // This one was under way already: the next one may do better, and is not put off.
        mailbox.failed(attempt);
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        assert_eq!(poll(pin!(mailbox.hurried())), Poll::Ready(()));
        let attempt = mailbox.attempt();
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        mailbox.failed(attempt);
        assert_eq!(poll(settled), Poll::Ready(false));
        // The next flush gives it another chance.
        let mut settled = pin!(mailbox.settled(mailbox.flush()));
        assert_eq!(poll(settled.as_mut()), Poll::Pending);
        mailbox.delivered();
        assert_eq!(poll(settled), Poll::Ready(true));
    }
}
