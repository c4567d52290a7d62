//! [`Ledger`]: which events there are and whose turn it is, without the events themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rapid_interop::{EpochMillis, RequestId};

use crate::error::Refusal;
use crate::policy::Policy;
use crate::retry::{Input, LONGEST_BACKOFF, State, Tally, later};
use crate::store::{Found, Left};

/// How many events there are, and how old they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Events that have not run yet.
    pub queued: usize,
    /// Events that wait to be tried again.
    pub retrying: usize,
    /// Events that run, or whose end is told to destinations or waits for that.
    pub in_flight: usize,
    /// The bytes of all events, and of the responses that are kept for their reports.
    pub bytes: usize,
    /// How long ago the oldest event was accepted.
    pub oldest_age: Option<Duration>,
}

impl Pending {
    /// All events.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.queued + self.retrying + self.in_flight
    }
}

/// Which events there are and whose turn it is.
#[derive(Debug)]
pub(crate) struct Ledger {
    max_events: usize,
    max_bytes: usize,
    next: u64,
    entries: BTreeMap<u64, Entry>,
    /// Those that wait to run, by when they are due.
    due: BTreeSet<(EpochMillis, u64)>,
    /// How many of those have been tried before.
    retrying: usize,
    /// Those whose end waits to be told, by when that is due.
    untold: BTreeSet<(EpochMillis, u64)>,
    /// Of all entries, and of those that are still being stored.
    bytes: usize,
    /// How many are still being stored.
    arriving: usize,
    /// No event is accepted any more.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    id: RequestId,
    accepted: EpochMillis,
    /// Of the payload and the response that is kept.
    size: usize,
    state: State,
}

/// An event whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) seq: u64,
    pub(crate) id: RequestId,
    pub(crate) accepted: EpochMillis,
    /// `Running`, or `Finished` when it may not run any more.
    pub(crate) state: State,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Turn(Turn),
    /// Nothing before then.
    At(EpochMillis),
    Nothing,
}

impl Ledger {
    pub(crate) fn new(max_events: usize, max_bytes: usize, left: Left) -> Self {
        let mut ledger = Self {
            max_events,
            max_bytes,
            next: left.next,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            retrying: 0,
            untold: BTreeSet::new(),
            bytes: 0,
            arriving: 0,
            closed: false,
        };
        for Found { seq, id, accepted, size, state } in left.events {
            ledger.bytes = ledger.bytes.saturating_add(size);
            ledger.enter(seq, Entry { id, accepted, size, state });
        }
        ledger
    }

    /// Makes room for an event that is about to be stored, and gives it a number.
    ///
    /// # Errors
    /// [`Refusal::TooManyRequests`] or [`Refusal::ShuttingDown`].
    pub(crate) fn reserve(&mut self, size: usize) -> Result<u64, Refusal> {
        if self.closed {
            return Err(Refusal::ShuttingDown);
        }
        let events = self.entries.len() + self.arriving;
        if events >= self.max_events || self.bytes.saturating_add(size) > self.max_bytes {
            return Err(Refusal::TooManyRequests);
        }
        self.arriving += 1;
        self.bytes += size;
        let seq = self.next;
        self.next += 1;
        Ok(seq)
    }

    /// The event could not be stored.
    pub(crate) fn release(&mut self, size: usize) {
        self.arriving -= 1;
        self.bytes -= size;
    }

    /// The event has been stored, and may run.
    pub(crate) fn admit(&mut self, seq: u64, id: RequestId, accepted: EpochMillis, size: usize) {
        self.arriving -= 1;
        self.enter(seq, Entry { id, accepted, size, state: State::accepted(accepted) });
    }

    /// Takes the event whose turn it is to run, if any is due.
    pub(crate) fn take(&mut self, now: EpochMillis, policy: &Policy) -> Next {
        let next = take_first(&mut self.due, &self.entries, now);
        let Next::Turn(mut turn) = next else { return next };
        self.retrying -= usize::from(is_retry(turn.state));
        turn.state = turn.state.step(Input::Start, now, turn.accepted, policy);
        if let Some(entry) = self.entries.get_mut(&turn.seq) {
            entry.state = turn.state;
        }
        Next::Turn(turn)
    }

    /// Takes the event whose end is to be told, if any is due.
    pub(crate) fn take_untold(&mut self, now: EpochMillis) -> Next {
        take_first(&mut self.untold, &self.entries, now)
    }

    /// Takes in what an attempt has come to; returns what becomes of the event.
    pub(crate) fn step(
        &mut self,
        seq: u64,
        input: Input,
        now: EpochMillis,
        policy: &Policy,
    ) -> Option<State> {
        let entry = self.entries.get_mut(&seq)?;
        entry.state = entry.state.step(input, now, entry.accepted, policy);
        Some(entry.state)
    }

    /// Whether a response of this size may be kept until the event's next attempt, or until its end
    /// is told. It takes the place of the one before.
    pub(crate) fn keep(&mut self, seq: u64, payload: usize, response: usize) -> bool {
        let Some(entry) = self.entries.get_mut(&seq) else { return false };
        let others = self.bytes - entry.size;
        let fits = others.saturating_add(payload).saturating_add(response) <= self.max_bytes;
        entry.size = payload + if fits { response } else { 0 };
        self.bytes = others + entry.size;
        fits
    }

    /// The event waits for what comes next, as it is written down by now.
    pub(crate) fn wait(&mut self, seq: u64) {
        if let Some(entry) = self.entries.get(&seq) {
            let state = entry.state;
            self.queue_up(seq, state, EpochMillis(0));
        }
    }

    /// Something of ours went wrong while it was the event's turn: it gets another.
    pub(crate) fn put_back(&mut self, seq: u64, now: EpochMillis, policy: &Policy) {
        let Some(entry) = self.entries.get_mut(&seq) else { return };
        let state = match entry.state {
            State::Running { tally } => {
                let next = entry.state.step(Input::Fault, now, entry.accepted, policy);
                // Too old: that is found out, and told, when its turn comes.
                let late = State::Waiting { due: later(now, LONGEST_BACKOFF), tally };
                if matches!(next, State::Finished(_)) { late } else { next }
            }
            waiting_or_finished @ (State::Waiting { .. } | State::Finished(_)) => {
                waiting_or_finished
            }
        };
        entry.state = state;
        self.queue_up(seq, state, later(now, LONGEST_BACKOFF));
    }

    /// The event has come to its end.
    pub(crate) fn remove(&mut self, seq: u64) {
        if let Some(entry) = self.entries.remove(&seq) {
            self.bytes -= entry.size;
        }
    }

    /// Accepts no event any more.
    pub(crate) const fn close(&mut self) {
        self.closed = true;
    }

    /// Every event there is.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &RequestId> {
        self.entries.values().map(|entry| &entry.id)
    }

    pub(crate) fn pending(&self, now: EpochMillis) -> Pending {
        let oldest = self.entries.first_key_value();
        Pending {
            queued: self.due.len() - self.retrying,
            retrying: self.retrying,
            // What waits to be told is among them.
            in_flight: self.entries.len() - self.due.len(),
            bytes: self.bytes,
            oldest_age: oldest
                .map(|(_, entry)| Duration::from_millis(now.0.saturating_sub(entry.accepted.0))),
        }
    }

    fn enter(&mut self, seq: u64, entry: Entry) {
        self.queue_up(seq, entry.state, EpochMillis(0));
        self.entries.insert(seq, entry);
    }

    /// Puts the event where it waits; one that has ended is told of from `tell` on.
    fn queue_up(&mut self, seq: u64, state: State, tell: EpochMillis) {
        match state {
            State::Waiting { due, .. } => {
                self.retrying += usize::from(is_retry(state));
                self.due.insert((due, seq));
            }
            State::Finished(_) => {
                self.untold.insert((tell, seq));
            }
            // It waits for nothing.
            State::Running { .. } => {}
        }
    }
}

/// Takes the first of those that wait, if it is due, in the state in which it waits.
fn take_first(
    waiting: &mut BTreeSet<(EpochMillis, u64)>,
    entries: &BTreeMap<u64, Entry>,
    now: EpochMillis,
) -> Next {
    let Some(&(due, seq)) = waiting.first() else { return Next::Nothing };
    if due > now {
        return Next::At(due);
    }
    waiting.remove(&(due, seq));
    let Some(Entry { id, accepted, state, .. }) = entries.get(&seq) else { return Next::Nothing };
    Next::Turn(Turn { seq, id: id.clone(), accepted: *accepted, state: *state })
}

/// Whether an event that waits has been tried before.
fn is_retry(state: State) -> bool {
    matches!(state, State::Waiting { tally, .. } if tally != Tally::default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::retry::{Condition, Verdict};

    const NOW: EpochMillis = EpochMillis(1_000_000);

    fn ledger(max_events: usize, max_bytes: usize) -> Ledger {
        Ledger::new(max_events, max_bytes, Left::default())
    }

    fn accept(ledger: &mut Ledger, size: usize) -> Result<u64, Refusal> {
        let seq = ledger.reserve(size)?;
        ledger.admit(seq, RequestId::nil(), NOW, size);
        Ok(seq)
    }

    fn take(ledger: &mut Ledger, now: EpochMillis) -> Option<u64> {
        match ledger.take(now, &Policy::default()) {
            Next::Turn(turn) => Some(turn.seq),
            Next::At(_) | Next::Nothing => None,
        }
    }

    #[test]
    fn there_is_room_for_so_many_events_and_bytes() {
        let mut ledger = ledger(2, 10);
        let first = ledger.reserve(4).unwrap();
        assert_eq!(ledger.reserve(7), Err(Refusal::TooManyRequests));
        accept(&mut ledger, 6).unwrap();
        assert_eq!(ledger.reserve(0), Err(Refusal::TooManyRequests));
        ledger.release(4);
        assert!(accept(&mut ledger, 4).unwrap() > first);
        assert_eq!(ledger.pending(NOW).bytes, 10);
        ledger.close();
        assert_eq!(ledger.reserve(0), Err(Refusal::ShuttingDown));
    }

    #[test]
    fn the_longest_due_comes_first_and_nothing_before_its_time() {
        let mut ledger = ledger(9, 9);
        let first = accept(&mut ledger, 1).unwrap();
        let second = accept(&mut ledger, 1).unwrap();
        assert_eq!(take(&mut ledger, EpochMillis(NOW.0 - 1)), None);
        assert_eq!(take(&mut ledger, NOW), Some(first));
        let policy = Policy::default();
        let next = ledger.step(first, Input::FunctionError, NOW, &policy);
        assert!(matches!(next, Some(State::Waiting { .. })));
        ledger.wait(first);
        assert_eq!(take(&mut ledger, NOW), Some(second));
        let due = EpochMillis(NOW.0 + 60_000);
        assert_eq!(ledger.take(NOW, &policy), Next::At(due));
        assert_eq!(take(&mut ledger, due), Some(first));
        assert_eq!(ledger.take(due, &policy), Next::Nothing);
    }

    #[test]
    fn pending_counts_every_event_once() {
        let mut ledger = ledger(9, 99);
        for _ in 0..4 {
            accept(&mut ledger, 3).unwrap();
        }
        let later = EpochMillis(NOW.0 + 1500);
        let policy = Policy::default();
        assert_eq!(take(&mut ledger, NOW), Some(0));
        assert_eq!(take(&mut ledger, NOW), Some(1));
        ledger.step(1, Input::Fault, NOW, &policy);
        ledger.wait(1);
        let expected = Pending {
            queued: 2,
            retrying: 1,
            in_flight: 1,
            bytes: 12,
            oldest_age: Some(Duration::from_millis(1500)),
        };
        assert_eq!(ledger.pending(later), expected);
        assert_eq!(expected.total(), 4);
        ledger.remove(0);
        assert_eq!(ledger.pending(later).total(), 3);
    }

    #[test]
    fn a_response_is_kept_while_there_is_room() {
        let mut ledger = ledger(9, 10);
        let seq = accept(&mut ledger, 4).unwrap();
        assert_eq!(take(&mut ledger, NOW), Some(seq));
        assert!(ledger.keep(seq, 4, 6));
        assert_eq!(ledger.pending(NOW).bytes, 10);
        assert!(!ledger.keep(seq, 4, 7));
        assert_eq!(ledger.pending(NOW).bytes, 4);
        ledger.remove(seq);
        assert_eq!(ledger.pending(NOW).bytes, 0);
    }

    #[test]
    fn what_earlier_runs_have_left_goes_on() {
        let waiting = State::Waiting { due: NOW, tally: Tally { errors: 1, faults: 0 } };
        let verdict = Verdict { condition: Condition::Success, invocations: 1 };
        let found = |seq, state| Found { seq, id: RequestId::nil(), accepted: NOW, size: 2, state };
        let events = vec![found(3, waiting), found(5, State::Finished(verdict))];
        let mut ledger = Ledger::new(1, 1, Left { events, next: 9, unreadable: 0 });
        assert_eq!(ledger.pending(NOW).total(), 2);
        assert_eq!(ledger.pending(NOW).bytes, 4);
        let pending = ledger.pending(NOW);
        assert_eq!((pending.retrying, pending.in_flight), (1, 1));
        let state = State::Finished(verdict);
        let told = Turn { seq: 5, id: RequestId::nil(), accepted: NOW, state };
        assert_eq!(ledger.take_untold(NOW), Next::Turn(told));
        assert_eq!(ledger.take_untold(NOW), Next::Nothing);
        assert_eq!(take(&mut ledger, NOW), Some(3));
        assert_eq!(take(&mut ledger, NOW), None);
        ledger.remove(3);
        ledger.remove(5);
        assert_eq!(accept(&mut ledger, 1), Ok(9));
    }

    #[test]
    fn an_event_that_is_put_back_gets_another_turn() {
        let policy = Policy::default();
        let old = later(NOW, policy.max_event_age);
        for (now, due) in
            [(NOW, later(NOW, Duration::from_secs(1))), (old, later(old, LONGEST_BACKOFF))]
        {
            let mut ledger = ledger(9, 9);
            let seq = accept(&mut ledger, 1).unwrap();
            assert_eq!(take(&mut ledger, now), Some(seq));
            ledger.put_back(seq, now, &policy);
            assert_eq!(ledger.take(now, &policy), Next::At(due));
            let Next::Turn(turn) = ledger.take(due, &policy) else { panic!("it is due") };
            assert_eq!(matches!(turn.state, State::Finished(_)), now == old);
        }
    }

    #[test]
    fn an_end_waits_to_be_told_and_again_when_it_is_put_back() {
        let policy = Policy::default();
        let mut ledger = ledger(9, 9);
        let seq = accept(&mut ledger, 1).unwrap();
        assert_eq!(take(&mut ledger, NOW), Some(seq));
        ledger.step(seq, Input::Success, NOW, &policy);
        assert_eq!(ledger.take_untold(NOW), Next::Nothing, "it is not written down yet");
        ledger.wait(seq);
        assert_eq!(take(&mut ledger, NOW), None, "it does not run again");
        assert!(matches!(ledger.take_untold(NOW), Next::Turn(turn) if turn.seq == seq));
        ledger.put_back(seq, NOW, &policy);
        let due = later(NOW, LONGEST_BACKOFF);
        assert_eq!(ledger.take_untold(NOW), Next::At(due));
        assert!(matches!(ledger.take_untold(due), Next::Turn(turn) if turn.seq == seq));
        assert_eq!(ledger.pending(NOW).in_flight, 1);
    }

    proptest! {
        #[test]
        fn the_books_balance(steps in proptest::collection::vec((0_u8..6, 0_u64..400_000), 0..200)) {
            let policy = Policy::default();
            let mut ledger = ledger(5, 20);
            let (mut now, mut running, mut accepted, mut ended) = (NOW, Vec::new(), 0, 0);
            for (step, passes) in steps {
                match step {
                    0 => accepted += usize::from(accept(&mut ledger, 3).is_ok()),
                    1 => now = EpochMillis(now.0 + passes),
                    2 => match ledger.take(now, &policy) {
                        Next::Turn(turn) => running.push(turn.seq),
                        Next::At(due) => prop_assert!(due > now),
                        Next::Nothing => if let Next::Turn(turn) = ledger.take_untold(now) {
                            running.push(turn.seq);
                        },
                    },
                    3 | 4 => if let Some(seq) = running.pop() {
                        let input = [Input::Fault, Input::FunctionError][usize::from(step) - 3];
                        if let Some(State::Waiting { .. }) = ledger.step(seq, input, now, &policy) {
                            ledger.keep(seq, 3, usize::try_from(passes % 7).unwrap());
                            ledger.wait(seq);
                        } else {
                            ledger.remove(seq);
                            ended += 1;
                        }
                    },
                    _ => if let Some(seq) = running.pop() {
                        ledger.put_back(seq, now, &policy);
                    },
                }
                let pending = ledger.pending(now);
                prop_assert_eq!(pending.in_flight, running.len() + ledger.untold.len());
                prop_assert_eq!(pending.total() + ended, accepted);
                prop_assert!(pending.bytes <= 20 && pending.bytes >= 3 * pending.total());
            }
        }
    }
}
