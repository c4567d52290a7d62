//! [`Telemetry`]: takes in events and hands them out to whoever has subscribed.

use std::fmt;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use rapid_events::{
    Api, Category, Event, EventsApi, NoEvents, Platform, Schema, SubscriptionData,
    TelemetrySubscriptionMetrics,
};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument as _;

use crate::clock;
use crate::delivery::deliver;
use crate::error::SubscribeError;
use crate::history::History;
use crate::mailbox::{Flush, Mailbox};
use crate::queue::Queue;
use crate::request::{Categories, Rules, SubscribeRequest};
use crate::subscriptions::{Change, Subscribed, Subscriptions};

/// The longest that [`Telemetry::flush`] waits.
///
/// # Source
/// Telemetry API, "Shutdown".
pub const MAX_FLUSH: Duration = Duration::from_secs(1);

/// How many events are told in one go, so that others who tell of something, or subscribe, need not
/// wait for long.
const MAX_GROUP: usize = 128;

/// How much text such events have in all, in bytes; the last one may have more.
const MAX_GROUP_TEXT: usize = 64 * 1024;

/// Takes in events and hands them out to whoever has subscribed. A clone is another handle.
///
/// Subscriptions, and what waits for subscribers, outlive resets of the execution environment. When
/// the last handle is dropped, what has not been delivered is lost.
#[derive(Clone, Debug)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    /// Whether anybody wants events: subscribers, or the history for those to come.
    wanted: AtomicBool,
    rules: Rules,
    runtime: Handle,
    /// Who is told of subscriptions.
    observer: Arc<dyn EventsApi>,
    state: Mutex<State>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    subscriptions: Subscriptions,
    /// One for each subscription, in the same order.
    subscribers: Vec<Subscriber>,
    /// Kept while subscriptions are open.
    history: History,
    metrics: TelemetrySubscriptionMetrics,
    /// One for each subscriber; they end with this.
    deliveries: JoinSet<()>,
}

#[derive(Debug)]
struct Subscriber {
    schema: Schema,
    categories: Categories,
    mailbox: Arc<Mailbox>,
    delivery: AbortHandle,
}

impl Telemetry {
    /// Nobody has subscribed, and nobody may until [`Telemetry::open`]. Subscribers are served on
    /// `runtime`, which needs its timer and its network.
    #[must_use]
    pub fn new(rules: Rules, runtime: Handle) -> Self {
        Self::with_observer(rules, runtime, Arc::new(NoEvents))
    }

    /// As [`Telemetry::new`]. Who subscribes is told to `observer`, through
    /// [`EventsApi::send_subscription`] and nothing else; it must not wait.
    #[must_use]
    pub fn with_observer(rules: Rules, runtime: Handle, observer: Arc<dyn EventsApi>) -> Self {
        let wanted = AtomicBool::new(false);
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { wanted, rules, runtime, observer, state }) }
    }

    /// Takes subscriptions from now on, and keeps what happens for those to come: an
    /// initialisation begins. To be called before its first event is published; whoever tells of
    /// events through [`rapid_events::EventsApi`] has called it by that.
    pub fn open(&self) {
        let mut state = self.lock();
        state.subscriptions.open();
        state.history = History::default();
        self.shared.wanted.store(true, Ordering::Release);
    }

    /// Takes no subscriptions any more, and forgets what has happened: the initialisation is over.
    /// Called as [`Telemetry::open`] is.
    pub fn close(&self) {
        let mut state = self.lock();
        state.subscriptions.close();
        state.history = History::default();
        self.shared.wanted.store(!state.subscribers.is_empty(), Ordering::Release);
    }

    /// Whether anybody wants events. Who asks first need not put together what nobody wants.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.shared.wanted.load(Ordering::Acquire)
    }

    /// Tells subscribers of an event. Never waits for them, and costs next to nothing if there are
    /// none.
    pub fn publish(&self, event: Event) {
        if self.is_wanted() {
            self.lock().publish([event]);
        }
    }

    /// As [`Telemetry::publish`] for each of them, at less cost.
    pub fn publish_all(&self, events: impl IntoIterator<Item = Event>) {
        let mut events = events.into_iter();
        while self.is_wanted() {
            let group = group(&mut events);
            if group.is_empty() {
                return;
            }
            self.lock().publish(group);
        }
    }

    /// Answers a request that the extension called `name` has sent to `api`. A new subscriber gets
    /// what has happened since the initialisation began, and then what happens.
    ///
    /// # Errors
    /// [`SubscribeError`], which makes the answer; nothing has changed then.
    ///
    /// # Source
    /// Telemetry API, "Subscribe responses".
    pub fn subscribe(
        &self,
        api: Api,
        name: &str,
        body: &[u8],
    ) -> Result<Subscribed, SubscribeError> {
        self.answer(api, name, Some(body))
    }

    /// As [`Telemetry::subscribe`]; `None` stands for a body that was too long to be kept.
    pub(crate) fn answer(
        &self,
        api: Api,
        name: &str,
        body: Option<&[u8]>,
    ) -> Result<Subscribed, SubscribeError> {
        let answer = self.try_subscribe(api, name, body);
        self.lock().count(&answer);
        answer
    }

    fn try_subscribe(
        &self,
        api: Api,
        name: &str,
        body: Option<&[u8]>,
    ) -> Result<Subscribed, SubscribeError> {
        if !self.lock().subscriptions.is_open() {
            return Err(SubscribeError::Closed(api));
        }
        let body = body.ok_or(SubscribeError::TooLarge(api))?;
        // Without the lock: others go on publishing while a long body is read.
        let request = SubscribeRequest::parse(api, body, &self.shared.rules)?;
        let mut state = self.lock();
        let Change { subscribed, replaced } = state.subscriptions.subscribe(name, &request)?;
        let replaced = replaced.map(|index| state.remove_subscriber(index));
        let data = SubscriptionData {
            name: name.into(),
            state: subscribed.state(),
            types: request.categories.iter().collect(),
        };
        if subscribed == Subscribed::Newly {
            state.add_subscriber(name, request, &self.shared.runtime);
        }
        let told = data.clone();
        let told = match api {
            Api::Telemetry => Platform::TelemetrySubscription(told),
            Api::Logs => Platform::LogsSubscription(told),
        };
        state.publish([Event::platform(clock::now(), told)]);
        drop(state);
        if let Some(dropped) = replaced.filter(|dropped| *dropped > 0) {
            tracing::warn!(
                extension.name = name,
                dropped,
                "telemetry was dropped with a subscription that an earlier process had left \
                 behind; an extension that listens on the same port every time keeps its own"
            );
        }
        self.shared.observer.send_subscription(api, &data);
        Ok(subscribed)
    }

    /// Counts a request that was refused before it got here, with this status.
    ///
    /// # Source
    /// Extensions API, "Enabled handler".
    pub fn count_refusal(&self, status: StatusCode) {
        self.lock().count_refusal(status);
    }

    /// How requests to subscribe were answered since this was last asked (`LogsAPIMetrics`).
    #[must_use]
    pub fn take_metrics(&self) -> TelemetrySubscriptionMetrics {
        std::mem::take(&mut self.lock().metrics)
    }

    /// An output of the runtime or of an extension has ended: whatever waits is sent now, since the
    /// end of the subscribers may be near.
    pub fn stream_closed(&self) {
        for subscriber in &self.lock().subscribers {
            subscriber.mailbox.hurry();
        }
    }

    /// Sends all that waits, and waits until it has arrived, but not longer than `budget` nor
    /// [`MAX_FLUSH`], and not for what comes meanwhile, nor for a subscriber that has failed to take
    /// it or that an earlier flush has waited for in vain, unless it has taken something since. Says
    /// whether all has arrived; what has not is still being delivered.
    ///
    /// # Cancel safety
    /// Dropping the future stops nothing but the waiting.
    pub async fn flush(&self, budget: Duration) -> bool {
        settled(self.begin_flush(), budget).await
    }

    /// Makes all that waits due; gives what has to be waited for.
    pub(crate) fn begin_flush(&self) -> Vec<(Arc<Mailbox>, Flush)> {
        let state = self.lock();
        let mailboxes = state.subscribers.iter().map(|subscriber| &subscriber.mailbox);
        mailboxes.map(|mailbox| (Arc::clone(mailbox), mailbox.flush())).collect()
    }

    /// The state is whole whenever the lock is free, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until what these subscribers were to get has arrived, and says whether it has.
pub(crate) async fn settled(flushes: Vec<(Arc<Mailbox>, Flush)>, budget: Duration) -> bool {
    let all = async {
        let mut arrived = true;
        for (mailbox, flush) in &flushes {
            arrived &= mailbox.settled(*flush).await;
        }
        arrived
    };
    if let Ok(arrived) = tokio::time::timeout(budget.min(MAX_FLUSH), all).await {
        return arrived;
    }
    for (mailbox, flush) in flushes {
        mailbox.stop_waiting(flush);
    }
    false
}

/// The next events that are told in one go; none if there are no more.
fn group(events: &mut impl Iterator<Item = Event>) -> Vec<Event> {
    let mut room = MAX_GROUP_TEXT;
    let next = || {
        let event = if room > 0 { events.next()? } else { return None };
        room = room.saturating_sub(event.text_len());
        Some(event)
    };
    iter::from_fn(next).take(MAX_GROUP).collect()
}

/// An event's JSON, in no more memory than it needs: it may wait for long.
fn encode(event: &Event, schema: Schema, scratch: &mut Vec<u8>) -> Option<Bytes> {
    scratch.clear();
    event.encode_into(schema, scratch).then(|| Bytes::copy_from_slice(scratch))
}

impl State {
    fn publish(&mut self, events: impl AsRef<[Event]> + IntoIterator<Item = Event>) {
        for schema in Schema::ALL {
            self.publish_to(schema, events.as_ref());
        }
        if self.subscriptions.is_open() {
            events.into_iter().for_each(|event| self.history.keep(event));
        }
    }

    /// Tells the subscribers that get this schema, which share the bytes.
    fn publish_to(&self, schema: Schema, events: &[Event]) {
        let subscribers = || self.subscribers.iter().filter(|it| it.schema == schema);
        let mut scratch = Vec::new();
        let mut encoded = Vec::new();
        for event in events {
            let category = event.category();
            if subscribers().any(|subscriber| subscriber.categories.has(category)) {
                let json = encode(event, schema, &mut scratch);
                encoded.extend(json.map(|json| (category, json)));
            }
        }
        for Subscriber { categories, mailbox, .. } in subscribers() {
            let mut wanted = encoded.iter().filter(|(it, _)| categories.has(*it)).peekable();
            if wanted.peek().is_some() {
                mailbox.push(wanted.map(|(_, json)| json.clone()));
            }
        }
    }

    /// Begins to serve a subscriber: first with the past.
    fn add_subscriber(&mut self, name: &str, request: SubscribeRequest, runtime: &Handle) {
        let SubscribeRequest { schema, categories, buffering, destination } = request;
        let tells_losses = categories.has(Category::Platform);
        let mailbox = Arc::new(Mailbox::new(Queue::new(buffering, tells_losses)));
        let wanted = |event: &&Event| categories.has(event.category());
        let mut scratch = Vec::new();
        for event in self.history.events().iter().filter(wanted) {
            if let Some(event) = encode(event, schema, &mut scratch) {
                mailbox.replay(event);
            }
        }
        for category in categories.iter() {
            let lost = self.history.lost(category, schema);
            mailbox.lose(lost.records, lost.bytes);
        }
        let span = tracing::debug_span!("telemetry", extension.name = name);
        let delivery = deliver(Arc::clone(&mailbox), name.into(), destination, schema);
        let delivery = self.deliveries.spawn_on(delivery.instrument(span), runtime);
        self.subscribers.push(Subscriber { schema, categories, mailbox, delivery });
    }

    /// Ends to serve a subscriber; gives how many records it has missed.
    fn remove_subscriber(&mut self, index: usize) -> u64 {
        let Subscriber { mailbox, delivery, .. } = self.subscribers.remove(index);
        delivery.abort();
        // Those that were ended earlier are forgotten.
        while self.deliveries.try_join_next().is_some() {}
        mailbox.close()
    }

    fn count(&mut self, answer: &Result<Subscribed, SubscribeError>) {
        match answer {
            Ok(subscribed) => {
                self.metrics.subscribe_success += 1;
                self.metrics.num_subscribers += u64::from(*subscribed == Subscribed::Newly);
            }
            Err(refusal) => self.count_refusal(refusal.status()),
        }
    }

    fn count_refusal(&mut self, status: StatusCode) {
        if status.is_server_error() {
            self.metrics.subscribe_server_err += 1;
        } else {
            self.metrics.subscribe_client_err += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rapid_events::{LogRecord, Record};
    use rapid_interop::EpochMillis;

    use super::*;

    /// How many of these lines are told in each go.
    fn groups(lengths: &[usize]) -> Vec<usize> {
        let mut events = lengths.iter().map(|length| Event {
            time: EpochMillis(0),
            record: Record::Function(LogRecord::text(vec![b'x'; *length].into())),
        });
        iter::from_fn(|| Some(group(&mut events).len()).filter(|length| *length > 0)).collect()
    }

    #[test]
    fn many_events_are_told_in_groups_with_a_bound() {
        assert_eq!(groups(&[]), [0; 0]);
        assert_eq!(groups(&[1; 128]), [128]);
        assert_eq!(groups(&[0; 300]), [128, 128, 44]);
        let most = MAX_GROUP_TEXT;
        assert_eq!(groups(&[1, most, 1, 1, most - 2, 1]), [2, 3, 1]);
        assert_eq!(groups(&[4 * most, 4 * most]), [1, 1]);
    }
}
