//! What the next run finds, and goes on with.

use std::path::Path;
use std::time::Duration;

use rapid_async_invoke::{Config, Destinations, Policy, Target};
use redb::{Database, TableDefinition};
use tokio::net::TcpListener;

use crate::port::{FakePort, Play};
use crate::world::{ID, PATIENCE, World, event, is_empty, named, open};

#[tokio::test(flavor = "current_thread")]
async fn an_attempt_that_was_cut_off_is_repeated_and_costs_no_retry() {
    let world = World::new();
    let policy = Policy { max_retry_attempts: 0, ..Policy::default() };
    let config = || Config { policy: policy.clone(), ..world.durable() };
    for _ in 0..3 {
        let port = FakePort::new([Play::Hang]);
        let queue = open(config(), &port).await;
        if queue.pending().total() == 0 {
            queue.accept(event("[1]")).await.unwrap();
        }
        port.has_made(1).await;
        assert_eq!(port.attempts()[0].invoke.id.as_str(), ID);
        assert_eq!(queue.drain(Duration::ZERO).await.kept, 1);
    }
    let queue = open(config(), &FakePort::new([Play::Respond("[]")])).await;
    is_empty(&queue).await;
    assert_eq!(world.told().map(|told| told.len()), [1, 0, 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn attempts_are_counted_over_restarts_and_the_time_of_the_next_is_kept() {
    let world = World::new();
    let hour = Policy { retry_delays: [Duration::from_hours(1); 2], ..Policy::default() };
    let config = || Config { policy: hour.clone(), ..world.durable() };
    let port = FakePort::new([Play::Fail]);
    let queue = open(config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    while queue.pending().retrying == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(queue.drain(PATIENCE).await.kept, 1);
    let queue = open(config(), &port).await;
    let pending = queue.pending();
    assert_eq!((pending.retrying, pending.queued, port.attempts().len()), (1, 0, 1));
    assert!(pending.bytes > 3, "the response is kept: {pending:?}");
    queue.drain(PATIENCE).await;

    // The first attempt counts: with one retry, there is one more attempt.
    let world = World::new();
    let once = Policy {
        max_retry_attempts: 1,
        retry_delays: [Duration::from_millis(300); 2],
        ..Policy::default()
    };
    let config = || Config { policy: once.clone(), ..world.durable() };
    let port = FakePort::new([Play::Fail]);
    let queue = open(config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    while queue.pending().retrying == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    queue.drain(PATIENCE).await;
    let queue = open(config(), &port).await;
    is_empty(&queue).await;
    assert_eq!(port.attempts().len(), 2);
    assert_eq!(world.told()[1][0]["requestContext"]["approximateInvokeCount"], 2);
}

#[tokio::test(flavor = "current_thread")]
async fn an_end_that_was_being_told_is_told_again_without_another_attempt() {
    let world = World::new();
    // Accepts connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent: Target = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let destinations = Destinations { on_success: Some(silent), ..Destinations::default() };
    let port = FakePort::new([Play::Respond("[2]")]);
    let queue = open(Config { destinations, ..world.durable() }, &port).await;
    queue.accept(event("[1]")).await.unwrap();
    // It is being told once somebody has connected.
    let _connection = listener.accept().await.unwrap();
    assert_eq!(queue.drain(Duration::ZERO).await.kept, 1);
    let queue = open(world.durable(), &port).await;
    is_empty(&queue).await;
    assert_eq!(port.attempts().len(), 1);
    let [told] = &world.told()[0][..] else { panic!("not told once") };
    assert_eq!(told["responsePayload"][0], 2);
}

#[tokio::test(flavor = "current_thread")]
async fn hundreds_of_events_at_once_are_all_kept_and_all_run() {
    const EVENTS: usize = 300;
    let world = World::new();
    let queue = open(world.durable(), &FakePort::new([Play::Hang])).await;
    let accepting: Vec<_> = (0..EVENTS)
        .map(|number| {
            let queue = queue.clone();
            let event = named(&number.to_string(), format!("{number}"));
            tokio::spawn(async move { queue.accept(event).await })
        })
        .collect();
    for accepted in accepting {
        accepted.await.unwrap().unwrap();
    }
    assert_eq!(queue.drain(Duration::ZERO).await.kept, EVENTS);
    let port = FakePort::new([Play::Respond("[]")]);
    let config = Config { concurrency: 32.try_into().unwrap(), ..world.durable() };
    let queue = open(config, &port).await;
    assert_eq!(queue.pending().total(), EVENTS);
    is_empty(&queue).await;
    let mut numbers: Vec<usize> = port
        .attempts()
        .iter()
        .map(|attempt| {
            assert_eq!(attempt.invoke.id.as_str().as_bytes(), &attempt.invoke.payload[..]);
            attempt.invoke.id.as_str().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "current_thread")]
async fn an_event_that_cannot_be_read_back_is_told_as_failed_and_set_aside() {
    let world = World::new();
    let port = FakePort::new([Play::Hang]);
    let queue = open(world.durable(), &port).await;
    queue.accept(named("lost", "[1]")).await.unwrap();
    queue.accept(named("whole", "[2]")).await.unwrap();
    assert_eq!(queue.drain(Duration::ZERO).await.kept, 2);
    lose_a_payload(&world.path("queue/async-events.redb"), 0);
    let port = FakePort::new([Play::Respond("[]")]);
    let queue = open(world.durable(), &port).await;
    is_empty(&queue).await;
    assert_eq!(port.attempts().len(), 1);
    let [succeeded, failed, dead] = world.told();
    assert_eq!(succeeded[0]["requestContext"]["requestId"], "whole");
    let ([failed], [dead]) = (&failed[..], &dead[..]) else { panic!("{failed:?} {dead:?}") };
    assert_eq!(failed["requestContext"]["requestId"], "lost");
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";
    assert_eq!(failed["requestContext"]["functionArn"], arn);
    assert_eq!(failed["deliveryError"]["errorCode"], "ServiceException");
    assert_eq!(dead["messageAttributes"]["RequestID"]["stringValue"], "lost");
    // It does not come back.
    queue.drain(PATIENCE).await;
    let queue = open(world.durable(), &port).await;
    assert_eq!(queue.pending().total(), 0);
}

/// Damages the file of a queue that is not open, as a disk may.
fn lose_a_payload(file: &Path, seq: u64) {
    let payloads: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("payloads-1");
    let database = Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.open_table(payloads).unwrap().remove(seq).unwrap().is_some());
    transaction.commit().unwrap();
}
