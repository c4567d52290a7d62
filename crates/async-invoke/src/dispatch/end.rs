//! [`End`]: an event that is not tried again, until everybody has been told.

use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use super::turn::write;
use crate::deliver::{Message, deliver};
use crate::event::Event;
use crate::outcome::Response;
use crate::record::Ending;
use crate::retry::{Condition, State, Verdict};
use crate::store::Progress;
use crate::target::{Destinations, Target};

/// An event that is not tried again.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) seq: u64,
    pub(super) event: Event,
    /// If not, it is only what is known of the event.
    pub(super) readable: bool,
    pub(super) verdict: Verdict,
    pub(super) response: Option<Response>,
}

impl End {
    /// Takes in that the event has come to its end. Where somebody is to be told, that waits in the
    /// store, so that the next event can run: those who are told may take their time.
    ///
    /// When there is no room for that, it is told from here. That holds the next event up, but memory
    /// has to have a bound.
    pub(super) async fn come(self, shared: &Arc<Shared>) {
        let Self { seq, ref event, verdict, .. } = self;
        if !self.readable {
            tracing::error!(
                request_id = %event.id(),
                "an accepted event cannot be read back, so it cannot run; what is left of it is \
                 set aside"
            );
        }
        let told = recipients(&shared.config.destinations, verdict).count();
        if verdict.condition != Condition::Success {
            tracing::warn!(
                request_id = %event.id(), condition = ?verdict.condition, destinations = told,
                "an event has finally failed"
            );
        }
        if told == 0 {
            return self.forget(shared).await;
        }
        let response = self.response.as_ref().and_then(|response| response.payload.as_ref());
        let (payload, response) = (event.payload().len(), response.map_or(0, Bytes::len));
        let fits = shared.ledger().keep(seq, payload, response);
        // Also when it is told from here: an event that has come to its end does not run again only
        // because the process was killed while it told so.
        let progress = Progress::of(State::Finished(verdict), self.response.clone());
        if write(shared, seq, event, progress).await && fits {
            shared.ledger().wait(seq);
            return;
        }
        // It is never closed.
        let _delivery = shared.deliveries.acquire().await;
        self.tell(shared).await;
    }

    /// Tells everybody who is to be told, and forgets the event.
    pub(super) async fn tell(self, shared: &Arc<Shared>) {
        let (id, condition) = (self.event.id().clone(), self.verdict.condition);
        let (end, all) = (self.clone(), Arc::clone(shared));
        // Records of large responses take their time: others are served meanwhile.
        let messages = match tokio::task::spawn_blocking(move || end.messages(&all)).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(request_id = %id, %error, "an end could not be told yet");
                let policy = shared.policy();
                shared.ledger().put_back(self.seq, shared.clock.now(), &policy);
                return;
            }
        };
        for (target, message) in messages {
            if let Err(reason) = deliver(&shared.files, &target, &message).await {
                tracing::error!(
                    request_id = %id, ?condition, %target, reason,
                    "a destination could not be told how an event has ended; given up"
                );
            }
        }
        self.forget(shared).await;
    }

    /// Who is told what.
    ///
    /// # Source
    /// Asynchronous invocation, "Destinations".
    fn messages(&self, shared: &Shared) -> Vec<(Target, Message)> {
        let Self { event, readable, verdict, response, .. } = self;
        let now = shared.clock.now();
        let ending = Ending {
            event,
            readable: *readable,
            verdict: *verdict,
            response: response.as_ref(),
            version: &shared.config.executed_version,
            now,
        };
        recipients(&shared.config.destinations, *verdict)
            .map(|(target, form)| {
                let body = match form {
                    Form::Record => ending.record(),
                    Form::DeadLetter => ending.dead_letter(),
                };
                let message = Message {
                    body: Bytes::from(body),
                    function: event.function_name(),
                    trace_id: event.trace_id().clone(),
                    now,
                };
                (target.clone(), message)
            })
            .collect()
    }

    async fn forget(self, shared: &Shared) {
        let forgotten = if self.readable {
            shared.store.remove(self.seq).await
        } else {
            shared.store.set_aside(self.seq).await
        };
        if let Err(error) = forgotten {
            tracing::error!(
                request_id = %self.event.id(), %error,
                "an event that has come to its end could not be removed; a restart will repeat its end"
            );
        }
        shared.ledger().remove(self.seq);
    }
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Record,
    DeadLetter,
}

/// Who is told, and in which form.
fn recipients(
    destinations: &Destinations,
    verdict: Verdict,
) -> impl Iterator<Item = (&Target, Form)> {
    let Destinations { on_success, on_failure, dead_letter } = destinations;
    let (record, letter) = match verdict.condition {
        Condition::Success => (on_success, &None),
        Condition::RetriesExhausted
        | Condition::EventAgeExceeded
        | Condition::ZeroReservedConcurrency => (on_failure, dead_letter),
    };
    let record = record.iter().map(|target| (target, Form::Record));
    record.chain(letter.iter().map(|target| (target, Form::DeadLetter)))
}
