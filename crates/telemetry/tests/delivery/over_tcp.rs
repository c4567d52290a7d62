//! Events over TCP, one a line, and subscribers that misbehave.

use std::time::Duration;

use crate::receiver::Receiver;
use crate::world::{Patience, line, opened, subscribe, tcp, within};

#[tokio::test]
async fn every_event_is_a_line_on_one_connection() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    telemetry.publish(line("a\n"));
    telemetry.publish(line("b"));
    let mut peer = receiver.accept().await;
    assert_eq!(
        peer.line().await,
        r#"{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"a\n"}"#
    );
    assert_eq!(
        peer.line().await,
        r#"{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"b"}"#
    );
    assert!(within(telemetry.flush(Duration::MAX)).await);
    telemetry.publish(line("c"));
    assert_eq!(peer.event().await["record"], "c");
}

#[tokio::test]
async fn a_subscriber_that_does_not_listen_yet_is_waited_for() {
    let telemetry = opened();
    let port = Receiver::bind().await.port;
    subscribe(&telemetry, Patience::Short, &tcp(port));
    telemetry.publish(line("early"));
    assert!(!telemetry.flush(Duration::from_millis(100)).await);
    let receiver = Receiver::bind_to(port).await;
    assert_eq!(receiver.accept().await.event().await["record"], "early");
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_again() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    for text in ["1", "2", "3"] {
        telemetry.publish(line(text));
        assert_eq!(receiver.accept().await.event().await["record"], text);
        assert!(telemetry.flush(Duration::from_secs(1)).await);
    }
}

#[tokio::test]
async fn what_a_subscriber_says_is_not_listened_to() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    telemetry.publish(line("0"));
    let mut peer = receiver.accept().await;
    for text in ["0", "1", "2"] {
        assert_eq!(peer.event().await["record"], text);
        peer.write(&"chatter ".repeat(100)).await;
        let next: u8 = text.parse().unwrap();
        telemetry.publish(line(&(next + 1).to_string()));
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_in_order() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    let long = "x".repeat(1000);
    for number in 0..400 {
        telemetry.publish(line(&format!("{number} {long}")));
    }
    let mut peer = receiver.accept().await;
    for number in 0..400 {
        let event = peer.event().await;
        let (found, _) = event["record"].as_str().unwrap().split_once(' ').unwrap();
        assert_eq!(found, number.to_string());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_subscriber_that_never_reads_holds_up_nobody_else() {
    let telemetry = opened();
    let (silent, other) = (Receiver::bind().await, Receiver::bind().await);
    for receiver in [&silent, &other] {
        subscribe(&telemetry, Patience::Short, &tcp(receiver.port));
    }
    let long = "x".repeat(100_000);
    telemetry.publish(line("first"));
    let _unread = silent.accept().await;
    let mut peer = other.accept().await;
    assert_eq!(peer.event().await["record"], "first");
    // More than the kernel and the queue hold together. Three make a batch.
    for _ in 0..70 {
        for _ in 0..3 {
            telemetry.publish(line(&long));
        }
        for _ in 0..3 {
            assert_eq!(peer.event().await["record"].as_str().map(str::len), Some(100_000));
        }
    }
    assert!(!telemetry.flush(Duration::from_millis(50)).await);
}
