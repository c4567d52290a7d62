//! Subscriptions to logs and telemetry are turned down where there is nothing to subscribe to.

use bytes::Bytes;

use crate::http_text::{Piece, Pieces, check};
use crate::port::FakePort;

const ANSWERS: [(&str, &str); 2] = [
    (
        "PUT /2020-08-15/logs",
        "202
content-type: application/json

{\"errorMessage\":\"Logs API is not supported\",\"errorType\":\"Logs.NotSupported\"}
",
    ),
    (
        "PUT /2022-07-01/telemetry",
        "202
content-type: application/json

{\"errorMessage\":\"Telemetry API is not supported\",\"errorType\":\"Telemetry.NotSupported\"}
",
    ),
];

#[tokio::test]
async fn a_subscription_is_turned_down_whoever_asks_and_whatever_it_says() {
    for (head, answer) in ANSWERS {
        let port = FakePort::default();
        check(&port, head, "", answer).await;
        check(&port, head, Pieces::of(r#"{"types":["platform"]}"#), answer).await;
        check(&port, head, Pieces::body([Piece::BreakOff]), answer).await;
        check(&port, head, Bytes::from(vec![b'x'; 1_000_000]), answer).await;
        check(&port, &format!("{head}\nLambda-Extension-Identifier: nonsense"), "", answer).await;
        assert_eq!(port.heard(), [""; 0]);
    }
}

#[tokio::test]
async fn a_subscription_is_turned_down_where_extensions_are_disabled_too() {
    let port = FakePort::with(|script| script.extensions_enabled = false);
    for (head, answer) in ANSWERS {
        check(&port, head, "{}", answer).await;
    }
}
