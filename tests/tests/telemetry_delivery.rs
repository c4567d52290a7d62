//! What subscribers of the Telemetry API get, and in which order.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/peers.rs"]
mod peers;
#[path = "telemetry_delivery/stage.rs"]
mod stage;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex};

use rapid_e2e::{Agent, DEADLINE, Options, Rapid, Subscriber, event, eventually_some};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::installed;
use crate::stage::{
    LOGS, Listener, TELEMETRY, extensions, initialise, initialise_with, members, order, records,
    subscribe,
};

// --- The service's sequences -----------------------------------------------------------------

#[test]
fn a_cold_start_and_warm_invocations_are_told_in_the_services_order() {
    let (extensions, listener) = (extensions(), Listener::start());
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    rapid.wait_for_line("the extension speaks", DEADLINE);
    let _parked = initialise(&rapid, &listener, "\"OK\"");
    let mut print = event("print");
    print["text"] = "one\ntwo\n".into();
    let ids = [(); 2].map(|()| rapid.invoke(print.to_string()).request_id());
    let failed = rapid.invoke(event("error").to_string());
    assert_eq!(failed.function_error(), Some("Unhandled"));

    let events = listener.wait_for("platform.report", 3);
    let initialisation = [
        "initStart",
        "telemetrySubscription",
        "initRuntimeDone",
        "extension",
        "extension",
        "initReport",
    ];
    let invocation = ["start", "function", "function", "runtimeDone", "report"];
    let posted_error = ["start", "runtimeDone", "report"];
    let expected =
        [&initialisation[..], &invocation[..], &invocation[..], &posted_error[..]].concat();
    assert_eq!(order(&events), expected, "{events:#?}");

    let subscribed = json!({
        "name": "first",
        "state": "Subscribed",
        "types": ["platform", "function", "extension"],
    });
    assert_eq!(records(&events, "platform.telemetrySubscription"), [&subscribed]);
    let ready = records(&events, "platform.extension");
    for (record, name) in ready.iter().zip(["first", "second"]) {
        assert_eq!((&record["name"], &record["state"]), (&json!(name), &json!("Ready")));
    }
    assert_eq!(records(&events, "extension"), ["the extension speaks\n"]);
    assert_eq!(records(&events, "function"), ["one\n", "two\n", "one\n", "two\n"]);
    let starts = records(&events, "platform.start");
    for (start, id) in starts.iter().zip(&ids) {
        assert_eq!(start["requestId"], **id);
    }
    for kind in ["platform.runtimeDone", "platform.report"] {
        let statuses: Vec<&Value> =
            records(&events, kind).iter().map(|record| &record["status"]).collect();
        assert_eq!(statuses, ["success"; 3], "{kind}");
    }
    let time = events[0]["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
}

#[test]
fn a_timeout_and_the_initialisation_after_it_are_told_in_the_services_order() {
    let (extensions, listener) = (extensions(), Listener::start());
    let rapid = Rapid::serve(Options::fixture().timeout(1).extensions(&extensions));
    let _parked = initialise(&rapid, &listener, "\"OK\"");
    let reply = rapid.invoke(event("hang").to_string());
    assert!(reply.text().contains("Sandbox.Timedout"), "{}", reply.text());

    let next = rapid.invoke_in_background(event("echo").to_string());
    let _parked = initialise(&rapid, &listener, "\"AlreadySubscribed\"");
    let reply = next.join().unwrap().unwrap();
    assert_eq!((reply.status, reply.function_error()), (200, None), "{}", reply.text());

    let events = listener.wait_for("platform.report", 2);
    let expected = [
        "initStart",
        "telemetrySubscription",
        "initRuntimeDone",
        "extension",
        "extension",
        "initReport",
        "start",
        "runtimeDone",
        "report",
        "initStart",
        "telemetrySubscription",
        "initRuntimeDone",
        "extension",
        "extension",
        "initReport",
        "start",
        "runtimeDone",
        "report",
    ];
    assert_eq!(order(&events), expected, "{events:#?}");
    let phases: Vec<&Value> =
        records(&events, "platform.initStart").iter().map(|record| &record["phase"]).collect();
    assert_eq!(phases, ["init", "invoke"]);
    assert_eq!(records(&events, "platform.runtimeDone")[0]["status"], "timeout");
    let report = records(&events, "platform.report")[0];
    assert_eq!(report["status"], "timeout");
    assert_eq!((report.get("errorType"), report.get("spans")), (None, None), "{report}");
    assert_eq!(
        records(&events, "platform.telemetrySubscription")[1]["state"],
        "Already subscribed"
    );
}

#[test]
fn the_logs_api_tells_an_invocation_and_a_timeout_in_its_own_records() {
    // The schema, whether it knows `platform.runtimeDone`.
    for (schema, knows_the_end_of_the_runtime) in [("2020-08-15", false), ("2021-03-18", true)] {
        let (extensions, listener) = (extensions(), Listener::start());
        let rapid = Rapid::serve(Options::fixture().timeout(1).extensions(&extensions));
        let subscription = listener.subscription_to(schema);
        let _parked = initialise_with(&rapid, LOGS, &[subscription], "\"OK\"");
        let mut print = event("print");
        print["text"] = "one\n".into();
        let good = rapid.invoke(print.to_string()).request_id();
        let late = rapid.invoke(event("hang").to_string()).request_id();

        let events = listener.wait_for("platform.report", 2);
        let initialisation = ["logsSubscription", "extension", "extension"];
        let done = if knows_the_end_of_the_runtime { &["runtimeDone"][..] } else { &[] };
        let invocation = [&["start", "function"], done, &["end", "report"]].concat();
        let timeout = [&["start"], done, &["fault", "end", "report"]].concat();
        let expected = [&initialisation[..], &invocation, &timeout].concat();
        assert_eq!(order(&events), expected, "{schema}: {events:#?}");

        let subscribed = json!({
            "name": "first",
            "state": "Subscribed",
            "types": ["platform", "function", "extension"],
        });
        assert_eq!(records(&events, "platform.logsSubscription"), [&subscribed]);
        let ready =
            ["first", "second"].map(|name| json!({ "name": name, "state": "Ready", "events": [] }));
        assert_eq!(records(&events, "platform.extension"), [&ready[0], &ready[1]]);
        let ids = [&good, &late];
        let start = ids.map(|id| json!({ "requestId": id, "version": "$LATEST" }));
        assert_eq!(records(&events, "platform.start"), [&start[0], &start[1]]);
        let end = ids.map(|id| json!({ "requestId": id }));
        assert_eq!(records(&events, "platform.end"), [&end[0], &end[1]]);
        let fault = json!(format!("RequestId: {late}\tStatus: timeout\n"));
        assert_eq!(records(&events, "platform.fault"), [&fault]);
        if knows_the_end_of_the_runtime {
            let done = [(&good, "success"), (&late, "timeout")]
                .map(|(id, status)| json!({ "requestId": id, "status": status }));
            assert_eq!(records(&events, "platform.runtimeDone"), [&done[0], &done[1]]);
        }
        let metrics = ["durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"];
        let reports = records(&events, "platform.report");
        for (report, (id, more)) in
            reports.iter().zip([(&good, &["initDurationMs"][..]), (&late, &[])])
        {
            assert_eq!(
                (members(report), &report["requestId"]),
                (vec!["metrics", "requestId"], &json!(id))
            );
            let mut expected = [&metrics[..], more].concat();
            expected.sort_unstable();
            assert_eq!(members(&report["metrics"]), expected);
        }
        assert_eq!(reports[1]["metrics"]["durationMs"].to_string(), "1000.0");
        assert_eq!(reports[1]["metrics"]["billedDurationMs"].to_string(), "1000");
    }
}

#[test]
fn each_schema_of_the_telemetry_api_has_its_own_members() {
    let schemas = ["2022-07-01", "2022-12-13", "2025-01-29"];
    let (extensions, listeners) = (extensions(), schemas.map(|_| Listener::start()));
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let subscriptions: Vec<Value> =
        listeners.iter().zip(schemas).map(|(one, schema)| one.subscription_to(schema)).collect();
    let _parked = initialise_with(&rapid, TELEMETRY, &subscriptions, "\"OK\"");
    rapid.expect_echo();
    let told = listeners.each_ref().map(|listener| listener.wait_for("platform.report", 1));
    let of_the_function = "functionName functionVersion initializationType instanceId \
                           instanceMaxMemory phase";
    for (kind, expected) in [
        ("initStart", ["initializationType phase", of_the_function, of_the_function]),
        ("initRuntimeDone", ["initializationType phase status"; 3]),
        (
            "initReport",
            [
                "initializationType metrics phase",
                "initializationType metrics phase status",
                "initializationType metrics phase status",
            ],
        ),
        ("telemetrySubscription", ["name state types"; 3]),
        ("extension", ["events name state"; 3]),
        ("start", ["requestId version", "requestId version", "functionArn requestId version"]),
        ("runtimeDone", ["metrics requestId spans status"; 3]),
        ("report", ["metrics requestId spans status"; 3]),
    ] {
        let kind = format!("platform.{kind}");
        for ((events, expected), schema) in told.iter().zip(expected).zip(schemas) {
            let found = records(events, &kind);
            assert_eq!(members(found[0]).join(" "), expected, "{kind} in {schema}");
        }
    }
}

#[test]
fn a_batch_is_brought_as_it_was_asked_for() {
    let (extensions, heads) = (extensions(), Arc::<Mutex<Vec<String>>>::default());
    let shared = Arc::clone(&heads);
    let subscriber =
        Subscriber::start(move |batch| shared.lock().unwrap().push(batch.head.clone()));
    let port = subscriber.port();
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let uri = format!("http://sandbox.localdomain:{port}/a/b?c=d");
    let destination = json!({ "protocol": "HTTP", "URI": uri, "method": "PUT" });
    let subscription = json!({ "types": ["platform"], "destination": destination });
    let _parked = initialise_with(&rapid, LOGS, &[subscription], "\"OK\"");
    let head = eventually_some("a batch", || heads.lock().unwrap().first().cloned());
    let value = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name:?} in {head}")).to_owned()
    };
    let (length, sequence) = (value("content-length: "), value("sequence-id: "));
    assert_eq!(sequence.len(), 43, "{sequence}");
    assert_eq!(
        head,
        format!(
            "PUT /a/b?c=d HTTP/1.1\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nhost: 127.0.0.1:{port}\r\nconnection: keep-alive\r\n\
             user-agent: awslambda-worker/1.0\r\nsequence-id: {sequence}\r\n\r\n"
        )
    );
}

#[test]
fn over_tcp_every_event_is_a_line() {
    let (extensions, listener) = (extensions(), Listener::start());
    let (tcp, port) = rapid_e2e::bind(0);
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let destination = json!({ "protocol": "TCP", "port": port });
    let mut over_tcp = listener.subscription();
    over_tcp["destination"] = destination;
    let subscriptions = [listener.subscription(), over_tcp];
    let _parked = initialise_with(&rapid, TELEMETRY, &subscriptions, "\"OK\"");
    rapid.expect_echo();
    let (stream, _) = tcp.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut lines = BufReader::new(stream)
        .lines()
        .map(|line| -> Value { serde_json::from_str(&line.unwrap()).unwrap() });
    let mut told: Vec<Value> = Vec::new();
    while told.last().is_none_or(|event| event["type"] != "platform.report") {
        told.push(lines.next().unwrap());
    }
    assert_eq!(told, listener.wait_for("platform.report", 1));
}

#[test]
fn nobody_subscribes_after_the_initialisation() {
    let (extensions, listener) = (extensions(), Listener::start());
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let first = Agent::register(&rapid, "first", &[]);
    let second = Agent::register(&rapid, "second", &[]);
    let _parked = [first.ask(&rapid), second.ask(&rapid)];
    rapid.expect_echo();
    let reply = subscribe(&rapid, &first, TELEMETRY, &listener.subscription());
    assert_eq!(
        (reply.status, reply.text().trim_end()),
        (
            403,
            r#"{"errorMessage":"Telemetry API subscription is closed already","errorType":"Telemetry.SubscriptionClosed"}"#
        )
    );
}

#[test]
fn switched_off_it_is_not_supported() {
    let listener = Listener::start();
    for options in [Options::fixture().flags(["--telemetry", "off"]), Options::fixture().rie()] {
        let extensions = extensions();
        let rapid = Rapid::serve(options.extensions(&extensions).flags(["--init", "eager"]));
        let first = Agent::register(&rapid, "first", &[]);
        let reply = subscribe(&rapid, &first, TELEMETRY, &listener.subscription());
        let body = r#"{"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}"#;
        assert_eq!((reply.status, reply.text().trim_end()), (202, body));
    }
    assert_eq!(listener.events(), [json!(null); 0]);
}

// --- The JSON format -------------------------------------------------------------------------

#[test]
fn in_the_json_format_the_log_is_filtered_and_subscribers_get_everything() {
    let (extensions, listener) = (extensions(), Listener::start());
    let options = Options::fixture()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
        .extensions(&extensions);
    let rapid = Rapid::serve(options);
    let _parked = initialise(&rapid, &listener, "\"OK\"");
    let mut print = event("print");
    let lines = "{\"level\":\"WARN\",\"n\":1}\nplain\n{\"level\":\"error\",\"n\":2}\n";
    print["text"] = lines.into();
    let reply = rapid.invoke(print.to_string());
    let events = listener.wait_for("platform.report", 1);
    let told = [json!({"level":"WARN","n":1}), json!("plain\n"), json!({"level":"error","n":2})];
    assert_eq!(records(&events, "function"), told.iter().collect::<Vec<_>>());

    rapid.wait_for_line("\"platform.report\"", DEADLINE);
    let printed = rapid.stdout().lines();
    let logged: Vec<Value> =
        printed.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = json!(reply.request_id());
    let kinds: Vec<&str> = logged.iter().filter_map(|line| line["type"].as_str()).collect();
    let system = [
        "platform.telemetrySubscription",
        "platform.extension",
        "platform.extension",
        "platform.start",
        "platform.report",
    ];
    assert_eq!(kinds, system, "{logged:#?}");
    let function = logged.iter().filter(|line| line.get("type").is_none());
    assert_eq!(function.collect::<Vec<_>>(), [&told[2]]);
    assert_eq!(logged.last().unwrap()["record"]["requestId"], id);
}

// --- Framed records of real clients ----------------------------------------------------------

/// A function in a directory of its own.
fn function(name: &str, source: &str, words: &[&OsStr]) -> (TempDir, Options) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), source).unwrap();
    let words: Vec<OsString> = words.iter().map(Into::into).collect();
    let options = Options::new().command(words).current_dir(directory.path());
    (directory, options)
}

/// Invokes once; returns what subscribers were told the function has written meanwhile, and all
/// that was printed.
fn written(options: Options) -> (Vec<String>, String) {
    let (extensions, listener) = (extensions(), Listener::start());
    let rapid = Rapid::serve(options.extensions(&extensions));
    let _parked = initialise(&rapid, &listener, "\"OK\"");
    let reply = rapid.invoke("{}");
    assert_eq!(reply.function_error(), Some("Unhandled"), "{}", reply.text());
    rapid.report_of(&reply);
    let events = listener.wait_for("platform.report", 1);
    // A client may have something to say while it initialises.
    let start = events.iter().position(|event| event["type"] == "platform.start").unwrap();
    let events = &events[start..];
    let last = order(events).split_off(order(events).len() - 3);
    assert_eq!(last, ["function", "runtimeDone", "report"], "{events:#?}");
    let told = records(events, "function");
    let told = told.iter().map(|record| record.as_str().unwrap().to_owned()).collect();
    (told, rapid.stdout().text())
}

/// Expects records that contain these texts, in any order, and nothing else.
#[track_caller]
fn expect_records(told: &[String], texts: &[&str]) {
    for text in texts {
        let count = told.iter().filter(|record| record.contains(text)).count();
        assert_eq!(count, 1, "{text:?} in {told:#?}");
    }
    assert_eq!(told.len(), texts.len(), "{told:#?}");
}

#[test]
fn records_of_several_lines_of_the_python_client_stay_whole() {
    let source = "
import logging
logging.getLogger().setLevel('INFO')
def handler(event, context):
    print('printed first')
    logging.info('one\\ntwo')
    print('printed last')
    raise ValueError('boom')
";
    let python = installed("python/bin/python");
    let words = ["-m", "awslambdaric", "app.handler"].map(OsStr::new);
    let words = [&[python.as_os_str()], &words[..]].concat();
    let (_directory, options) = function("app.py", source, &words);
    let (told, printed) = written(options);
    let traceback = "[ERROR] ValueError: boom\nTraceback (most recent call last):\n";
    expect_records(&told, &["printed first\n", "\tone\ntwo\n", "printed last\n", traceback]);
    assert!(
        told.iter().position(|r| r == "printed first\n")
            < told.iter().position(|r| r == "printed last\n")
    );
    for record in &told {
        let whole = format!("{}\n", record.trim_end_matches('\n'));
        assert!(printed.contains(&whole), "{whole:?} in {printed}");
    }
    assert!(printed.contains("raise ValueError('boom')\nEND RequestId"), "{printed}");
}

#[test]
fn records_of_several_lines_of_the_node_client_stay_whole() {
    let source = "
exports.handler = async () => {
  process.stdout.write('printed\\n');
  console.log('one\\ntwo');
  throw new Error('boom');
};
";
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    let words = [client.as_os_str(), OsStr::new("app.handler")];
    let (_directory, options) = function("app.js", source, &words);
    let (told, printed) = written(options);
    expect_records(&told, &["printed\n", "\tINFO\tone\ntwo", "\tERROR\tInvoke Error \t"]);
    assert!(printed.contains("\tINFO\tone\ntwo\n"), "{printed}");
}

#[test]
fn the_emulators_manners_know_no_framed_records() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let env = rapid.invoke(event("report-env").to_string()).json();
    assert_eq!(env.get("_LAMBDA_TELEMETRY_LOG_FD"), None);
}

#[test]
fn the_runtime_and_its_children_find_the_descriptor_for_framed_records() {
    let rapid = Rapid::serve(Options::fixture());
    let env = rapid.invoke(event("report-env").to_string()).json();
    assert_eq!(env["_LAMBDA_TELEMETRY_LOG_FD"], "3");
}
