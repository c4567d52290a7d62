//! [`AsyncEvents`]: the queue of invocations that nobody waits for, as the Invoke API knows it.

use std::time::Duration;

use rapid_async_invoke::{AsyncInvoke, Refusal};
use rapid_interop::ports::{Accepting, EventPort, InvokeRefusal, PendingEvents};
use rapid_interop::{Invoke, RequestId};

/// How many lost events are named.
const NAMED: usize = 20;

/// Takes events in for the Invoke API.
#[derive(Clone, Debug)]
pub(crate) struct AsyncEvents(pub(crate) AsyncInvoke);

impl AsyncEvents {
    /// Accepts no more, goes on for a while, and says what is left.
    pub(crate) async fn drain(&self, budget: Duration) {
        let drained = self.0.drain(budget).await;
        if drained.kept > 0 {
            tracing::info!(events = drained.kept, "events are kept for the next start");
        }
        if !drained.dropped.is_empty() {
            tracing::error!(
                "{} asynchronous invocations have not come to their end and are lost: {}; give \
                 them a directory (--async-dir) in which they outlive rapid",
                drained.dropped.len(),
                listed(&drained.dropped)
            );
        }
    }
}

/// The first ids, and how many more there are: ten thousand in a line are of use to nobody.
fn listed(ids: &[RequestId]) -> String {
    let named: Vec<&str> = ids.iter().take(NAMED).map(RequestId::as_str).collect();
    let named = named.join(", ");
    match ids.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} \u{2026} and {more} more"),
    }
}

impl EventPort for AsyncEvents {
    fn accept(&self, invoke: Invoke) -> Accepting<'_> {
        Box::pin(async {
            // The Invoke API has looked at the event already.
            self.0.accept_json(invoke).await.map_err(|refusal| match refusal {
                Refusal::TooManyRequests => InvokeRefusal::TooManyRequests,
                Refusal::TooLarge { .. } => InvokeRefusal::TooLarge,
                Refusal::ShuttingDown => InvokeRefusal::ShuttingDown,
                Refusal::NotJson(reason) | Refusal::Store(reason) => {
                    tracing::error!(%reason, "an asynchronous invocation could not be kept");
                    InvokeRefusal::NotStored
                }
            })
        })
    }

    fn pending(&self) -> PendingEvents {
        let pending = self.0.pending();
        PendingEvents {
            queued: pending.queued,
            retrying: pending.retrying,
            in_flight: pending.in_flight,
            oldest_age: pending.oldest_age,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lost_events_are_named_and_the_rest_counted() {
        let ids = |count: usize| -> Vec<RequestId> {
            (0..count).filter_map(|number| RequestId::parse(&number.to_string())).collect()
        };
        assert_eq!(listed(&ids(3)), "0, 1, 2");
        assert!(listed(&ids(NAMED)).ends_with(", 19"));
        assert!(listed(&ids(10_000)).ends_with(", 18, 19 \u{2026} and 9980 more"));
    }
}
