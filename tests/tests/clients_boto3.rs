//! boto3 as the invoker of a Python function. It retries nothing here, so that every answer is
//! seen.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

#[path = "clients/peers.rs"]
mod peers;

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapid_e2e::{DEADLINE, Extensions, Options, Rapid, eventually_some};
use serde_json::{Value, json};

use crate::peers::{installed, source};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:test_function";

fn act() -> Options {
    let python = installed("python/bin/python");
    let words = [python.as_os_str(), OsStr::new("-m"), "awslambdaric".as_ref(), "app.act".as_ref()];
    Options::new().command(words).current_dir(source("tests/peers/python"))
}

/// `call.py`, which reads the payload from its input.
#[track_caller]
fn caller(rapid: &Rapid, function: &str, options: &[&str]) -> Child {
    Command::new(installed("python/bin/python"))
        .arg(source("tests/peers/python/call.py"))
        .arg(format!("http://{}", rapid.invoke_address()))
        .args([function, "-", "--timeout", &DEADLINE.as_secs().to_string()])
        .args(options)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python can be started")
}

/// Has boto3 call `function` with `payload`, in a process that knows no variables; what `call.py`
/// prints of the answer.
#[track_caller]
fn call(rapid: &Rapid, function: &str, payload: &[u8], options: &[&str]) -> Value {
    let mut child = caller(rapid, function, options);
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

// --- Errors of the API -------------------------------------------------------------------------

/// An exception that boto3 has a class for, by which callers catch it.
#[track_caller]
fn expect_typed(answer: &Value, class: &str, status: u16) {
    expect_exception(answer, class, status);
    assert_eq!(answer["typed"], true, "{answer}");
}

/// Both ways of invoking, and the options that lead to errors.
const WAYS: [&[&str]; 2] = [&[], &["--stream"]];

#[test]
fn both_ways_of_invoking_raise_the_exceptions_that_callers_catch() {
    let rapid = Rapid::serve(act());
    let large = vec![b' '; 6 * 1024 * 1024 + 1];
    for way in WAYS {
        let called = |function: &str, event: &[u8], options: &[&str]| {
            call(&rapid, function, event, &[way, options].concat())
        };
        let missing = called("function", b"{}", &["--qualifier", "7"]);
        expect_typed(&missing, "ResourceNotFoundException", 404);
        expect_typed(&called("function", b"{no json}", &[]), "InvalidRequestContentException", 400);
        let clash = called("test_function:live", b"{}", &["--qualifier", "dev"]);
        expect_typed(&clash, "InvalidParameterValueException", 400);
        let context = ["--client-context", "no JSON"];
        let context = called("function", b"{}", &context);
        expect_typed(&context, "InvalidRequestContentException", 400);
        expect_typed(&called("function", &large, &[]), "RequestTooLargeException", 413);
        for answer in [missing, clash, context] {
            assert_eq!(answer["type"], "User", "{answer}");
        }
        // boto3 has no class for this one.
        let named = called("no name!", b"{}", &[]);
        assert_eq!(
            (&named["code"], &named["status"]),
            (&json!("ValidationException"), &json!(400))
        );
        assert_eq!(named["typed"], false, "{named}");
    }
    // Nothing of it ran.
    rapid.report_of(&rapid.invoke("{}"));
    assert_eq!(rapid.stdout().matching("START RequestId").len(), 1);
}

#[test]
fn a_full_queue_is_the_exception_with_its_reason_either_way() {
    let rapid = Rapid::serve(act().flags(["--queue", "0"]));
    // Its connection goes down with rapid, at the end of the test.
    drop(rapid.invoke_in_background(r#"{"do":"sleep","seconds":60}"#));
    rapid.wait_for_line("START RequestId", DEADLINE);
    for way in WAYS {
        let answer = call(&rapid, "function", b"{}", way);
        expect_typed(&answer, "TooManyRequestsException", 429);
        assert!(answer["reason"].is_string(), "{answer}");
    }
}

// --- The log -----------------------------------------------------------------------------------

const TAIL: [&str; 2] = ["--log-type", "Tail"];

/// The log in an answer, decoded.
#[track_caller]
fn log(answer: &Value) -> String {
    let encoded = answer["log_result"].as_str().expect("there is a log");
    String::from_utf8(STANDARD.decode(encoded).expect("it is base64")).expect("it is text")
}

#[test]
fn the_log_has_what_the_function_printed_from_start_to_report() {
    let rapid = Rapid::serve(act());
    let event = br#"{"do":"print","text":"gr\u00fc\u00dfe"}"#;
    // The first has the initialisation, too.
    call(&rapid, "function", b"{}", &[]);
    let answer = call(&rapid, "function", event, &TAIL);
    let id = answer["request_id"].as_str().expect("it has an id");
    let log = log(&answer);
    let start = format!("START RequestId: {id} Version: $LATEST\ngr\u{fc}\u{df}e\n");
    let end = format!("END RequestId: {id}\nREPORT RequestId: {id}\tDuration: ");
    assert!(log.starts_with(&format!("{start}{end}")), "{log}");
    assert!(log.ends_with("\t\n"), "{log}");
    assert_eq!(log.lines().count(), 4, "{log}");
    assert_eq!(call(&rapid, "function", event, &[])["log_result"], Value::Null);
    let none = ["--log-type", "None"];
    assert_eq!(call(&rapid, "function", event, &none)["log_result"], Value::Null);
}

#[test]
fn the_first_log_has_the_initialisation_before_the_start() {
    let rapid = Rapid::serve(Options::fixture_that(["print", "from the init"]));
    let first = log(&call(&rapid, "function", b"{}", &TAIL));
    let start = first.find("START RequestId").expect("it has a start");
    assert!(first.find("from the init\n").is_some_and(|init| init < start), "{first}");
    assert!(first.contains("\tInit Duration: "), "{first}");
    let second = log(&call(&rapid, "function", b"{}", &TAIL));
    assert!(!second.contains("from the init"), "{second}");
}

#[test]
fn the_log_has_what_an_extension_printed_and_waits_for_it() {
    let extensions = Extensions::agent(
        "register INVOKE SHUTDOWN\nwhile next; do\n[[ $event == *SHUTDOWN* ]] && exit 0\n\
         pass gate\necho from the extension\ndone",
    );
    let rapid = Rapid::serve(act().extensions(&extensions));
    thread::scope(|scope| {
        let called = scope.spawn(|| call(&rapid, "function", br#"{"do":"echo","value":1}"#, &TAIL));
        // The extension is not done before this.
        extensions.open("gate");
        let answer = called.join().expect("it is answered");
        assert_eq!(answer["payload"], "1");
        let log = log(&answer);
        let said = log.find("from the extension\n").expect("the extension is heard");
        assert!(said < log.find("REPORT RequestId").expect("there is a report"), "{log}");
    });
}

#[test]
fn the_log_of_a_failure_has_the_error() {
    let rapid = Rapid::serve(act());
    let answer = call(&rapid, "function", br#"{"do":"error"}"#, &TAIL);
    assert_eq!(answer["function_error"], "Unhandled");
    assert!(log(&answer).contains("[ERROR] ValueError: boom"), "{}", log(&answer));
    let answer = call(&rapid, "function", br#"{"do":"exit","code":3}"#, &TAIL);
    assert_eq!(answer["function_error"], "Unhandled");
    let log = log(&answer);
    let report = log.lines().last().unwrap_or_default();
    assert!(report.contains("\tStatus: error\tError Type: Runtime.ExitError"), "{log}");
}

#[test]
fn a_long_log_is_cut_to_its_last_four_kibibytes() {
    let rapid = Rapid::serve(act());
    let text = "x".repeat(6_000);
    let event = json!({ "do": "print", "text": format!("{text}the end") }).to_string();
    let log = log(&call(&rapid, "function", event.as_bytes(), &TAIL));
    assert_eq!(log.len(), 4096);
    assert!(log.starts_with("xxx") && log.contains("xthe end\nEND RequestId"), "{log}");
}

#[test]
fn a_stream_is_told_piece_by_piece_and_then_its_end() {
    let rapid = Rapid::serve(act());
    let mut child = caller(&rapid, "function", &["--stream", "--log-type", "Tail"]);
    let event = br#"{"do":"big","n":3}"#;
    child.stdin.take().expect("its input is piped").write_all(event).expect("it reads");
    let printed = child.wait_with_output().expect("it ends").stdout;
    let lines = String::from_utf8(printed).expect("it prints text");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("it prints JSON")).collect();
    let [head, chunk, complete] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&head["status"], &head["executed_version"]), (&json!(200), &json!("$LATEST")));
    assert_eq!(chunk["payload"], "\"xxx\"");
    assert_eq!(complete["error_code"], Value::Null);
    assert!(log(complete).contains("REPORT RequestId"), "{complete}");
}
