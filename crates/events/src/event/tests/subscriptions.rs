//! Subscriptions and what was dropped.

use super::{check, logs, telemetry};
use crate::{Category, Level, LogsDroppedData, Platform, SubscriptionData, SubscriptionState};

#[test]
fn a_subscription_is_told_to_subscribers_of_the_same_api() {
    let mut data = SubscriptionData {
        name: "probe.sh".into(),
        state: SubscriptionState::Subscribed,
        types: Category::ALL.to_vec(),
    };
    check(
        Platform::TelemetrySubscription(data.clone()),
        "platform.telemetrySubscription",
        Level::Info,
        telemetry(
            r#"{"name":"probe.sh","state":"Subscribed","types":["platform","function","extension"]}"#,
        ),
    );
    (data.state, data.types) = (SubscriptionState::AlreadySubscribed, vec![Category::Platform]);
    check(
        Platform::LogsSubscription(data),
        "platform.logsSubscription",
        Level::Info,
        logs(r#"{"name":"probe.sh","state":"Already subscribed","types":["platform"]}"#),
    );
}

#[test]
fn what_was_dropped_is_told_to_everybody() {
    let data = LogsDroppedData {
        reason: "Some logs were dropped because the downstream consumer is slower than the logs \
                 production rate"
            .into(),
        dropped_records: 123,
        dropped_bytes: 12_345,
    };
    let record = r#"{"reason":"Some logs were dropped because the downstream consumer is slower than the logs production rate","droppedRecords":123,"droppedBytes":12345}"#;
    let mut rows = telemetry(record);
    (rows[0].1, rows[1].1) = (Some(record), Some(record));
    check(data, "platform.logsDropped", Level::Warn, rows);
}
