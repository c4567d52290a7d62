//! What had to be dropped is counted to the record, and told.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rapid_events::{Api, Event};
use rapid_telemetry::{Subscribed, Telemetry};
use tracing::field::Field;
use tracing::span::{self, Attributes, Id};
use tracing::{Level, Metadata, Subscriber as Collect};

use crate::receiver::{Peer, Receiver};
use crate::world::{Patience, http, line, opened, request, texts, types, within};

/// A subscriber whose first batch is out and not answered yet, and whose queue has run over by 500
/// events.
async fn overrun(types: &[&str]) -> (Telemetry, Receiver, Peer) {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let body = request(types, Patience::Short, &http(receiver.port));
    let answer = telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes());
    assert_eq!(answer, Ok(Subscribed::Newly));
    telemetry.publish(numbered(0));
    let mut peer = receiver.accept().await;
    let first = peer.request().await;
    assert_eq!(texts(&first.events()), ["00000"]);
    for number in 1..=2500 {
        telemetry.publish(numbered(number));
    }
    (telemetry, receiver, peer)
}

fn numbered(number: usize) -> Event {
    line(&format!("{number:05}"))
}

/// The texts from `first` to `last`.
fn numbers(first: usize, last: usize) -> Vec<String> {
    (first..=last).map(|number| format!("{number:05}")).collect()
}

#[tokio::test]
async fn what_a_slow_subscriber_misses_is_told_ahead_of_the_next_batch() {
    let (_telemetry, _receiver, mut peer) = overrun(&["function", "platform"]).await;
    peer.write(crate::receiver::OK).await;
    let second = peer.serve().await.events();
    assert_eq!(types(&second[..2]), ["platform.logsDropped", "function"]);
    assert_eq!(
        second[0]["record"],
        serde_json::json!({
            "reason": "Some logs were dropped because the downstream consumer is slower than the \
                       logs production rate",
            "droppedRecords": 500,
            "droppedBytes": 500 * numbered(1).encode(rapid_events::Schema::LATEST).unwrap().len(),
        })
    );
    assert_eq!(texts(&second), numbers(1, 1000));
    assert_eq!(texts(&peer.serve().await.events()), numbers(1001, 2000));
}

/// Keeps the warnings, as text.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Collect for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            text.push_str(&format!("{field}={value:?} "));
        });
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_operator_is_told_once_until_the_subscriber_has_caught_up() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (telemetry, _receiver, mut peer) = overrun(&["function", "platform"]).await;
    peer.write(crate::receiver::OK).await;
    assert_eq!(peer.request().await.events().len(), 1001);
    // More is lost before that is answered.
    for number in 2501..=3510 {
        telemetry.publish(numbered(number));
    }
    peer.write(crate::receiver::OK).await;
    peer.serve().await;
    peer.serve().await;
    let flush = within(telemetry.flush(Duration::from_secs(1)));
    assert!(flush.await);
    {
        let told = warnings.0.lock().unwrap();
        let [one] = &told[..] else { panic!("{told:?}") };
        assert!(one.contains("extension.name=\"probe.sh\" dropped=500 "), "{one}");
    }
    for number in 0..=2500 {
        telemetry.publish(numbered(number));
    }
    peer.serve().await;
    peer.request().await;
    let told = warnings.0.lock().unwrap();
    let [_, again] = &told[..] else { panic!("{told:?}") };
    assert!(again.contains("dropped=1011 "), "{again}");
}

#[tokio::test]
async fn a_batch_that_was_given_up_is_counted_with_what_it_cost() {
    let (telemetry, receiver, peer) = overrun(&["function", "platform"]).await;
    drop(peer);
    let mut peer = receiver.accept().await;
    let second = peer.serve().await.events();
    let record = &second[0]["record"];
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.starts_with("could not send events: "), "{reason}");
    // The batch had a line, and the event of the subscription itself.
    assert_eq!(record["droppedRecords"], 500 + 2);
    assert_eq!(texts(&second), numbers(1, 1000));
    assert_eq!(texts(&peer.serve().await.events()), numbers(1001, 2000));
    // It is told once.
    telemetry.publish(numbered(9));
    let fourth = peer.serve().await.events();
    assert_eq!(types(&fourth), ["function"]);
}

#[tokio::test]
async fn a_report_of_a_loss_that_does_not_arrive_is_part_of_the_next() {
    let (telemetry, receiver, mut peer) = overrun(&["function", "platform"]).await;
    peer.write(crate::receiver::OK).await;
    let second = peer.request().await.events();
    assert_eq!(second[0]["record"]["droppedRecords"], 500);
    // Room for a thousand is left by the batch that is out.
    for number in 2501..=3510 {
        telemetry.publish(numbered(number));
    }
    drop(peer);
    let mut peer = receiver.accept().await;
    let third = peer.serve().await.events();
    assert_eq!(third[0]["record"]["droppedRecords"], 500 + 1000 + 10);
    assert_eq!(texts(&third), numbers(1001, 2000));
    assert_eq!(texts(&peer.serve().await.events()), numbers(2501, 3500));
}

#[tokio::test]
async fn who_does_not_take_the_platforms_events_is_not_told() {
    let (_telemetry, _receiver, mut peer) = overrun(&["function"]).await;
    peer.write(crate::receiver::OK).await;
    assert_eq!(texts(&peer.serve().await.events()), numbers(1, 1000));
}

#[tokio::test]
async fn a_flood_during_the_initialisation_is_bounded_and_told_to_later_subscribers() {
    let telemetry = opened();
    let long = "x".repeat(1000);
    for _ in 0..5000 {
        telemetry.publish(line(&long));
    }
    let receiver = Receiver::bind().await;
    let body = request(&["platform", "function"], Patience::Short, &http(receiver.port));
    telemetry.subscribe(Api::Telemetry, "late.sh", body.as_bytes()).unwrap();
    let mut peer = receiver.accept().await;
    let (mut told, mut arrived) = (0, 0);
    while told + arrived < 5000 {
        for event in within(peer.serve()).await.events() {
            match event["type"].as_str() {
                Some("platform.logsDropped") => {
                    told += event["record"]["droppedRecords"].as_u64().unwrap();
                }
                Some("function") => arrived += 1,
                other => assert_eq!(other, Some("platform.telemetrySubscription")),
            }
        }
    }
    assert_eq!(told + arrived, 5000);
    assert!(arrived > 100, "only {arrived} have been kept");
}
