//! What is accepted, and what is not.

use std::time::Duration;

use rapid_async_invoke::{AsyncInvokeError, Config, Pending, Policy, Refusal};
use rapid_interop::limits::MAX_ASYNC_REQUEST_SIZE;

use crate::port::{FakePort, Play};
use crate::world::{ID, World, event, is_empty, open};

#[tokio::test(flavor = "current_thread")]
async fn an_event_runs_once_with_its_own_id_and_no_client_context() {
    let world = World::new();
    for config in [world.config(), world.durable()] {
        let port = FakePort::new([Play::Respond("[]")]);
        let queue = open(config, &port).await;
        queue.accept(event("[1]")).await.unwrap();
        is_empty(&queue).await;
        let [attempt] = &port.attempts()[..] else { panic!("not one attempt") };
        let invoke = &attempt.invoke;
        assert_eq!((invoke.id.as_str(), &invoke.payload[..]), (ID, &b"[1]"[..]));
        assert_eq!((invoke.received.as_nanos(), invoke.request_read_time), (7, Duration::ZERO));
        assert_eq!(invoke.client_context, None);
        queue.drain(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_too_large_or_no_json_is_refused() {
    let port = FakePort::new([Play::Hang]);
    let queue = open(Config::default(), &port).await;
    let json = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    queue.accept(event(json(MAX_ASYNC_REQUEST_SIZE))).await.unwrap();
    let too_large = queue.accept(event(json(MAX_ASYNC_REQUEST_SIZE + 1))).await.unwrap_err();
    assert_eq!(
        too_large.to_string(),
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    );
    let not_json = queue.accept(event("{")).await.unwrap_err();
    assert!(
        not_json.to_string().starts_with(
            "Could not parse request body into json: Could not parse payload into json: "
        ),
        "{not_json}"
    );
    assert_eq!(queue.pending().total(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_known_to_be_json_is_not_read_again() {
    let port = FakePort::new([Play::Respond("[]")]);
    let queue = open(Config::default(), &port).await;
    queue.accept_json(event("{")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(&port.attempts()[0].invoke.payload[..], b"{");
    let too_large = queue.accept_json(event(vec![b' '; MAX_ASYNC_REQUEST_SIZE + 1])).await;
    assert_eq!(too_large, Err(Refusal::TooLarge { size: MAX_ASYNC_REQUEST_SIZE + 1 }));
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_refuses_and_has_room_again_later() {
    for (config, more) in [
        (Config { max_events: 2, ..Config::default() }, "1"),
        (Config { max_bytes: 10, ..Config::default() }, "12345"),
    ] {
        let port = FakePort::new([Play::Wait]);
        let queue = open(config, &port).await;
        queue.accept(event("12345")).await.unwrap();
        queue.accept(event("1234")).await.unwrap();
        assert_eq!(queue.accept(event(more)).await, Err(Refusal::TooManyRequests));
        port.go_on();
        is_empty(&queue).await;
        queue.accept(event(more)).await.unwrap();
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pending_tells_what_there_is() {
    let port = FakePort::new([Play::Fail, Play::Hang]);
    let queue = open(Config::default(), &port).await;
    assert_eq!(queue.pending(), Pending::default());
    for _ in 0..3 {
        queue.accept(event("[1]")).await.unwrap();
    }
    port.has_made(2).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let pending = queue.pending();
    assert_eq!((pending.queued, pending.retrying, pending.in_flight), (1, 1, 1));
    assert_eq!(pending.oldest_age.unwrap().as_secs(), 30);
    assert!(pending.bytes > 9, "the response of the first is kept: {pending:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_accepted_once_it_ends() {
    let world = World::new();
    for config in [world.config(), world.durable()] {
        let queue = open(config, &FakePort::new([Play::Hang])).await;
        queue.drain(Duration::ZERO).await;
        assert_eq!(queue.accept(event("[1]")).await, Err(Refusal::ShuttingDown));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn settings_out_of_their_range_are_refused() {
    let policy = Policy { max_retry_attempts: 3, ..Policy::default() };
    let port = FakePort::new([Play::Hang]);
    let queue = open(Config::default(), &port).await;
    let refused = queue.set_policy(policy.clone());
    assert!(matches!(refused, Err(AsyncInvokeError::OutOfRange { .. })), "{refused:?}");
    let config = Config { policy, ..Config::default() };
    let refused = rapid_async_invoke::AsyncInvoke::open(config, port).await;
    assert!(matches!(refused, Err(AsyncInvokeError::OutOfRange { .. })), "{refused:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn as_many_run_at_the_same_time_as_may() {
    for concurrency in [1, 3] {
        let port = FakePort::new([Play::Wait]);
        let config = Config { concurrency: concurrency.try_into().unwrap(), ..Config::default() };
        let queue = open(config, &port).await;
        for _ in 0..10 {
            queue.accept(event("[1]")).await.unwrap();
        }
        port.has_made(concurrency).await;
        port.go_on();
        is_empty(&queue).await;
        assert_eq!((port.most_at_the_same_time(), port.attempts().len()), (concurrency, 10));
    }
}
