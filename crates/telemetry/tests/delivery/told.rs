//! What an engine tells of reaches the subscribers of the APIs that carry it.

use std::time::{Duration, SystemTime};

use rapid_events::{
    Anchor, Api, EventsApi as _, ExtensionInitData, InvokeResponseMetrics, SpanName,
};
use rapid_interop::Mono;
use rapid_telemetry::{Rules, SubscribeError, Subscribed, Telemetry};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::receiver::Receiver;
use crate::world::{Patience, http, opened, request, tcp, types};

fn data<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

fn tell_start(telemetry: &Telemetry) {
    telemetry.send_init_start(&data(r#"{"initializationType":"on-demand","phase":"init"}"#));
}

fn tell_report(telemetry: &Telemetry) {
    telemetry.send_init_report(&data(
        r#"{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":1.0}}"#,
    ));
}

fn tell_everything(telemetry: &Telemetry) {
    tell_start(telemetry);
    telemetry.send_init_runtime_done(&data(
        r#"{"initializationType":"on-demand","phase":"init","status":"success"}"#,
    ));
    telemetry.send_extension_init(&ExtensionInitData {
        name: "probe.sh".into(),
        state: "Ready".into(),
        events: Vec::new(),
        error_type: None,
    });
    tell_report(telemetry);
    telemetry.send_restore_start(&data("{}"));
    telemetry.send_restore_runtime_done(&data(r#"{"status":"success"}"#));
    telemetry.send_restore_report(&data(r#"{"status":"success","metrics":{"durationMs":1.0}}"#));
    telemetry.send_invoke_start(&data(r#"{"requestId":"a"}"#));
    telemetry.send_invoke_runtime_done(&data(r#"{"requestId":"a","status":"timeout"}"#));
    telemetry.send_fault(&data(r#""RequestId: a\tStatus: timeout\n""#));
    telemetry.send_end(&data(r#"{"requestId":"a"}"#));
    telemetry
        .send_report(&data(r#"{"requestId":"a","status":"timeout","metrics":{"durationMs":1.0}}"#));
}

/// The types of what a subscriber to the platform's events gets, but for its own subscription.
async fn told(api: Api, schema: &str) -> Vec<String> {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let body =
        request(&["platform"], Patience::Short, &http(receiver.port)).replace("2022-12-13", schema);
    telemetry.subscribe(api, "probe.sh", body.as_bytes()).unwrap();
    tell_everything(&telemetry);
    let events = receiver.serve_one().await.events();
    let (_subscription, told) = events.split_first().unwrap();
    types(told).into_iter().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn each_api_carries_its_own_events() {
    assert_eq!(
        told(Api::Telemetry, "2025-01-29").await,
        [
            "platform.initStart",
            "platform.initRuntimeDone",
            "platform.extension",
            "platform.initReport",
            "platform.restoreStart",
            "platform.restoreRuntimeDone",
            "platform.restoreReport",
            "platform.start",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    assert_eq!(
        told(Api::Logs, "2021-03-18").await,
        [
            "platform.extension",
            "platform.start",
            "platform.runtimeDone",
            "platform.fault",
            "platform.end",
            "platform.report",
        ]
    );
}

#[tokio::test]
async fn subscriptions_are_taken_from_the_start_of_an_initialisation_to_its_report() {
    let telemetry = Telemetry::new(Rules::default(), Handle::current());
    let receiver = Receiver::bind().await;
    let body = request(&["platform"], Patience::Short, &tcp(receiver.port));
    let subscribe = || telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes());
    let closed = Err(SubscribeError::Closed(Api::Telemetry));
    assert_eq!(subscribe(), closed);
    tell_start(&telemetry);
    assert_eq!(subscribe(), Ok(Subscribed::Newly));
    tell_report(&telemetry);
    assert_eq!(subscribe(), closed);
    tell_start(&telemetry);
    assert_eq!(subscribe(), Ok(Subscribed::Already));
    let mut peer = receiver.accept().await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(peer.event().await);
    }
    let (start, subscription) = ("platform.initStart", "platform.telemetrySubscription");
    assert_eq!(types(&seen), [start, subscription, "platform.initReport", start, subscription]);
}

/// What reaches a subscriber that would wait for long, once this is told.
async fn hurried(tell: impl FnOnce(&Telemetry)) -> Vec<String> {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let body = request(&["platform"], Patience::Endless, &http(receiver.port));
    telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).unwrap();
    tell(&telemetry);
    let events = receiver.serve_one().await.events();
    types(&events).into_iter().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_failure_is_told_at_once() {
    let subscription = "platform.telemetrySubscription";
    let runtime_done = hurried(|telemetry| {
        telemetry.send_init_runtime_done(&data(
            r#"{"initializationType":"on-demand","phase":"init","status":"error"}"#,
        ));
    });
    assert_eq!(runtime_done.await, [subscription, "platform.initRuntimeDone"]);
    let report = hurried(|telemetry| {
        telemetry.send_init_report(&data(
            r#"{"initializationType":"on-demand","phase":"init","status":"timeout","metrics":{"durationMs":1.0}}"#,
        ));
    });
    assert_eq!(report.await, [subscription, "platform.initReport"]);
    let runtime_done = hurried(|telemetry| {
        telemetry.send_invoke_runtime_done(&data(r#"{"requestId":"a","status":"failure"}"#));
    });
    assert_eq!(runtime_done.await, [subscription, "platform.runtimeDone"]);
}

#[tokio::test]
async fn spans_are_worked_out_only_for_somebody() {
    let millis = |millis: u64| Mono::from_nanos(millis * 1_000_000);
    let response = InvokeResponseMetrics {
        start_reading_response: millis(2),
        finish_reading_response: millis(5),
        runtime_called_response: true,
        ..InvokeResponseMetrics::default()
    };
    let spans = |telemetry: &Telemetry| {
        let anchor = Anchor::new(millis(0), SystemTime::UNIX_EPOCH);
        telemetry.runtime_done_spans(anchor, Some(millis(1)), Some(&response), Some(millis(9)))
    };
    let telemetry = Telemetry::new(Rules::default(), Handle::current());
    assert_eq!(spans(&telemetry), []);
    telemetry.open();
    let found: Vec<_> = spans(&telemetry).iter().map(|span| (span.name, span.duration)).collect();
    assert_eq!(
        found,
        [
            (SpanName::ResponseLatency, Duration::from_millis(1)),
            (SpanName::ResponseDuration, Duration::from_millis(3)),
            (SpanName::RuntimeOverhead, Duration::from_millis(4)),
        ]
    );
}
