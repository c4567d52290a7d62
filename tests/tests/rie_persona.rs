//! The manners of the Runtime Interface Emulator, without its defects.

use std::os::unix::fs::symlink;
use std::process::Command;

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, Request, error_body, event, rapid_binary, run};
use serde_json::json;

#[track_caller]
fn expect_bad_gateway(reply: &Reply, error_type: &str, message: &str) {
    assert_eq!(reply.status, 502);
    assert_eq!(reply.text(), error_body(error_type, &reply.request_id(), message));
}

#[test]
fn the_runtime_starts_with_the_first_invocation() {
    let rapid = Rapid::serve(Options::fixture().rie());
    rapid.expect_family(0);
    assert_eq!(rapid.health(), "idle");
    let reply = rapid.expect_echo();
    rapid.expect_family(1);
    let report = rapid.report_of(&reply);
    let fields: Vec<&str> = report.split('\t').map(|f| f.split(':').next().unwrap()).collect();
    let expected = [
        "REPORT RequestId",
        "Init Duration",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "",
    ];
    assert_eq!(fields, expected, "{report}");
}

#[test]
fn crashes_are_bad_gateways_with_a_body() {
    let rapid = Rapid::serve(Options::fixture().rie());
    for (event, message) in [
        (json!({"do": "exit", "code": 3}), "Runtime exited with error: exit status 3"),
        (json!({"do": "exit", "code": 0}), "Runtime exited without providing a reason"),
        (
            json!({"do": "signal", "signal": 11}),
            "Runtime exited with error: signal: segmentation fault",
        ),
    ] {
        expect_bad_gateway(&rapid.invoke(event.to_string()), "Runtime.ExitError", message);
        rapid.expect_echo();
    }
}

#[test]
fn failed_initialisations_are_bad_gateways_with_a_body() {
    let exits = Rapid::serve(Options::fixture_that(["init-exit", "3"]).rie());
    let message = "Runtime exited with error: exit status 3";
    expect_bad_gateway(&exits.invoke("{}"), "Runtime.ExitError", message);
    let reports = Rapid::serve(Options::fixture_that(["init-error-exit"]).rie());
    let reply = reports.invoke("{}");
    let body = r#"{"errorMessage":"no handler","errorType":"Runtime.NoSuchHandler"}"#;
    assert_eq!((reply.status, reply.text().as_str()), (502, body));
}

#[test]
fn an_answer_that_was_given_stays_good_when_the_runtime_exits_after_it() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let reply = rapid.invoke(json!({"do": "exit-after-response", "code": 1}).to_string());
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"last words\""));
    rapid.expect_echo();
}

#[test]
fn a_timeout_is_plain_text_with_status_200() {
    let rapid = Rapid::serve(Options::fixture_that(["ignore-term"]).rie().timeout(1));
    let reply = rapid.invoke(event("hang").to_string());
    assert_eq!((reply.status, reply.text().as_str()), (200, "Task timed out after 1.00 seconds"));
    assert_eq!(reply.header("Content-Type"), Some("text/plain; charset=utf-8"));
    rapid.expect_echo();
}

#[test]
fn function_errors_are_answers_like_any_other() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let reply = rapid.invoke(json!({"do": "error", "body": "oops"}).to_string());
    assert_eq!((reply.status, reply.text().as_str()), (200, "oops"));
    let large = rapid.invoke(json!({"do": "respond-big", "size": 6_291_557}).to_string());
    assert_eq!(large.status, 200);
    assert_eq!(large.json()["errorType"], "Function.ResponseSizeTooLarge");
    rapid.expect_echo();
}

#[test]
fn the_largest_request_passes_and_one_byte_more_does_not() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let largest = vec![b'x'; 6_291_556];
    let reply = rapid.invoke(largest.clone());
    assert!(reply.status == 200 && reply.body == largest, "{} {}", reply.status, reply.body.len());
    let reply = rapid.invoke(vec![b'x'; 6_291_557]);
    assert_eq!(reply.status, 413, "{} bytes", reply.body.len());
    assert_eq!(reply.header("X-Amzn-ErrorType"), Some("RequestTooLargeException"));
    rapid.expect_echo();
}

#[test]
fn a_body_may_be_anything() {
    let rapid = Rapid::serve(Options::fixture().rie());
    for body in ["", "no json", "{", "\u{0}"] {
        let reply = rapid.invoke(body);
        assert_eq!((reply.status, reply.text().as_str()), (200, body));
    }
}

#[test]
fn invocation_types_are_not_read_and_ids_may_be_anything() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let headers = [("X-Amz-Invocation-Type", "Event"), ("X-Amzn-RequestId", "my-id")];
    let reply = rapid.invoke_with("function", &headers, event("report-event").to_string());
    assert_eq!(reply.status, 200);
    let told = reply.json();
    let header = |name: &str| {
        let headers = told["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).unwrap()[1].as_str().unwrap().to_owned()
    };
    assert_eq!(header("Lambda-Runtime-Aws-Request-Id"), "my-id");
    let arn = "arn:aws:lambda:us-east-1:012345678912:function:test_function";
    assert_eq!(header("Lambda-Runtime-Invoked-Function-Arn"), arn);
    rapid.wait_for_line("REPORT RequestId: my-id\t", DEADLINE);
}

#[test]
fn a_client_context_that_is_no_base64_is_refused_with_words() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let reply = rapid.invoke_with("function", &[("X-Amz-Client-Context", "%%%")], "{}");
    assert_eq!(reply.status, 400);
    assert_eq!(reply.header("X-Amzn-ErrorType"), Some("InvalidRequestContentException"));
    let text = rapid.invoke_with("function", &[("X-Amz-Client-Context", "aGVsbG8=")], "[1]");
    assert_eq!((text.status, text.text().as_str()), (200, "[1]"));
}

#[test]
fn a_second_invocation_waits_instead_of_ending_everything() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let first = rapid.invoke_in_background(json!({"do": "sleep", "ms": 200}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    rapid.expect_echo();
    assert_eq!(first.join().unwrap().unwrap().text(), "\"slept\"");
}

#[test]
fn both_signals_end_it_with_0() {
    for signal in [Rapid::term, Rapid::int] {
        let rapid = Rapid::serve(Options::fixture().rie());
        rapid.expect_echo();
        signal(&rapid);
        assert_eq!(rapid.exit_code(DEADLINE), Some(0));
        rapid.expect_family(0);
        rapid.stderr().wait_for("[INFO] (rapid) Received signal", DEADLINE);
        rapid.stderr().wait_for("[INFO] (rapid) Shutting down...", DEADLINE);
    }
}

#[test]
fn wrong_options_and_ports_in_use_end_it_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for flags in [
        ["--address", free, "--runtime-api-address", &address],
        ["--address", &address, "--runtime-api-address", free],
        ["--address", "nowhere", "--runtime-api-address", free],
        ["--address", free, "--log-level", "loud"],
    ] {
        let finished = run(&[], &Options::fixture().rie().flags(flags), b"");
        assert_eq!(finished.code, Some(1), "{flags:?}: {finished:?}");
        assert_eq!(finished.stdout, "");
    }
}

#[test]
fn the_emulators_name_and_options_work_in_its_place() {
    let scratch = tempfile::tempdir().unwrap();
    let emulator = scratch.path().join("aws-lambda-rie-x86_64");
    symlink(rapid_binary(), &emulator).unwrap();
    let output = Command::new(&emulator).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success());
    // Only in its manner, without `--compat`, is an empty body an empty event.
    let options = Options::fixture()
        .program(&emulator)
        .own_ports()
        .flags(["--runtime-interface-emulator-address=127.0.0.1:0"])
        .flags(["--runtime-api-address", "127.0.0.1:0", "--enable-init-caching"])
        .env("AWS_LAMBDA_FUNCTION_NAME", "by-variable")
        .env("LOG_LEVEL", "");
    let rapid = Rapid::serve(options);
    assert_eq!(rapid.invoke("").text(), "");
    let env = rapid.invoke(event("report-env").to_string()).json();
    assert_eq!(env["AWS_LAMBDA_FUNCTION_NAME"], "by-variable");
    assert_eq!(env["AWS_LAMBDA_LOG_STREAM_NAME"], "$LATEST");
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let path = Rapid::invoke_path("function");
    let status = |request: &Request| rapid.to_invoke().exchange(request).unwrap().status;
    assert_eq!(status(&Request::get(&path)), 405);
    assert_eq!(status(&Request::post("/2015-03-31/functions/function", vec![b' '; 7 << 20])), 404);
    assert_eq!(status(&Request::post(&path, "{}")), 200);
}
