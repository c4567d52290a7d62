//! [`run`]: one attempt of one event; [`tell`]: its end.

use std::sync::Arc;

use bytes::Bytes;
use rapid_interop::ports::InvokePort;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::end::End;
use crate::event::Event;
use crate::ledger::Turn;
use crate::outcome::{Outcome, Response};
use crate::retry::{Input, State};
use crate::store::{Progress, StoreError, Stored};

/// The right to run, or to be told. Given back, it lets the dispatcher look for the next event.
pub(super) struct Permit {
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Permit {
    pub(super) const fn new(shared: Arc<Shared>, permit: OwnedSemaphorePermit) -> Self {
        Self { shared, permit: Some(permit) }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.shared.changed.notify_one();
    }
}

/// Puts an event back if its turn ends before it was decided what becomes of it: by a panic of the
/// port, a store that cannot be read, or the end of the process.
struct Undecided<'a> {
    shared: &'a Shared,
    seq: u64,
    decided: bool,
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        if !self.decided {
            let policy = self.shared.policy();
            self.shared.ledger().put_back(self.seq, self.shared.clock.now(), &policy);
            self.shared.changed.notify_one();
        }
    }
}

/// Makes an attempt if the event is to have one; keeps it for the next, or for its end to be told.
pub(super) async fn run<P: InvokePort>(shared: Arc<Shared>, port: P, turn: Turn, slot: Permit) {
    let mut undecided = Undecided { shared: &shared, seq: turn.seq, decided: false };
    let Some(Found { event, mut response, readable }) = read(&shared, &turn).await else { return };
    let Turn { seq, mut state, .. } = turn;
    let mut to_be_written = true;
    if let State::Running { .. } = state {
        if readable {
            let answer = port.invoke(event.attempt(port.now())).await;
            let outcome = Outcome::of(answer.map(|invoked| invoked.answer));
            state = step(&shared, seq, state, outcome.input());
            match outcome {
                Outcome::Fault(reason) => {
                    tracing::debug!(request_id = %event.id(), reason, "an event could not run");
                    // Nothing of it counts: there is nothing to be written down.
                    to_be_written = matches!(state, State::Finished(_));
                }
                Outcome::Answered(answer) => response = Some(answer),
            }
        } else {
            state = step(&shared, seq, state, Input::Unreadable);
        }
    }
    match state {
        State::Waiting { .. } => {
            let response = response.map(|response| keep(&shared, seq, &event, response));
            if to_be_written {
                write(&shared, seq, &event, Progress::of(state, response)).await;
            }
            shared.ledger().wait(seq);
        }
        State::Finished(verdict) => {
            End { seq, event, readable, verdict, response }.come(&shared).await;
        }
        // Only of an event that is no longer there.
        State::Running { .. } => shared.ledger().remove(seq),
    }
    undecided.decided = true;
    drop(slot);
}

/// Tells the end of an event that has waited for it in the store.
pub(super) async fn tell(shared: Arc<Shared>, turn: Turn, delivery: Permit) {
    let mut undecided = Undecided { shared: &shared, seq: turn.seq, decided: false };
    let Some(Found { event, response, readable }) = read(&shared, &turn).await else { return };
    match turn.state {
        State::Finished(verdict) => {
            End { seq: turn.seq, event, readable, verdict, response }.tell(&shared).await;
        }
        // What goes on is not told of.
        State::Waiting { .. } | State::Running { .. } => shared.ledger().wait(turn.seq),
    }
    undecided.decided = true;
    drop(delivery);
}

/// What the store has of an event.
struct Found {
    event: Event,
    response: Option<Response>,
    /// If not, it is only what is known of the event.
    readable: bool,
}

/// Reads the event whose turn it is; `None` when that may succeed later.
async fn read(shared: &Shared, turn: &Turn) -> Option<Found> {
    let Turn { seq, id, accepted, .. } = turn;
    match shared.store.load(*seq).await {
        Ok(Stored { event, response }) => Some(Found { event, response, readable: true }),
        Err(StoreError::Unreadable { function_arn }) => {
            let event = Event::remains(id.clone(), *accepted, function_arn);
            Some(Found { event, response: None, readable: false })
        }
        Err(error @ StoreError::Failed(_)) => {
            tracing::error!(
                request_id = %id, %error,
                "an accepted event could not be read; trying again later"
            );
            None
        }
    }
}

fn step(shared: &Shared, seq: u64, state: State, input: Input) -> State {
    let policy = shared.policy();
    shared.ledger().step(seq, input, shared.clock.now(), &policy).unwrap_or(state)
}

/// The response as it is kept until the next attempt: without its payload if there is no room.
fn keep(shared: &Shared, seq: u64, event: &Event, response: Response) -> Response {
    let size = response.payload.as_ref().map_or(0, Bytes::len);
    if shared.ledger().keep(seq, event.payload().len(), size) {
        return response;
    }
    tracing::warn!(request_id = %event.id(), size, "no room to keep an event's response");
    Response { payload: None, ..response }
}

/// Writes down how far an event has come; returns whether that is written now.
pub(super) async fn write(
    shared: &Shared,
    seq: u64,
    event: &Event,
    progress: Option<Progress>,
) -> bool {
    let Some(progress) = progress else { return true };
    let written = shared.store.update(seq, progress).await;
    if let Err(error) = &written {
        // It goes on here; only a restart would repeat an attempt.
        tracing::error!(request_id = %event.id(), %error, "an event's progress was not stored");
    }
    written.is_ok()
}
