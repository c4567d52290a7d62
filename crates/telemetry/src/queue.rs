//! [`Queue`]: what waits for one subscriber, when it is due, and what had to be dropped.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use crate::request::Buffering;

/// What waits for one subscriber.
///
/// It decides and does not wait: the time comes in, and [`Queue::due`] says when to come back. At
/// most one batch is out at a time. Twice of what makes a batch may wait meanwhile; what comes
/// after that is dropped and counted, and the next batch tells how much it was.
///
/// # Source
/// Telemetry API, "Batching" and "Loss".
#[derive(Debug)]
pub(crate) struct Queue {
    buffering: Buffering,
    /// Whether the subscriber is told of losses.
    tells_losses: bool,
    waiting: VecDeque<Waiting>,
    /// The bytes of all that waits.
    bytes: usize,
    /// What of it was replayed, for which the bound does not hold.
    past: Past,
    /// The number of the last event that was put in. The first one has the number 1.
    last: u64,
    /// Up to this number, events are due whatever their age.
    hurried: u64,
    /// What was dropped and is not yet told.
    loss: Loss,
    /// How many records were dropped, told or not.
    lost: u64,
    /// Something was dropped because of the batch that is out.
    overflowed: bool,
    out: Option<Out>,
}

#[derive(Debug)]
struct Waiting {
    event: Bytes,
    since: Instant,
}

/// What has to be known of the batch that is out, should it get lost.
#[derive(Debug)]
struct Out {
    records: u64,
    bytes: u64,
    loss: Loss,
}

/// What becomes of an event that is put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits with others.
    Waits,
    /// It waits, and changes when the next batch is due.
    Due,
    /// There was no room.
    Dropped,
}

/// Events that are sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The events, each one JSON object, in their order; at least one.
    pub(crate) events: Vec<Bytes>,
    /// What was dropped since the last batch that arrived, if the subscriber is to be told.
    pub(crate) loss: Option<Loss>,
}

/// What was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How many records.
    pub(crate) records: u64,
    /// How many bytes they had as JSON.
    pub(crate) bytes: u64,
    /// Why a batch was given up, if one was.
    error: Option<Box<str>>,
}

impl Loss {
    /// The reason in the service's words.
    pub(crate) fn reason(&self) -> Cow<'static, str> {
        match &self.error {
            Some(error) => format!("could not send events: {error}").into(),
            None => "Some logs were dropped because the downstream consumer is slower than the \
                     logs production rate"
                .into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
        if other.error.is_some() {
            self.error = other.error;
        }
    }
}

/// How much of what waits is from before the subscription.
#[derive(Clone, Copy, Debug)]
struct Past {
    events: usize,
    bytes: usize,
}

impl Queue {
    /// Nothing waits yet. `tells_losses`: whether the subscriber takes the platform's events.
    pub(crate) const fn new(buffering: Buffering, tells_losses: bool) -> Self {
        Self {
            buffering,
            tells_losses,
            waiting: VecDeque::new(),
            bytes: 0,
            past: Past { events: 0, bytes: 0 },
            last: 0,
            hurried: 0,
            loss: Loss { records: 0, bytes: 0, error: None },
            lost: 0,
            overflowed: false,
            out: None,
        }
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, now: Instant, event: Bytes) -> Pushed {
        if !self.has_room(event.len()) {
            self.overflowed = true;
            self.lose(1, event.len() as u64);
            return Pushed::Dropped;
        }
        let was_full = self.is_enough();
        self.add(now, event);
        let changes = self.waiting.len() == 1 || (self.is_enough() && !was_full);
        if changes { Pushed::Due } else { Pushed::Waits }
    }

    /// Adds an event from before the subscription. There is always room for those: who keeps them
    /// bounds them, and the subscriber has had no chance to take any yet.
    pub(crate) fn replay(&mut self, now: Instant, event: Bytes) {
        self.past.events += 1;
        self.past.bytes += event.len();
        self.add(now, event);
    }

    fn add(&mut self, now: Instant, event: Bytes) {
        self.last += 1;
        self.bytes += event.len();
        self.waiting.push_back(Waiting { event, since: now });
    }

    /// Counts events that were dropped before they got here.
    pub(crate) fn lose(&mut self, records: u64, bytes: u64) {
        self.lose_because(records, bytes, None);
    }

    fn lose_because(&mut self, records: u64, bytes: u64, error: Option<Box<str>>) {
        self.lost = self.lost.saturating_add(records);
        self.loss.add(Loss { records, bytes, error });
    }

    /// A large event is taken if nothing else waits: else it could never be sent.
    fn has_room(&self, bytes: usize) -> bool {
        let Buffering { max_items, max_bytes, timeout: _ } = self.buffering;
        let Past { events: past, bytes: past_bytes } = self.past;
        self.waiting.is_empty()
            || (self.waiting.len() - past < 2 * max_items
                && self.bytes - past_bytes + bytes <= 2 * max_bytes)
    }

    fn is_enough(&self) -> bool {
        self.waiting.len() >= self.buffering.max_items || self.bytes >= self.buffering.max_bytes
    }

    /// All that waits is due now: nobody knows how much longer it can be delivered.
    pub(crate) const fn hurry(&mut self) {
        self.hurried = self.last;
    }

    /// The number of the last event that was put in.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Up to this number, events have arrived or were dropped.
    pub(crate) fn gone(&self) -> u64 {
        self.taken() - self.out.as_ref().map_or(0, |out| out.records)
    }

    /// Up to this number, events wait no more.
    fn taken(&self) -> u64 {
        self.last - self.waiting.len() as u64
    }

    /// When [`Queue::take`] gives a batch: an instant that may have passed; `None` while nothing
    /// waits or a batch is out.
    pub(crate) fn due(&self) -> Option<Instant> {
        let first = self.waiting.front().filter(|_| self.out.is_none())?;
        let at_once = self.taken() < self.hurried || self.is_enough();
        Some(if at_once { first.since } else { first.since + self.buffering.timeout })
    }

    /// The next batch, if it is due. It is out until [`Queue::delivered`] or [`Queue::gave_up`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<Batch> {
        if self.due()? > now {
            return None;
        }
        let (count, bytes) = self.fitting();
        // It was there first, so it goes first.
        let past = self.waiting.iter().take(count.min(self.past.events));
        self.past.bytes -= past.map(|waiting| waiting.event.len()).sum::<usize>();
        self.past.events -= count.min(self.past.events);
        let events: Vec<Bytes> = self.waiting.drain(..count).map(|waiting| waiting.event).collect();
        self.bytes -= bytes;
        self.overflowed = false;
        let loss = if self.tells_losses { std::mem::take(&mut self.loss) } else { Loss::default() };
        let told = (loss != Loss::default()).then(|| loss.clone());
        self.out = Some(Out { records: count as u64, bytes: bytes as u64, loss });
        Some(Batch { events, loss: told })
    }

    /// How many of the first events make a batch, and their bytes.
    fn fitting(&self) -> (usize, usize) {
        let Buffering { max_items, max_bytes, timeout: _ } = self.buffering;
        let (mut count, mut bytes) = (0, 0);
        for waiting in self.waiting.iter().take(max_items) {
            let with = bytes + waiting.event.len();
            if count > 0 && (bytes >= max_bytes || with > 2 * max_bytes) {
                break;
            }
            (count, bytes) = (count + 1, with);
        }
        (count, bytes)
    }

    /// The batch that was out has arrived.
    pub(crate) fn delivered(&mut self) {
        self.out = None;
    }

    /// All that waits and what is out is dropped and counted: nobody will take it.
    pub(crate) fn clear(&mut self, error: &str) {
        self.gave_up(error);
        self.lose(self.waiting.len() as u64, self.bytes as u64);
        self.waiting.clear();
        (self.bytes, self.past) = (0, Past { events: 0, bytes: 0 });
    }

    /// The batch that was out is dropped and counted, and so is the loss that it told of.
    pub(crate) fn gave_up(&mut self, error: &str) {
        let Some(Out { records, bytes, loss }) = self.out.take() else { return };
        let later = std::mem::replace(&mut self.loss, loss);
        self.loss.add(later);
        self.lose_because(records, bytes, Some(error.into()));
    }

    /// Whether events were dropped since the batch that is out was taken: to go on trying costs
    /// later ones.
    pub(crate) const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many records were dropped so far.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests;
