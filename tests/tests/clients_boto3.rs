//! boto3 as the invoker of a Python function. It retries nothing here, so that every answer is
//! seen.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

#[path = "clients/peers.rs"]
mod peers;

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use rapid_e2e::{DEADLINE, Options, Rapid, eventually_some};
use serde_json::{Value, json};

use crate::peers::{installed, source};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:test_function";

fn act() -> Options {
    let python = installed("python/bin/python");
    let words = [python.as_os_str(), OsStr::new("-m"), "awslambdaric".as_ref(), "app.act".as_ref()];
    Options::new().command(words).current_dir(source("tests/peers/python"))
}

/// Has boto3 call `function` with `payload`, in a process that knows no variables; what `call.py`
/// prints of the answer.
#[track_caller]
fn call(rapid: &Rapid, function: &str, payload: &[u8], options: &[&str]) -> Value {
    let mut child = Command::new(installed("python/bin/python"))
        .arg(source("tests/peers/python/call.py"))
        .arg(format!("http://{}", rapid.invoke_address()))
        .args([function, "-", "--timeout", &DEADLINE.as_secs().to_string()])
        .args(options)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python can be started");
    let mut stdin = child.stdin.take().expect("its input is piped");
    stdin.write_all(payload).expect("it reads all of its input");
    drop(stdin);
    let status = eventually_some("the caller's end", || child.try_wait().expect("it is ours"));
    let mut line = String::new();
    let mut stdout = child.stdout.take().expect("its output is piped");
    stdout.read_to_string(&mut line).expect("it prints text");
    assert!(status.success(), "{status}: {line}");
    serde_json::from_str(&line).expect("it prints JSON")
}

/// What boto3 makes of an error of the API.
#[track_caller]
fn expect_exception(answer: &Value, class: &str, status: u16) {
    assert_eq!(answer["exception"], class, "{answer}");
    assert_eq!(answer["code"], class, "{answer}");
    assert_eq!(answer["status"], status, "{answer}");
    assert!(answer["request_id"].is_string(), "{answer}");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains(class)), "{answer}");
}

#[test]
fn a_success_has_every_field_that_the_service_gives() {
    let rapid = Rapid::serve(act());
    let event = json!({ "do": "echo", "value": { "grüße": [null, 1.5, "😀"] } });
    let answer = call(&rapid, "function", event.to_string().as_bytes(), &[]);
    assert_eq!(answer["status"], 200);
    assert_eq!(answer["http_status"], 200);
    assert_eq!(answer["function_error"], json!(null));
    assert_eq!(answer["executed_version"], "$LATEST");
    assert_eq!(answer["content_type"], "application/json");
    let payload = answer["payload"].as_str().unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(payload).unwrap(), event["value"]);
    let id = answer["request_id"].as_str().unwrap_or_default();
    rapid.wait_for_line(&format!("REPORT RequestId: {id}\t"), DEADLINE);
}

#[test]
fn client_context_and_tenant_reach_the_function_under_the_callers_request_id() {
    let rapid = Rapid::serve(act());
    let options = ["--client-context", r#"{"custom":{"who":"grüße"}}"#, "--tenant-id", "blue"];
    let answer = call(&rapid, "function", br#"{"do":"context"}"#, &options);
    let payload = answer["payload"].as_str().unwrap_or_default();
    let seen: Value = serde_json::from_str(payload).unwrap();
    assert_eq!(seen["client_context_custom"], json!({ "who": "grüße" }));
    assert_eq!(seen["tenant_id"], "blue");
    assert_eq!(seen["aws_request_id"], answer["request_id"]);
}

#[test]
fn a_failed_function_is_an_answer_and_no_exception() {
    let rapid = Rapid::serve(act());
    for (event, error_type) in [
        (json!({ "do": "error" }), "ValueError"),
        (json!({ "do": "exit", "code": 3 }), "Runtime.ExitError"),
    ] {
        let answer = call(&rapid, "function", event.to_string().as_bytes(), &[]);
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["function_error"], "Unhandled");
        assert_eq!(answer["executed_version"], "$LATEST");
        let payload = answer["payload"].as_str().unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(payload).unwrap()["errorType"], error_type);
    }
}

#[test]
fn a_name_an_arn_and_a_qualifier_all_lead_to_the_function() {
    let rapid = Rapid::serve(act());
    let event = br#"{"do":"context"}"#;
    let arn = |answer: &Value| -> Value {
        let payload = answer["payload"].as_str().unwrap_or_default();
        let seen: Value = serde_json::from_str(payload).expect("the function answers");
        seen["invoked_function_arn"].clone()
    };
    // boto3 percent-encodes the colons.
    assert_eq!(arn(&call(&rapid, ARN, event, &[])), ARN);
    assert_eq!(arn(&call(&rapid, "test_function:live", event, &[])), format!("{ARN}:live"));
    let live = ["--qualifier", "live"];
    assert_eq!(arn(&call(&rapid, "function", event, &live)), format!("{ARN}:live"));
    // Other callers do not.
    for name in [ARN.to_owned(), ARN.replace(':', "%3A"), ARN.replace(':', "%3a")] {
        let reply = rapid.invoke_with(&name, &[], event);
        assert_eq!(reply.json()["invoked_function_arn"], ARN, "{name}");
    }
}

#[test]
fn another_version_is_a_resource_that_is_not_found() {
    let rapid = Rapid::serve(act());
    let answer = call(&rapid, "function", b"{}", &["--qualifier", "7"]);
    expect_exception(&answer, "ResourceNotFoundException", 404);
    assert_eq!(answer["type"], "User");
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("Function not found: {ARN}:7")), "{message}");
}

#[test]
fn a_payload_that_is_no_json_is_refused() {
    let rapid = Rapid::serve(act());
    let answer = call(&rapid, "function", b"{no json}", &[]);
    expect_exception(&answer, "InvalidRequestContentException", 400);
    assert_eq!(answer["type"], "User");
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains("Could not parse request body into json"), "{message}");
}

#[test]
fn a_payload_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
    const LIMIT: usize = 6 * 1024 * 1024;
    let rapid = Rapid::serve(act());
    let start = r#"{"do":"big","n":3,"rest":""#;
    let mut event = start.as_bytes().to_vec();
    event.resize(LIMIT - 2, b'x');
    event.extend_from_slice(b"\"}");
    let answer = call(&rapid, "function", &event, &[]);
    assert_eq!((&answer["status"], &answer["payload"]), (&json!(200), &json!("\"xxx\"")));

    event.push(b' ');
    let answer = call(&rapid, "function", &event, &[]);
    expect_exception(&answer, "RequestTooLargeException", 413);
    assert_eq!(answer["type"], "User");
}

#[test]
fn a_full_queue_is_too_many_requests() {
    let rapid = Rapid::serve(act().flags(["--queue", "0"]));
    // Its connection goes down with rapid, at the end of the test.
    drop(rapid.invoke_in_background(r#"{"do":"sleep","seconds":60}"#));
    rapid.wait_for_line("START RequestId", DEADLINE);
    let answer = call(&rapid, "function", b"{}", &[]);
    expect_exception(&answer, "TooManyRequestsException", 429);
    assert_eq!(answer["type"], "User");
}

#[test]
fn a_dry_run_runs_nothing() {
    let rapid = Rapid::serve(act());
    let options = ["--invocation-type", "DryRun"];
    let answer = call(&rapid, "function", br#"{"do":"exit"}"#, &options);
    assert_eq!((&answer["status"], &answer["payload"]), (&json!(204), &json!("")));
    assert_eq!(answer["function_error"], json!(null));
    // What ran would have been before this.
    rapid.report_of(&rapid.invoke("{}"));
    assert_eq!(rapid.stdout().matching("START RequestId").len(), 1);
    let answer = call(&rapid, "function", b"{no json}", &options);
    expect_exception(&answer, "InvalidRequestContentException", 400);
}
