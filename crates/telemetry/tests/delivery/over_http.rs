//! Batches over HTTP: their bytes, and subscribers that misbehave.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::receiver::{OK, Receiver};
use crate::world::{Patience, http, line, opened, subscribe, texts};

#[tokio::test]
async fn a_batch_has_exactly_these_bytes() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let port = receiver.port;
    let destination = format!(
        r#"{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/a/path?with=query"}}"#
    );
    subscribe(&telemetry, Patience::Short, &destination);
    telemetry.publish(line("FUNCTION_MARKER NORMAL\n"));
    telemetry.publish(line("second\n"));
    let post = receiver.accept().await.serve().await;
    let body = concat!(
        r#"[{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"FUNCTION_MARKER NORMAL\n"},"#,
        r#"{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"second\n"}]"#
    );
    assert_eq!(String::from_utf8_lossy(&post.body), body);
    let sequence_id = STANDARD_NO_PAD.encode(Sha256::digest(body));
    assert_eq!(sequence_id.len(), 43);
    let head = [
        "POST /a/path?with=query HTTP/1.1",
        "content-type: application/json",
        &format!("content-length: {}", body.len()),
        &format!("host: 127.0.0.1:{port}"),
        "connection: keep-alive",
        "user-agent: awslambda-worker/1.0",
        &format!("sequence-id: {sequence_id}"),
        "\r\n",
    ];
    assert_eq!(post.head, head.join("\r\n"));
}

#[tokio::test]
async fn put_is_used_when_it_is_asked_for() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let port = receiver.port;
    let destination =
        format!(r#"{{"protocol":"HTTP","URI":"http://sandbox:{port}","method":"PUT"}}"#);
    subscribe(&telemetry, Patience::Short, &destination);
    telemetry.publish(line("a"));
    let post = receiver.serve_one().await;
    assert!(post.head.starts_with("PUT / HTTP/1.1\r\n"), "{}", post.head);
}

#[tokio::test]
async fn a_connection_is_kept_from_batch_to_batch() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("0"));
    let mut peer = receiver.accept().await;
    assert_eq!(texts(&peer.serve().await.events()), ["0"]);
    for text in ["1", "2", "3"] {
        telemetry.publish(line(text));
        assert_eq!(texts(&peer.serve().await.events()), [text]);
    }
}

#[tokio::test]
async fn the_same_batch_has_the_same_sequence_id_for_everyone() {
    let telemetry = opened();
    let (first, second) = (Receiver::bind().await, Receiver::bind().await);
    for receiver in [&first, &second] {
        subscribe(&telemetry, Patience::Endless, &http(receiver.port));
    }
    for round in ["one", "two"] {
        telemetry.publish(line(round));
        telemetry.stream_closed();
        let (a, b) = tokio::join!(first.serve_one(), second.serve_one());
        assert_eq!(a.body, b.body);
        assert!(a.header("sequence-id").is_some());
        assert_eq!(a.header("sequence-id"), b.header("sequence-id"));
    }
}

#[tokio::test]
async fn a_subscriber_that_does_not_listen_yet_is_waited_for() {
    let telemetry = opened();
    let port = Receiver::bind().await.port;
    subscribe(&telemetry, Patience::Short, &http(port));
    telemetry.publish(line("early"));
    // Long enough for an attempt; if it has not been made, the test still holds.
    assert!(!telemetry.flush(std::time::Duration::from_millis(100)).await);
    let receiver = Receiver::bind_to(port).await;
    assert_eq!(texts(&receiver.serve_one().await.events()), ["early"]);
}

#[tokio::test]
async fn a_subscriber_that_listens_anew_for_every_connection_loses_nothing() {
    let telemetry = opened();
    let mut receiver = Receiver::bind().await;
    let port = receiver.port;
    subscribe(&telemetry, Patience::Short, &http(port));
    for text in ["1", "2", "3"] {
        telemetry.publish(line(text));
        assert_eq!(texts(&receiver.serve_one().await.events()), [text]);
        drop(receiver);
        receiver = Receiver::bind_to(port).await;
    }
}

/// A subscriber that does this to the first batch gets the same batch again.
async fn sent_again_after(answer: &str) {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("a"));
    let mut peer = receiver.accept().await;
    let first = peer.request().await;
    telemetry.publish(line("b"));
    peer.write(answer).await;
    drop(peer);
    let mut peer = receiver.accept().await;
    let again = peer.serve().await;
    assert_eq!(again.body, first.body, "after {answer:?}");
    assert_eq!(again.header("sequence-id"), first.header("sequence-id"));
    assert_eq!(texts(&peer.serve().await.events()), ["b"], "after {answer:?}");
}

#[tokio::test]
async fn a_batch_that_was_not_taken_is_sent_again() {
    sent_again_after("").await;
    sent_again_after("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n").await;
    sent_again_after("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
}

#[tokio::test]
async fn a_batch_whose_answer_makes_no_sense_is_sent_again() {
    sent_again_after("SSH-2.0-OpenSSH_9.6\r\n").await;
    sent_again_after("HTTP/1.1 200 OK\r\nContent-Le").await;
    sent_again_after("\0\0\0\0").await;
    // A head without an end.
    sent_again_after(&format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000))).await;
}

#[tokio::test]
async fn every_status_below_400_is_fine() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("0"));
    let mut peer = receiver.accept().await;
    for (answer, next) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", "1"),
        ("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n", "2"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok", "3"),
        (OK, "4"),
    ] {
        peer.request().await;
        peer.write(answer).await;
        telemetry.publish(line(next));
    }
    assert_eq!(texts(&peer.serve().await.events()), ["4"]);
}

#[tokio::test]
async fn an_answer_without_an_end_holds_nothing_up() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("a"));
    let mut flooding = receiver.accept().await;
    flooding.request().await;
    flooding.write("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await;
    let flood = tokio::spawn(async move { flooding.write_for_ever().await });
    // It has been taken all the same, so the next one comes, on another connection.
    telemetry.publish(line("b"));
    assert_eq!(texts(&receiver.serve_one().await.events()), ["b"]);
    flood.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_of_its_body_counts() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    subscribe(&telemetry, Patience::Short, &http(receiver.port));
    telemetry.publish(line("a"));
    let mut stuck = receiver.accept().await;
    stuck.request().await;
    stuck.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    telemetry.publish(line("b"));
    assert_eq!(texts(&receiver.serve_one().await.events()), ["b"]);
    stuck.end().await;
}

#[tokio::test]
async fn a_subscriber_that_never_answers_holds_up_nobody_else() {
    let telemetry = opened();
    let (silent, other) = (Receiver::bind().await, Receiver::bind().await);
    for receiver in [&silent, &other] {
        subscribe(&telemetry, Patience::Short, &http(receiver.port));
    }
    telemetry.publish(line("0"));
    let mut unanswered = silent.accept().await;
    let first = unanswered.request().await;
    let mut peer = other.accept().await;
    peer.serve().await;
    for text in ["1", "2"] {
        telemetry.publish(line(text));
        assert_eq!(texts(&peer.serve().await.events()), [text]);
    }
    // After a while it is given another chance, on another connection.
    let mut peer = silent.accept().await;
    assert_eq!(peer.serve().await.body, first.body);
    assert_eq!(texts(&peer.serve().await.events()), ["1", "2"]);
    unanswered.end().await;
}
