//! `InvokeWithResponseStream`: responses that their invokers get while the function produces them.
//! With real functions and SDKs, and with both ends in the test's hands where every byte counts.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "invoke_streaming/caller.rs"]
mod caller;
#[path = "invoke_streaming/failures.rs"]
mod failures;
#[path = "clients/peers.rs"]
mod peers;
#[path = "invoke_streaming/runtime.rs"]
mod runtime;
#[path = "invoke_streaming/sdk.rs"]
mod sdk;
#[path = "invoke_streaming/slow.rs"]
mod slow;
#[path = "invoke_streaming/web.rs"]
mod web;
#[path = "invoke_streaming/wire.rs"]
mod wire;

use std::ffi::OsStr;

use rapid_e2e::{DEADLINE, Options, Rapid, run};
use serde_json::{Value, json};

use crate::peers::{installed, source};
use crate::sdk::{SDKS, Sdk, log};

const MIB: usize = 1024 * 1024;

/// Node's streaming function.
fn node() -> Options {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    Options::new()
        .command([client.as_os_str(), OsStr::new("stream.handler")])
        .current_dir(source("tests/peers/node"))
}

/// Rust's.
fn rust() -> Options {
    Options::new().command([installed("rust/debug/stream")])
}

/// Python's, whose client cannot stream.
fn python() -> Options {
    let python = installed("python/bin/python");
    let words = [python.as_os_str(), OsStr::new("-m"), "awslambdaric".as_ref(), "app.act".as_ref()];
    Options::new().command(words).current_dir(source("tests/peers/python"))
}

/// A file that a function waits for, and the event that names it.
fn gated(rapid: &Rapid, mut event: Value) -> (impl FnOnce() + use<>, String) {
    let gate = rapid.scratch().join("gate");
    event["gate"] = gate.to_str().expect("its path is text").into();
    (move || std::fs::write(gate, "").expect("the gate opens"), event.to_string())
}

/// What comes before the function's own bytes from `lambda_runtime`.
fn without_prelude(payload: &str) -> &str {
    let (prelude, body) = payload.split_once("\0\0\0\0\0\0\0\0").expect("there is a prelude");
    let prelude: Value = serde_json::from_str(prelude).expect("it is JSON");
    assert_eq!(prelude["headers"]["x-peer"], "rust");
    body
}

/// The response streams of two functions by two SDKs, each of which has its own parser.
#[track_caller]
fn expect_first_bytes_early(rapid: &Rapid, sdk: Sdk, first: &str) {
    let (open, event) = gated(rapid, json!({ "chunks": ["first ", "second ", "third"] }));
    let call = sdk.stream(rapid, &event, false);
    // The function waits for the gate by now: all that comes, comes while it runs.
    let head = call.line("\"head\"");
    call.chunk(first);
    assert_eq!(head["status"], 200, "{head}");
    assert_eq!(head["executed_version"], "$LATEST");
    open();
    let streamed = call.end();
    assert!(streamed.expect_success().ends_with("first second third"), "{streamed:?}");
    let id = head["request_id"].as_str().expect("it has an id");
    rapid.wait_for_line(&format!("REPORT RequestId: {id}\t"), DEADLINE);
    std::fs::remove_file(rapid.scratch().join("gate")).expect("it was opened");
}

#[test]
fn the_first_bytes_of_a_node_function_arrive_while_it_still_runs() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        expect_first_bytes_early(&rapid, sdk, "first ");
    }
}

#[test]
fn the_first_bytes_of_a_rust_function_arrive_while_it_still_runs() {
    let rapid = Rapid::serve(rust());
    for sdk in SDKS {
        expect_first_bytes_early(&rapid, sdk, "first ");
    }
}

#[test]
fn the_head_tells_the_functions_content_type() {
    let rapid = Rapid::serve(node());
    let stream = |event: &str| Sdk::Boto3.stream(&rapid, event, false).end().head;
    let head = stream(r#"{"chunks":["a"],"type":"text/x-own"}"#);
    assert_eq!(head["content_type"], "application/vnd.amazon.eventstream");
    assert_eq!(head["headers"]["x-amzn-remapped-content-type"], "text/x-own");
    let head = stream(r#"{"chunks":["a"]}"#);
    assert_eq!(head["headers"]["x-amzn-remapped-content-type"], "application/octet-stream");
}

#[test]
fn a_response_without_bytes_is_complete_all_the_same() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let streamed = sdk.stream(&rapid, r#"{"chunks":[]}"#, false).end();
        assert_eq!(streamed.expect_success(), "", "{sdk:?}");
    }
}

#[test]
fn who_asks_for_the_whole_gets_a_streamed_response_whole() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let answer = sdk.invoke(&rapid, r#"{"chunks":["a","b"]}"#, false);
        assert_eq!((&answer["status"], &answer["payload"]), (&json!(200), &json!("ab")));
        assert_eq!(answer["function_error"], Value::Null);
    }
    let answer = Sdk::Boto3.invoke(&rapid, r#"{"chunks":["a"],"then":"throw"}"#, false);
    assert_eq!(answer["function_error"], "Unhandled");
    let payload = answer["payload"].as_str().expect("it is text");
    assert_eq!(serde_json::from_str::<Value>(payload).unwrap()["errorMessage"], "boom");
}

#[test]
fn a_response_that_does_not_stream_comes_in_pieces_too() {
    let rapid = Rapid::serve(python());
    for sdk in SDKS {
        let event = r#"{"do":"echo","value":{"big":"x"}}"#;
        assert_eq!(sdk.stream(&rapid, event, false).end().expect_success(), r#"{"big": "x"}"#);
        let streamed = sdk.stream(&rapid, r#"{"do":"big","n":3000000}"#, false).end();
        assert_eq!(streamed.expect_success().len(), 3_000_002, "{sdk:?}");
    }
}

#[test]
fn the_example_greets_word_by_word() {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    let example = source("examples/node-streaming");
    let options = Options::new()
        .command([client.as_os_str(), OsStr::new("index.handler")])
        .current_dir(&example);
    let words = ["invoke", "--stream", "--payload", r#"{"name":"Ada"}"#];
    let printed = run(&words, &options, b"");
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let readme = std::fs::read_to_string(example.join("README.md")).expect("it has a README");
    assert!(readme.contains(&format!("```text\n{}```", printed.stdout)), "{}", printed.stdout);
    let rapid = Rapid::serve(options);
    let call = Sdk::JavaScript.stream(&rapid, "{}", false);
    call.chunk("Hello, ");
    let streamed = call.end();
    assert_eq!(streamed.expect_success(), "Hello, world! This came word by word.\n");
}

#[test]
fn the_log_comes_with_the_end_and_has_what_was_written_after_the_stream() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let event = r#"{"chunks":["a"],"then":"print"}"#;
        let streamed = sdk.stream(&rapid, event, true).end();
        assert_eq!(streamed.expect_success(), "a");
        let (log, id) = (log(&streamed.complete), &streamed.head["request_id"]);
        let id = id.as_str().expect("it has an id");
        assert!(log.contains(&format!("START RequestId: {id} Version: $LATEST\n")), "{log}");
        assert!(log.contains("printed after the end\n"), "{log}");
        assert!(log.contains(&format!("END RequestId: {id}\nREPORT RequestId: {id}\t")), "{log}");
        let silent = sdk.stream(&rapid, event, false).end();
        assert_eq!(silent.complete["log_result"], Value::Null);
    }
}

#[test]
fn the_log_of_a_failed_stream_has_its_report() {
    let rapid = Rapid::serve(node().timeout(2));
    for (then, status) in [("hang", "Status: timeout"), ("exit", "Status: error")] {
        let event = json!({ "chunks": ["part"], "then": then }).to_string();
        let streamed = Sdk::Boto3.stream(&rapid, &event, true).end();
        streamed.expect_error();
        let log = log(&streamed.complete);
        let report = log.lines().last().unwrap_or_default();
        assert!(report.starts_with("REPORT ") && report.contains(status), "{log}");
    }
}
