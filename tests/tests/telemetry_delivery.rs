//! What subscribers of the Telemetry API get, and in which order.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/peers.rs"]
mod peers;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rapid_e2e::{
    Agent, Connection, DEADLINE, Extensions, Options, Rapid, Reply, event, eventually_some,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::installed;

const TELEMETRY: &str = "/2022-07-01/telemetry";

/// An extension that says a line, so that the test can speak for it.
const SPEAKS: &str = "#!/bin/sh\necho the extension speaks\nsleep 3600\n";

// --- Who listens -----------------------------------------------------------------------------

/// Takes batches over HTTP, for as long as the test runs.
struct Listener {
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let shared = Arc::clone(&events);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let events = Arc::clone(&shared);
                thread::spawn(move || receive(&stream.unwrap(), &events));
            }
        });
        Self { port, events }
    }

    fn subscription(&self) -> Value {
        json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function", "extension"],
            "buffering": { "timeoutMs": 25 },
            "destination": {
                "protocol": "HTTP",
                "URI": format!("http://sandbox.localdomain:{}/batch", self.port),
            },
        })
    }

    fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until there have been as many events of this type, and returns all there are.
    #[track_caller]
    fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        eventually_some(&format!("{count} events {kind}"), || {
            let events = self.events();
            let found = events.iter().filter(|event| event["type"] == kind).count();
            (found >= count).then_some(events)
        })
    }
}

/// Reads the batches that come over a connection.
fn receive(stream: &TcpStream, events: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while head.last().is_none_or(|line: &String| line != "\r\n") {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            head.push(line);
        }
        assert_eq!(head[0], "POST /batch HTTP/1.1\r\n");
        let length = |line: &String| line.strip_prefix("content-length: ")?.trim().parse().ok();
        let mut body = vec![0; head.iter().find_map(length).unwrap()];
        reader.read_exact(&mut body).unwrap();
        let batch: Vec<Value> = serde_json::from_slice(&body).unwrap();
        events.lock().unwrap().extend(batch);
        let mut writer = stream;
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    }
}

/// The types of events, without `platform.`; what extensions write is left out, since it may come
/// at any time.
fn order(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds
        .filter(|kind| *kind != "extension")
        .map(|kind| kind.strip_prefix("platform.").unwrap_or(kind))
        .collect()
}

/// The records of events of one type.
fn records<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).map(|event| &event["record"]).collect()
}

// --- Who subscribes --------------------------------------------------------------------------

fn extensions() -> Extensions {
    Extensions::none().file("first", SPEAKS, 0o755).mute("second")
}

#[track_caller]
fn subscribe(rapid: &Rapid, agent: &Agent, subscription: &Value) -> Reply {
    let (id, body) = (agent.id(), subscription.to_string());
    let request = format!(
        "PUT {TELEMETRY} HTTP/1.1\r\nHost: rapid\r\nLambda-Extension-Identifier: {id}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = rapid.to_runtime();
    connection.write(request.as_bytes()).unwrap();
    connection.receive().unwrap()
}

/// Speaks for both extensions while they initialise: the first one subscribes, and the runtime is
/// started only when both have registered.
///
/// The connections have to be kept: the extensions wait for events on them.
#[track_caller]
fn initialise(rapid: &Rapid, listener: &Listener, answer: &str) -> [Connection; 2] {
    // The processes before a new initialisation may still be there.
    let first = eventually_some("the first extension may register", || {
        let reply = rapid.call(&Agent::registration("first", &[]));
        (reply.status == 200).then(|| Agent::registered(&reply))
    });
    let reply = subscribe(rapid, &first, &listener.subscription());
    assert_eq!((reply.status, reply.text().as_str()), (200, answer));
    let second = Agent::register(rapid, "second", &[]);
    [first.ask(rapid), second.ask(rapid)]
}

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
fn nobody_subscribes_after_the_initialisation() {
    let (extensions, listener) = (extensions(), Listener::start());
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let first = Agent::register(&rapid, "first", &[]);
    let second = Agent::register(&rapid, "second", &[]);
    let _parked = [first.ask(&rapid), second.ask(&rapid)];
    rapid.expect_echo();
    let reply = subscribe(&rapid, &first, &listener.subscription());
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
        let reply = subscribe(&rapid, &first, &listener.subscription());
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
    let system = ["platform.extension", "platform.extension", "platform.start", "platform.report"];
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
