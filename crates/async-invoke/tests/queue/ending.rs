//! What is left when the queue ends.

use std::time::Duration;

use rapid_async_invoke::Drained;
use rapid_interop::RequestId;

use crate::port::{FakePort, Play};
use crate::world::{PATIENCE, World, event, named, open};

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn in_memory_what_is_due_in_time_still_runs_and_the_rest_is_reported() {
    let world = World::new();
    let port = FakePort::new([Play::Fail, Play::Respond("[]"), Play::Fail, Play::Respond("[]")]);
    let queue = open(world.config(), &port).await;
    for id in ["a", "b", "c", "d"] {
        queue.accept(named(id, "[1]")).await.unwrap();
    }
    let drained = queue.drain(Duration::from_secs(59)).await;
    let dropped = ["a", "c"].map(|id| RequestId::parse(id).unwrap()).to_vec();
    assert_eq!(drained, Drained { kept: 0, dropped });
    assert_eq!(port.seconds(), [0, 0, 0, 0], "nobody waits for what comes too late");
    assert_eq!(world.told()[0].len(), 2);
    assert_eq!(queue.drain(PATIENCE).await, drained);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn in_memory_a_retry_that_comes_in_time_is_waited_for() {
    let world = World::new();
    let port = FakePort::new([Play::Fail, Play::Respond("[]")]);
    let queue = open(world.config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    assert_eq!(queue.drain(Duration::from_secs(61)).await, Drained::default());
    assert_eq!(port.seconds(), [0, 60]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_attempt_that_never_ends_is_cut_off() {
    let port = FakePort::new([Play::Hang]);
    let queue = open(World::new().config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    port.has_made(1).await;
    assert_eq!(queue.drain(Duration::from_secs(5)).await.dropped.len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_second_end_may_be_sooner_but_not_later() {
    let port = FakePort::new([Play::Hang]);
    let queue = open(World::new().config(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    port.has_made(1).await;
    let begun = tokio::time::Instant::now();
    let other = queue.clone();
    let first = tokio::spawn(async move { other.drain(Duration::from_hours(1)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = queue.drain(Duration::from_secs(2)).await;
    assert_eq!(first.await.unwrap(), second);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "current_thread")]
async fn on_the_disk_what_runs_may_finish_and_the_rest_stays() {
    let world = World::new();
    let port = FakePort::new([Play::Wait]);
    let queue = open(world.durable(), &port).await;
    for _ in 0..3 {
        queue.accept(event("[1]")).await.unwrap();
    }
    port.has_made(1).await;
    let going_on = port.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        going_on.go_on();
    });
    let drained = queue.drain(PATIENCE).await;
    assert_eq!(drained, Drained { kept: 2, dropped: Vec::new() });
    assert_eq!((port.attempts().len(), world.told()[0].len()), (1, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_queue_that_nobody_holds_ends() {
    let world = World::new();
    let port = FakePort::new([Play::Hang]);
    let queue = open(world.durable(), &port).await;
    queue.accept(event("[1]")).await.unwrap();
    port.has_made(1).await;
    drop(queue);
    let opened = async {
        loop {
            match rapid_async_invoke::AsyncInvoke::open(world.durable(), port.clone()).await {
                Ok(queue) => return queue,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let queue = tokio::time::timeout(PATIENCE, opened).await.unwrap();
    assert_eq!(queue.pending().total(), 1);
}
