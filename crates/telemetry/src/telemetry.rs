//! [`Telemetry`]: takes in events and hands them out to whoever has subscribed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use rapid_events::{
    Api, Category, Event, Platform, Schema, SubscriptionData, TelemetrySubscriptionMetrics,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::clock;
use crate::delivery::deliver;
use crate::error::SubscribeError;
use crate::history::History;
use crate::mailbox::Mailbox;
use crate::queue::Queue;
use crate::request::{Categories, Rules, SubscribeRequest};
use crate::subscriptions::{Subscribed, Subscriptions};

/// The longest that [`Telemetry::flush`] waits.
///
/// # Source
/// Telemetry API, "Shutdown".
pub const MAX_FLUSH: Duration = Duration::from_secs(1);

/// Takes in events and hands them out to whoever has subscribed. A clone is another handle.
///
/// Subscriptions, and what waits for subscribers, outlive resets of the execution environment. When
/// the last handle is dropped, what has not been delivered is lost.
#[derive(Clone, Debug)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Whether anybody wants events: subscribers, or the history for those to come.
    wanted: AtomicBool,
    rules: Rules,
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    subscriptions: Subscriptions,
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
}

impl Telemetry {
    /// Nobody has subscribed, and nobody may until [`Telemetry::open`]. Subscribers are served on
    /// `runtime`, which needs its timer and its network.
    #[must_use]
    pub fn new(rules: Rules, runtime: Handle) -> Self {
        let wanted = AtomicBool::new(false);
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { wanted, rules, runtime, state }) }
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
            self.lock().publish(event);
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
        let subscribed = state.subscriptions.subscribe(name, &request)?;
        let data = SubscriptionData {
            name: name.into(),
            state: subscribed.state(),
            types: request.categories.iter().collect(),
        };
        if subscribed == Subscribed::Newly {
            state.add_subscriber(name, request, &self.shared.runtime);
        }
        state.publish(Event::platform(
            clock::now(),
            match api {
                Api::Telemetry => Platform::TelemetrySubscription(data),
                Api::Logs => Platform::LogsSubscription(data),
            },
        ));
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
    /// [`MAX_FLUSH`]. Says whether all has arrived; what has not is still being delivered.
    ///
    /// # Cancel safety
    /// Dropping the future stops nothing but the waiting.
    pub async fn flush(&self, budget: Duration) -> bool {
        let mailboxes: Vec<_> = {
            let state = self.lock();
            state.subscribers.iter().map(|subscriber| Arc::clone(&subscriber.mailbox)).collect()
        };
        for mailbox in &mailboxes {
            mailbox.flush();
        }
        let settled = async {
            for mailbox in &mailboxes {
                mailbox.settled().await;
            }
        };
        tokio::time::timeout(budget.min(MAX_FLUSH), settled).await.is_ok()
    }

    /// The state is whole whenever the lock is free, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publish(&mut self, event: Event) {
        let category = event.category();
        // Each schema's subscribers share the same bytes.
        let mut encoded: [Option<Option<Bytes>>; Schema::ALL.len()] = Default::default();
        for subscriber in &self.subscribers {
            if subscriber.categories.has(category) {
                let schema = subscriber.schema;
                let event = encoded[schema as usize].get_or_insert_with(|| event.encode(schema));
                if let Some(event) = event {
                    subscriber.mailbox.push(event.clone());
                }
            }
        }
        if self.subscriptions.is_open() {
            self.history.keep(event);
        }
    }

    /// Begins to serve a subscriber: first with the past.
    fn add_subscriber(&mut self, name: &str, request: SubscribeRequest, runtime: &Handle) {
        let SubscribeRequest { schema, categories, buffering, destination } = request;
        let tells_losses = categories.has(Category::Platform);
        let mailbox = Arc::new(Mailbox::new(Queue::new(buffering, tells_losses)));
        let wanted = |event: &&Event| categories.has(event.category());
        for event in self.history.events().iter().filter(wanted) {
            if let Some(event) = event.encode(schema) {
                mailbox.replay(event);
            }
        }
        for category in categories.iter() {
            let lost = self.history.lost(category);
            mailbox.lose(lost.records, lost.bytes);
        }
        let span = tracing::debug_span!("telemetry", extension.name = name);
        let delivery = deliver(Arc::clone(&mailbox), destination, schema).instrument(span);
        self.deliveries.spawn_on(delivery, runtime);
        self.subscribers.push(Subscriber { schema, categories, mailbox });
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
