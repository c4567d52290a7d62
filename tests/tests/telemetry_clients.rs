//! Extensions that subscribe to telemetry with real clients: AWS's `lambda-extension`, whose reader
//! is strict, rapid's own, and an observability extension in Node; and the example that ships logs.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/peers.rs"]
mod peers;
#[path = "telemetry_clients/serverless.rs"]
mod serverless;
#[path = "telemetry_clients/shipping.rs"]
mod shipping;
#[path = "telemetry_clients/subscriber.rs"]
mod subscriber;

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, event};
use serde_json::{Value, json};

use crate::subscriber::{Client, Subscriber, members, of, order};

/// Everybody who subscribes to the Telemetry API.
const TELEMETRY: [Client; 4] = [
    Client::Lambda("telemetry"),
    Client::Rapid("2022-07-01"),
    Client::Rapid("2022-12-13"),
    Client::Rapid("2025-01-29"),
];

/// Everybody who subscribes to the Logs API, with the schema of 2021.
const LOGS: [Client; 2] = [Client::Lambda("logs"), Client::Rapid("2021-03-18")];

const INIT: [&str; 6] = [
    "initStart",
    "telemetrySubscription",
    "initRuntimeDone",
    "extension",
    "extension",
    "initReport",
];
const LOGS_INIT: [&str; 3] = ["logsSubscription", "extension", "extension"];

/// The records alone: rapid's client also writes down what else it hears.
fn records_alone(mut records: Vec<Value>) -> Vec<Value> {
    records.retain(|record| {
        let kind = record["type"].as_str().unwrap_or_default();
        !["subscribed", "invoke", "shutdown"].contains(&kind)
    });
    records
}

fn print(text: &str) -> String {
    let mut event = event("print");
    event["text"] = text.into();
    event.to_string()
}

/// A cold start, a warm invocation, an error that is posted, and a crash.
#[track_caller]
fn live(rapid: &Rapid) -> [Reply; 4] {
    let exit = json!({"do": "exit", "code": 3}).to_string();
    let events = [print("one\ntwo\n"), print("three\n"), event("error").to_string(), exit];
    events.map(|event| rapid.invoke(event))
}

#[track_caller]
fn ends_well(rapid: &Rapid) {
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
}

#[test]
fn cold_start_warm_invocation_error_and_crash_are_told_in_the_services_order() {
    for client in TELEMETRY {
        let subscriber = Subscriber::with(client);
        let rapid = Rapid::serve(subscriber.beside(Options::fixture()));
        let replies = live(&rapid);
        let last = rapid.expect_echo();
        let records = records_alone(subscriber.wait_for("platform.report", 5));
        ends_well(&rapid);

        let expected = [
            &INIT[..],
            &["start", "function", "function", "runtimeDone", "report"],
            &["start", "function", "runtimeDone", "report"],
            &["start", "runtimeDone", "report"],
            &["start", "runtimeDone", "report"],
            &INIT,
            &["start", "runtimeDone", "report"],
        ]
        .concat();
        assert_eq!(order(&records), expected, "{client:?} {records:#?}");
        let mut ids: Vec<String> = replies.iter().map(Reply::request_id).collect();
        ids.push(last.request_id());
        for kind in ["platform.start", "platform.runtimeDone", "platform.report"] {
            assert_eq!(members(&records, kind, "requestId"), ids.iter().collect::<Vec<_>>());
        }
        for kind in ["platform.runtimeDone", "platform.report"] {
            let statuses = ["success", "success", "success", "error", "success"];
            assert_eq!(members(&records, kind, "status"), statuses, "{client:?} {kind}");
        }
        assert_eq!(of(&records, "function"), ["one\n", "two\n", "three\n"]);
        assert_eq!(of(&records, "extension")[0], "the extension speaks\n");
        let states = members(&records, "platform.telemetrySubscription", "state");
        assert_eq!(states, ["Subscribed", "Already subscribed"]);
    }
}

#[test]
fn a_timeout_is_told_to_the_extension_that_is_started_after_it() {
    for client in [Client::Lambda("telemetry"), Client::Rapid("2025-01-29")] {
        let subscriber = Subscriber::with(client);
        let rapid = Rapid::serve(subscriber.beside(Options::fixture()).timeout(1));
        let late = rapid.invoke(event("hang").to_string());
        assert_eq!(late.json()["errorType"], "Sandbox.Timedout", "{}", late.text());
        let next = rapid.expect_echo();
        let records = records_alone(subscriber.wait_for("platform.report", 2));
        ends_well(&rapid);

        let invocation = ["start", "runtimeDone", "report"];
        let expected = [&INIT[..], &invocation, &INIT, &invocation].concat();
        assert_eq!(order(&records), expected, "{client:?} {records:#?}");
        for kind in ["platform.runtimeDone", "platform.report"] {
            let ids = [late.request_id(), next.request_id()];
            assert_eq!(members(&records, kind, "requestId"), ids.each_ref());
            assert_eq!(members(&records, kind, "status"), ["timeout", "success"]);
        }
        assert_eq!(members(&records, "platform.initStart", "phase"), ["init", "invoke"]);
    }
}

#[test]
fn the_logs_api_tells_the_same_in_its_own_words() {
    for client in LOGS {
        let subscriber = Subscriber::with(client);
        let rapid = Rapid::serve(subscriber.beside(Options::fixture()).timeout(1));
        let ok = rapid.invoke(print("one\n"));
        let late = rapid.invoke(event("hang").to_string());
        let next = rapid.expect_echo();
        let records = records_alone(subscriber.wait_for("platform.report", 3));
        ends_well(&rapid);

        let expected = [
            &LOGS_INIT[..],
            &["start", "function", "runtimeDone", "end", "report"],
            &["start", "runtimeDone", "fault", "end", "report"],
            &LOGS_INIT,
            &["start", "runtimeDone", "end", "report"],
        ]
        .concat();
        assert_eq!(order(&records), expected, "{client:?} {records:#?}");
        let statuses = ["success", "timeout", "success"];
        assert_eq!(members(&records, "platform.runtimeDone", "status"), statuses);
        let ids = [&ok, &late, &next].map(Reply::request_id);
        for kind in ["platform.start", "platform.end", "platform.report"] {
            assert_eq!(members(&records, kind, "requestId"), ids.each_ref(), "{client:?}");
        }
        let faults = of(&records, "platform.fault");
        let fault = faults[0].as_str().expect("a fault is a text");
        assert!(fault.starts_with(&format!("RequestId: {}\t", ids[1])), "{fault}");
        assert_eq!(of(&records, "function"), ["one\n"]);
        assert_eq!(of(&records, "extension")[0], "the extension speaks\n");
    }
}

#[test]
fn rapids_client_is_back_from_an_invocation_when_the_functions_part_is_over() {
    for schema in ["2021-03-18", "2022-12-13"] {
        let subscriber = Subscriber::with(Client::Rapid(schema));
        let rapid = Rapid::serve(subscriber.beside(Options::fixture()));
        let replies: Vec<Reply> = (0..20).map(|n| rapid.invoke(print(&format!("{n}\n")))).collect();
        rapid.term();
        assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
        let records = subscriber.records();
        assert_eq!(of(&records, "subscribed"), ["New"], "{records:#?}");
        let ids: Vec<String> = replies.iter().map(Reply::request_id).collect();
        assert_eq!(of(&records, "invoke"), ids.iter().collect::<Vec<_>>());
        let texts: Vec<String> = (0..20).map(|n| format!("{n}\n")).collect();
        assert_eq!(of(&records, "function"), texts.iter().collect::<Vec<_>>());
        // Before each invocation the one before it is done, and nothing is outstanding at the end.
        let mut done = 0;
        for record in &records {
            match record["type"].as_str() {
                Some("platform.runtimeDone") => done += 1,
                Some("invoke") => {
                    let place = ids.iter().position(|id| record["record"] == **id);
                    assert!(place.expect("it is one of them") <= done, "{records:#?}");
                }
                Some("shutdown") => {
                    let reports = members(&records, "platform.report", "requestId");
                    assert_eq!(reports, ids.iter().collect::<Vec<_>>());
                    assert_eq!((done, &record["record"]), (20, &json!("spindown")));
                }
                _ => {}
            }
        }
        assert_eq!(records.last().expect("there are some")["type"], "shutdown", "{records:#?}");
    }
}

#[test]
fn without_telemetry_both_clients_work_on() {
    for client in [Client::Lambda("telemetry"), Client::Lambda("logs"), Client::Rapid("2022-12-13")]
    {
        for flags in [["--telemetry", "off"], ["--compat", "rie"]] {
            let subscriber = Subscriber::with(client);
            let rapid = Rapid::serve(subscriber.beside(Options::fixture()).flags(flags));
            for _ in 0..3 {
                rapid.expect_echo();
            }
            ends_well(&rapid);
            let mut records = subscriber.records();
            records.retain(|record| record["type"] != "invoke");
            let expected: &[Value] = match client {
                Client::Lambda(_) => &[],
                Client::Rapid(_) => &[
                    json!({ "type": "subscribed", "record": "NotSupported" }),
                    json!({ "type": "shutdown", "record": "spindown" }),
                ],
            };
            let reason = records.last_mut().map(|last| &mut last["record"]);
            if let Some(reason) = reason {
                // The emulator has another word for it.
                *reason = "spindown".into();
            }
            assert_eq!(records, expected, "{client:?} {flags:?}");
        }
    }
}
