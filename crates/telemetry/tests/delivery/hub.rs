//! The hub: who gets what, and when.

use std::time::Duration;

use http::StatusCode;
use rapid_events::{
    Api, Category, EndData, Event, EventsApi as _, LogRecord, Record, TelemetrySubscriptionMetrics,
};
use rapid_interop::{EpochMillis, RequestId};
use rapid_telemetry::{Rules, SubscribeError, Subscribed, Telemetry};
use tokio::runtime::Handle;

use crate::receiver::Receiver;
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
