//! When an event is tried again, and how that is told.

use std::time::Duration;

use rapid_async_invoke::{Config, Policy};
use serde_json::json;

use crate::port::{FakePort, Play};
use crate::world::{ID, World, event, is_empty, open};

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_function_error_is_tried_again_after_one_and_two_minutes() {
    let world = World::new();
    let port = FakePort::new([Play::Fail]);
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(port.seconds(), [0, 60, 180]);
    assert!(port.attempts().iter().all(|attempt| attempt.invoke.id.as_str() == ID));
    let [succeeded, failed, dead] = world.told();
    assert!(succeeded.is_empty());
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    let context = &failed["requestContext"];
    assert_eq!(context["condition"], "RetriesExhausted");
    assert_eq!(context["approximateInvokeCount"], 3);
    assert_eq!(failed["responseContext"]["functionError"], "Unhandled");
    let message = format!("RequestId: {ID} Error: no");
    assert_eq!(failed["responsePayload"]["errorMessage"], message);
    let [dead] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(dead["body"], "[1]");
    let code = json!({"stringValue": "200", "dataType": "Number"});
    assert_eq!(dead["messageAttributes"]["ErrorCode"], code);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_success_after_a_retry_is_a_success() {
    let world = World::new();
    let port = FakePort::new([Play::Fail, Play::Respond("{\"ok\": true}")]);
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    let [succeeded, failed, dead] = world.told();
    assert!(failed.is_empty() && dead.is_empty());
    let [succeeded] = &succeeded[..] else { panic!("{succeeded:?}") };
    assert_eq!(succeeded["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(
        succeeded["responseContext"],
        json!({"statusCode": 200, "executedVersion": "$LATEST"})
    );
    assert_eq!(succeeded["responsePayload"], json!({"ok": true}));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn throttling_costs_no_retry() {
    let plays = [Play::Throttle, Play::Throttle, Play::Throttle, Play::Fail, Play::Throttle];
    let world = World::new();
    let port = FakePort::new(plays.into_iter().chain([Play::Fail, Play::Respond("[]")]));
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    // 1, 2 and 4 seconds, a minute; again a second, and two minutes.
    assert_eq!(port.seconds(), [0, 1, 3, 7, 67, 68, 188]);
    assert_eq!(world.told()[0].len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_that_would_be_too_old_fails_at_once_with_the_last_response() {
    let world = World::new();
    let port = FakePort::new([Play::Fail, Play::Throttle]);
    let policy = Policy { max_event_age: Duration::from_secs(65), ..Policy::default() };
    let queue = open(Config { policy, ..world.config() }, &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    // Another four seconds after the last would be too late.
    assert_eq!(port.seconds(), [0, 60, 61, 63]);
    let [failed] = &world.told()[1][..] else { panic!("not told once") };
    assert_eq!(failed["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(failed["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(failed["responseContext"]["functionError"], "Unhandled");
    assert_eq!(failed["responsePayload"]["errorType"], "Runtime.Unknown");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_that_was_only_throttled_expires_without_a_response() {
    let world = World::new();
    let port = FakePort::new([Play::Throttle]);
    let policy = Policy { max_event_age: Duration::from_secs(60), ..Policy::default() };
    let queue = open(Config { policy, ..world.config() }, &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(port.seconds(), [0, 1, 3, 7, 15, 31]);
    let [failed] = &world.told()[1][..] else { panic!("not told once") };
    assert_eq!(failed["responseContext"]["statusCode"], 429);
    assert!(failed.get("responsePayload").is_none());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_change_of_the_policy_reaches_events_that_wait() {
    let world = World::new();
    let port = FakePort::new([Play::Fail]);
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    port.has_made(1).await;
    queue.set_policy(Policy { max_retry_attempts: 1, ..Policy::default() }).unwrap();
    is_empty(&queue).await;
    assert_eq!(port.seconds(), [0, 60]);
    queue.set_policy(Policy { zero_reserved_concurrency: true, ..Policy::default() }).unwrap();
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(port.attempts().len(), 2);
    let [first, second] = &world.told()[1][..] else { panic!("not told twice") };
    assert_eq!(first["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(second["requestContext"]["condition"], "ZeroReservedConcurrency");
    assert!(second.get("responseContext").is_none());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_port_that_panics_costs_no_retry_and_no_slot() {
    let world = World::new();
    let port = FakePort::new([Play::Panic, Play::Panic, Play::Respond("[]")]);
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(port.seconds(), [0, 1, 3]);
    assert_eq!(world.told()[0].len(), 1);
}
