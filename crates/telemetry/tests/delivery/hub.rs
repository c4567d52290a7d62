//! The hub: who gets what, and when.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use http::StatusCode;
use rapid_events::{
    Api, Category, EndData, Event, EventsApi, LogRecord, Record, SubscriptionData,
    SubscriptionState, TelemetrySubscriptionMetrics,
};
use rapid_interop::{EpochMillis, RequestId};
use rapid_telemetry::{
    MAX_FLUSH, MAX_SUBSCRIPTIONS_EACH, Rules, SubscribeError, Subscribed, Telemetry,
};
use tokio::runtime::Handle;

use crate::receiver::{OK, Receiver};
use crate::world::{Patience, http, line, opened, request, subscribe, tcp, texts, types, within};

const ALL: [&str; 3] = ["platform", "function", "extension"];

/// Subscribes to everything, over TCP.
fn watch(
    telemetry: &Telemetry,
    name: &str,
    receiver: &Receiver,
) -> Result<Subscribed, SubscribeError> {
    let body = request(&ALL, Patience::Short, &tcp(receiver.port));
    telemetry.subscribe(Api::Telemetry, name, body.as_bytes())
}

/// Whether it is done without any waiting.
fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn of_extension(text: &str) -> Event {
    let record = Record::Extension(LogRecord::text(text.to_owned().into()));
    Event { time: EpochMillis(0), record }
}

#[tokio::test]
async fn events_are_wanted_while_somebody_may_subscribe_or_has() {
    let telemetry = Telemetry::new(Rules::default(), Handle::current());
    assert!(!telemetry.is_wanted());
    telemetry.open();
    assert!(telemetry.is_wanted());
    telemetry.close();
    assert!(!telemetry.is_wanted());
    telemetry.open();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    telemetry.close();
    assert!(telemetry.is_wanted());
}

#[tokio::test]
async fn a_new_subscriber_gets_the_past_and_earlier_ones_see_it_come() {
    let telemetry = opened();
    telemetry.publish(line("before"));
    let (first, second) = (Receiver::bind().await, Receiver::bind().await);
    assert_eq!(watch(&telemetry, "first", &first), Ok(Subscribed::Newly));
    telemetry.publish(of_extension("between"));
    assert_eq!(watch(&telemetry, "second", &second), Ok(Subscribed::Newly));
    telemetry.publish(line("after"));
    for receiver in [first, second] {
        let mut peer = receiver.accept().await;
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(peer.event().await);
        }
        let (function, subscription) = ("function", "platform.telemetrySubscription");
        assert_eq!(types(&seen), [function, subscription, "extension", subscription, function]);
        assert_eq!(texts(&seen), ["before", "between", "after"]);
        // The past keeps its time.
        assert_eq!(seen[0]["time"], "2026-09-15T07:13:10.674Z");
        let subscribed =
            |name| serde_json::json!({"name": name, "state": "Subscribed", "types": ALL});
        assert_eq!(seen[1]["record"], subscribed("first"));
        assert_eq!(seen[3]["record"], subscribed("second"));
    }
}

#[tokio::test]
async fn everyone_gets_only_what_it_asked_for() {
    let telemetry = opened();
    telemetry.publish(line("early"));
    let mut peers = Vec::new();
    for what in ["function", "extension"] {
        let receiver = Receiver::bind().await;
        let body = request(&[what], Patience::Short, &tcp(receiver.port));
        telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).unwrap();
        peers.push(receiver);
    }
    telemetry.publish(of_extension("of the extension"));
    telemetry.publish(line("late"));
    telemetry.publish(of_extension("again"));
    let mut function = peers[0].accept().await;
    assert_eq!(function.event().await["record"], "early");
    assert_eq!(function.event().await["record"], "late");
    let mut extension = peers[1].accept().await;
    assert_eq!(extension.event().await["record"], "of the extension");
    assert_eq!(extension.event().await["record"], "again");
}

#[tokio::test]
async fn the_two_apis_tell_of_their_own_subscriptions_and_events() {
    let telemetry = opened();
    let (logs, newer) = (Receiver::bind().await, Receiver::bind().await);
    let body = request(&["platform"], Patience::Short, &tcp(logs.port))
        .replace("2022-12-13", "2021-03-18");
    telemetry.subscribe(Api::Logs, "logs", body.as_bytes()).unwrap();
    watch(&telemetry, "newer", &newer).unwrap();
    // `platform.end` is for the Logs API only.
    telemetry.send_end(&EndData { request_id: RequestId::nil() });
    let mut logs = logs.accept().await;
    assert_eq!(
        logs.event().await["record"],
        serde_json::json!({"name": "logs", "state": "Subscribed", "types": ["platform"]})
    );
    assert_eq!(logs.event().await["type"], "platform.end");
    telemetry.publish(line("last"));
    let mut newer = newer.accept().await;
    let seen = [newer.event().await, newer.event().await];
    assert_eq!(types(&seen), ["platform.telemetrySubscription", "function"]);
}

#[tokio::test]
async fn the_past_is_forgotten_when_the_initialisation_is_over() {
    let telemetry = opened();
    telemetry.publish(line("old"));
    telemetry.close();
    let receiver = Receiver::bind().await;
    let late = watch(&telemetry, "late", &receiver);
    assert_eq!(late, Err(SubscribeError::Closed(Api::Telemetry)));
    telemetry.open();
    telemetry.publish(line("new"));
    watch(&telemetry, "late", &receiver).unwrap();
    assert_eq!(receiver.accept().await.event().await["record"], "new");
}

#[tokio::test]
async fn subscriptions_and_what_waits_survive_a_reset() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let port = receiver.port;
    watch(&telemetry, "probe.sh", &receiver).unwrap();
    telemetry.close();
    let mut peer = receiver.accept().await;
    assert_eq!(peer.event().await["type"], "platform.telemetrySubscription");
    // The environment is shut down, and only then the last events of the invocation come.
    drop((peer, receiver));
    telemetry.publish(line("of the old environment"));
    assert!(!telemetry.flush(Duration::from_millis(50)).await);
    telemetry.open();
    let receiver = Receiver::bind_to(port).await;
    assert_eq!(watch(&telemetry, "probe.sh", &receiver), Ok(Subscribed::Already));
    let mut peer = receiver.accept().await;
    assert_eq!(peer.event().await["record"], "of the old environment");
    let again = peer.event().await;
    assert_eq!(
        again["record"],
        serde_json::json!({"name": "probe.sh", "state": "Already subscribed", "types": ALL})
    );
}

#[tokio::test]
async fn the_end_of_a_stream_makes_a_batch_due() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    telemetry.publish(line("last words"));
    telemetry.stream_closed();
    assert_eq!(texts(&receiver.serve_one().await.events()), ["last words"]);
}

#[tokio::test]
async fn a_flush_says_whether_everything_arrived() {
    let telemetry = opened();
    assert!(telemetry.flush(Duration::ZERO).await, "there is nobody to wait for");
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    telemetry.publish(line("a"));
    let serving = tokio::spawn(async move {
        let post = receiver.serve_one().await;
        (receiver, post)
    });
    assert!(within(telemetry.flush(Duration::MAX)).await);
    let (receiver, post) = serving.await.unwrap();
    assert_eq!(texts(&post.events()), ["a"]);
    telemetry.publish(line("b"));
    assert!(!within(telemetry.flush(Duration::from_millis(20))).await);
    // It is delivered nevertheless.
    assert_eq!(texts(&receiver.serve_one().await.events()), ["b"]);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_the_dead() {
    let telemetry = opened();
    let port = Receiver::bind().await.port;
    for destination in [http(port), tcp(port)] {
        subscribe(&telemetry, Patience::Endless, &destination);
    }
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    let serving = tokio::spawn(async move { receiver.serve_one().await });
    telemetry.publish(line("last words"));
    let arrived = tokio::select! {
        biased;
        () = tokio::time::sleep(MAX_FLUSH) => panic!("it has waited as long as it may"),
        arrived = telemetry.flush(Duration::MAX) => arrived,
    };
    assert!(!arrived);
    assert_eq!(texts(&within(serving).await.unwrap().events()), ["last words"]);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_what_is_published_after_it() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    telemetry.publish(line("before"));
    let mut flush = pin!(telemetry.flush(Duration::MAX));
    assert!(poll(flush.as_mut()).is_pending());
    let mut peer = receiver.accept().await;
    assert_eq!(texts(&peer.request().await.events()), ["before"]);
    telemetry.publish(line("after"));
    peer.write(OK).await;
    assert!(within(flush).await);
}

#[tokio::test]
async fn a_silent_subscriber_is_waited_for_once_until_it_takes_something() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("a"));
    let mut peer = receiver.accept().await;
    peer.request().await;
    assert!(!within(telemetry.flush(Duration::from_millis(20))).await);
    assert_eq!(poll(pin!(telemetry.flush(Duration::MAX))), Poll::Ready(false));
    telemetry.publish(line("b"));
    peer.write(OK).await;
    assert_eq!(texts(&peer.request().await.events()), ["b"]);
    assert!(poll(pin!(telemetry.flush(Duration::MAX))).is_pending());
}

#[tokio::test]
async fn an_extension_that_listens_elsewhere_in_every_life_always_gets_its_events() {
    let telemetry = opened();
    let mut last = Receiver::bind().await;
    watch(&telemetry, "probe.sh", &last).unwrap();
    let mut first = last.accept().await;
    assert_eq!(first.event().await["type"], "platform.telemetrySubscription");
    let mut receivers = Vec::new();
    for _ in 0..MAX_SUBSCRIPTIONS_EACH {
        telemetry.close();
        telemetry.open();
        receivers.push(last);
        last = Receiver::bind().await;
        assert_eq!(watch(&telemetry, "probe.sh", &last), Ok(Subscribed::Newly));
    }
    let mut peer = last.accept().await;
    assert_eq!(peer.event().await["type"], "platform.telemetrySubscription");
    // The first one has made room: its connection ends, and what was told of later does not come.
    let mut seen = 1;
    while let Some(line) = first.maybe_line().await {
        assert!(line.contains("platform.telemetrySubscription"), "{line}");
        seen += 1;
    }
    assert!(seen <= MAX_SUBSCRIPTIONS_EACH, "{seen}");
}

#[tokio::test]
async fn an_engine_waits_for_subscribers_only_if_there_are_any() {
    let telemetry = opened();
    let events: &dyn EventsApi = &telemetry;
    assert!(events.flush(Duration::MAX).is_none());
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    telemetry.publish(line("last words"));
    let flush = events.flush(Duration::MAX).unwrap();
    let (post, ()) = within(async { tokio::join!(receiver.serve_one(), flush) }).await;
    assert_eq!(texts(&post.events()), ["last words"]);
}

/// Keeps what it is told of subscriptions, and asks the hub meanwhile.
#[derive(Default)]
struct Observer {
    hub: OnceLock<Telemetry>,
    told: Mutex<Vec<(Api, SubscriptionData)>>,
}

impl EventsApi for Observer {
    fn send_subscription(&self, api: Api, data: &SubscriptionData) {
        let _metrics = self.hub.get().unwrap().take_metrics();
        self.told.lock().unwrap().push((api, data.clone()));
    }
}

#[tokio::test]
async fn an_observer_is_told_of_subscriptions_while_the_hub_goes_on() {
    let observer = Arc::new(Observer::default());
    let told = Arc::clone(&observer) as Arc<dyn EventsApi>;
    let telemetry = Telemetry::with_observer(Rules::default(), Handle::current(), told);
    observer.hub.set(telemetry.clone()).unwrap();
    telemetry.open();
    let (sender, answers) = mpsc::channel();
    // Elsewhere, so that the test ends even if the hub waits for its own observer.
    thread::spawn(move || {
        let body = request(&["platform", "function"], Patience::Short, &tcp(1));
        let logs = body.replace("2022-12-13", "2021-03-18");
        let answers = [
            telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).ok(),
            telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).ok(),
            telemetry.subscribe(Api::Logs, "logs", logs.as_bytes()).ok(),
            telemetry.subscribe(Api::Logs, "logs", b"{}").ok(),
        ];
        sender.send(answers).unwrap();
    });
    let answers = answers.recv_timeout(Duration::from_secs(20)).unwrap();
    let (newly, already) = (Some(Subscribed::Newly), Some(Subscribed::Already));
    assert_eq!(answers, [newly, already, newly, None]);
    let told = |api, name: &str, state| {
        let types = vec![Category::Platform, Category::Function];
        (api, SubscriptionData { name: name.into(), state, types })
    };
    assert_eq!(
        *observer.told.lock().unwrap(),
        [
            told(Api::Telemetry, "probe.sh", SubscriptionState::Subscribed),
            told(Api::Telemetry, "probe.sh", SubscriptionState::AlreadySubscribed),
            told(Api::Logs, "logs", SubscriptionState::Subscribed),
        ]
    );
}

#[tokio::test]
async fn many_events_at_once_reach_everyone_in_order() {
    let telemetry = opened();
    let events = |first: usize| {
        (first..first + 300).map(|number| {
            let text = number.to_string();
            if number % 3 == 0 { of_extension(&text) } else { line(&text) }
        })
    };
    telemetry.publish_all(events(0));
    let receivers = [Receiver::bind().await, Receiver::bind().await, Receiver::bind().await];
    let wanted: [&[&str]; 3] = [&["function", "extension"], &["function"], &["extension"]];
    for (receiver, types) in receivers.iter().zip(wanted) {
        let body = request(types, Patience::Short, &tcp(receiver.port));
        telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).unwrap();
    }
    telemetry.publish_all(events(300));
    for (receiver, types) in receivers.iter().zip(wanted) {
        let mut peer = receiver.accept().await;
        for number in 0..600_usize {
            let kind = if number % 3 == 0 { "extension" } else { "function" };
            if types.contains(&kind) {
                let event = peer.event().await;
                assert_eq!(event["type"], kind);
                assert_eq!(event["record"], number.to_string());
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_delivered_when_the_hub_is_gone() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    telemetry.publish(line("a"));
    let mut peer = receiver.accept().await;
    assert_eq!(peer.event().await["record"], "a");
    let other = telemetry.clone();
    drop(telemetry);
    other.publish(line("b"));
    assert_eq!(peer.event().await["record"], "b");
    drop(other);
    peer.end().await;
}

#[tokio::test]
async fn answers_are_counted() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    for _ in 0..2 {
        watch(&telemetry, "probe.sh", &receiver).unwrap();
    }
    telemetry.subscribe(Api::Logs, "probe.sh", b"{}").unwrap_err();
    telemetry.count_refusal(StatusCode::FORBIDDEN);
    telemetry.count_refusal(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        telemetry.take_metrics(),
        TelemetrySubscriptionMetrics {
            subscribe_success: 2,
            subscribe_client_err: 2,
            subscribe_server_err: 1,
            num_subscribers: 1,
        }
    );
    assert_eq!(telemetry.take_metrics(), TelemetrySubscriptionMetrics::default());
}

#[tokio::test]
async fn every_category_is_replayed_in_the_order_of_events() {
    let telemetry = opened();
    telemetry.send_end(&EndData { request_id: RequestId::nil() });
    telemetry.publish(of_extension("1"));
    telemetry.publish(line("2"));
    assert_eq!(line("2").category(), Category::Function);
    let receiver = Receiver::bind().await;
    let body =
        request(&ALL, Patience::Short, &http(receiver.port)).replace("2022-12-13", "2020-08-15");
    telemetry.subscribe(Api::Logs, "probe.sh", body.as_bytes()).unwrap();
    let events = receiver.serve_one().await.events();
    assert_eq!(
        types(&events),
        ["platform.end", "extension", "function", "platform.logsSubscription"]
    );
}
