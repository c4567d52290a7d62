//! Functions that fail in every way, and the invocation after that.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rapid_e2e::{DEADLINE, Options, Rapid, event, eventually};
use serde_json::{Value, json};

/// A fixture whose first `count` processes misbehave.
fn at_first(count: u32, words: &[&str]) -> (Options, tempfile::TempDir) {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let file = scratch.path().join("runs").to_string_lossy().into_owned();
    let count = count.to_string();
    let first = ["--first", &count, &file];
    let words = first.iter().chain(words).map(ToString::to_string);
    (Options::fixture_that(words), scratch)
}

/// Fails twice while it initialises, on its own and inside an invocation, and then no more.
#[track_caller]
fn expect_init_failure(words: &[&str], error_type: &str, message: &str) {
    let (options, _scratch) = at_first(2, words);
    let rapid = Rapid::serve(options);
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, error_type, message);
    let report = rapid.report_of(&reply);
    assert!(report.ends_with(&format!("Status: error\tError Type: {error_type}")), "{report}");
    rapid.expect_echo();
    assert_eq!(rapid.expect_family(1).len(), 1);
}

#[test]
fn an_exit_with_0_while_initialising_is_a_failure() {
    let message = "Runtime exited without providing a reason";
    expect_init_failure(&["init-exit", "0"], "Runtime.ExitError", message);
}

#[test]
fn an_exit_with_a_status_while_initialising_is_told() {
    let message = "Runtime exited with error: exit status 3";
    expect_init_failure(&["init-exit", "3"], "Runtime.ExitError", message);
}

#[test]
fn a_signal_while_initialising_is_told_by_its_name() {
    let message = "Runtime exited with error: signal: aborted";
    expect_init_failure(&["init-signal", "6"], "Runtime.ExitError", message);
    let message = "Runtime exited with error: signal: killed";
    expect_init_failure(&["init-signal", "9"], "Runtime.ExitError", message);
}

#[test]
fn one_failed_initialisation_is_tried_again_and_nobody_notices() {
    let (options, _scratch) = at_first(1, &["init-exit", "3"]);
    let rapid = Rapid::serve(options);
    let reply = rapid.expect_echo();
    let report = rapid.report_of(&reply);
    assert!(!report.contains("Status:"), "{report}");
    rapid.wait_for_line("INIT_REPORT", DEADLINE);
}

const INIT_ERROR: &str = r#"{"errorMessage":"no handler","errorType":"Runtime.NoSuchHandler"}"#;

#[test]
fn an_init_error_and_an_exit_give_the_invoker_the_error_of_the_runtime() {
    let (options, _scratch) = at_first(2, &["init-error-exit"]);
    let rapid = Rapid::serve(options);
    let reply = rapid.invoke("{}");
    assert_eq!((reply.status, reply.text().as_str()), (200, INIT_ERROR));
    assert_eq!(reply.function_error(), Some("Unhandled"));
    let report = rapid.report_of(&reply);
    assert!(report.ends_with("Status: error\tError Type: Runtime.NoSuchHandler"), "{report}");
    rapid.expect_echo();
}

#[test]
fn an_init_error_of_a_runtime_that_stays_is_answered_all_the_same() {
    let (options, _scratch) = at_first(2, &["init-error-linger"]);
    let rapid = Rapid::serve(options);
    let begin = Instant::now();
    let reply = rapid.invoke("{}");
    assert_eq!((reply.status, reply.text().as_str()), (200, INIT_ERROR));
    assert_eq!(reply.function_error(), Some("Unhandled"));
    // One grace of two seconds at most for the process that initialised before the invocation.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    rapid.expect_echo();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn an_initialisation_that_never_ends_is_tried_again_inside_the_invocation() {
    let (options, _scratch) = at_first(1, &["never-next"]);
    let rapid = Rapid::serve(options.flags(["--init-timeout", "1"]));
    rapid.expect_echo();
    let line = rapid.wait_for_line("INIT_REPORT", DEADLINE);
    assert!(
        line.contains("Init Duration: 100") && line.ends_with("Phase: init\tStatus: timeout"),
        "{line}"
    );
}

#[test]
fn an_initialisation_that_never_ends_inside_an_invocation_is_a_timeout_of_that() {
    let (options, _scratch) = at_first(2, &["never-next"]);
    let rapid = Rapid::serve(options.flags(["--init-timeout", "1"]).timeout(1));
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    rapid.expect_echo();
}

// --- During an invocation --------------------------------------------------------------------

#[track_caller]
fn expect_crash(event: &Value, error_type: &str, message: &str) {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let reply = rapid.invoke(event.to_string());
    Rapid::expect_failure(&reply, error_type, message);
    let report = rapid.report_of(&reply);
    assert!(report.ends_with(&format!("Status: error\tError Type: {error_type}")), "{report}");
    // What initialises again tells so.
    let next = rapid.report_of(&rapid.expect_echo());
    assert!(next.contains("Init Duration: "), "{next}");
    rapid.expect_family(1);
}

#[test]
fn an_exit_with_0_during_an_invocation_is_a_failure() {
    let message = "Runtime exited without providing a reason";
    expect_crash(&json!({"do": "exit", "code": 0}), "Runtime.ExitError", message);
}

#[test]
fn an_exit_with_a_status_during_an_invocation_is_told() {
    let message = "Runtime exited with error: exit status 127";
    expect_crash(&json!({"do": "exit", "code": 127}), "Runtime.ExitError", message);
}

#[test]
fn a_signal_during_an_invocation_is_told_by_its_name() {
    for (signal, name) in [(9, "killed"), (11, "segmentation fault"), (15, "terminated")] {
        let message = format!("Runtime exited with error: signal: {name}");
        expect_crash(&json!({"do": "signal", "signal": signal}), "Runtime.ExitError", &message);
    }
}

#[test]
fn a_runtime_killed_from_outside_is_told_as_the_memory_killer_would_have_it() {
    let rapid = Rapid::serve(Options::fixture());
    let waiting = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    rapid.runtime().kill();
    let reply = waiting.join().unwrap().unwrap();
    let message = "Runtime exited with error: signal: killed";
    Rapid::expect_failure(&reply, "Runtime.ExitError", message);
    rapid.expect_echo();
}

#[test]
fn a_runtime_that_dies_while_it_waits_is_replaced() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let before = rapid.runtime();
    before.kill();
    eventually("its end is noticed", || rapid.health() == "idle");
    rapid.expect_echo();
    assert_ne!(rapid.runtime().pid, before.pid);
}

#[test]
fn a_response_counts_even_if_the_runtime_exits_right_after_it() {
    let rapid = Rapid::serve(Options::fixture());
    let reply = rapid.invoke(json!({"do": "exit-after-response", "code": 9}).to_string());
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"last words\""));
    assert_eq!(reply.function_error(), None);
    let report = rapid.report_of(&reply);
    assert!(report.ends_with("Status: error\tError Type: Runtime.ExitError"), "{report}");
    rapid.expect_echo();
}

#[test]
fn the_error_of_a_handler_reaches_the_invoker_unchanged() {
    let rapid = Rapid::serve(Options::fixture());
    let bodies = [
        (r#"{"errorMessage":"m","errorType":"T","stackTrace":["a","b"]}"#, None),
        ("not json at all", Some("text/plain")),
        ("", None),
        (r#"{"errorMessage":"ü <&>"}"#, Some("application/json; charset=utf-8")),
    ];
    for (body, content_type) in bodies {
        let mut event = json!({"do": "error", "body": body, "type": "Function.Oops"});
        if let Some(content_type) = content_type {
            event["content-type"] = content_type.into();
        }
        event["cause"] = r#"{"message":"cause"}"#.into();
        let reply = rapid.invoke(event.to_string());
        assert_eq!((reply.status, reply.text().as_str()), (200, body));
        assert_eq!(reply.function_error(), Some("Unhandled"));
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        rapid.report_of(&reply);
        let next = rapid.report_of(&rapid.expect_echo());
        assert!(!next.contains("Init Duration"), "a handler error resets nothing: {next}");
    }
}

#[test]
fn an_error_with_a_cause_loses_the_cause_on_its_way_to_the_invoker() {
    let rapid = Rapid::serve(Options::fixture());
    let cause = "application/vnd.aws.lambda.error.cause+json";
    let body = r#"{"errorMessage":"m","errorType":"T","errorCause":{"message":"c"}}"#;
    let event = json!({"do": "error", "content-type": cause, "body": body});
    let reply = rapid.invoke(event.to_string());
    assert_eq!(reply.text(), r#"{"errorMessage":"m","errorType":"T"}"#);
    let event = json!({"do": "error", "content-type": cause, "body": "no json"});
    assert_eq!(rapid.invoke(event.to_string()).text(), "\"Invalid error body\"");
    rapid.expect_echo();
}

#[test]
fn a_function_that_takes_too_long_is_cut_off_even_if_it_ignores_sigterm() {
    let rapid = Rapid::serve(Options::fixture_that(["ignore-term"]).timeout(1));
    let begin = Instant::now();
    let reply = rapid.invoke(event("hang").to_string());
    let took = begin.elapsed();
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(2500), "{took:?}");
    let report = rapid.report_of(&reply);
    assert!(report.ends_with("Status: timeout"), "{report}");
    assert!(report.contains("\tBilled Duration: 1000 ms\t"), "{report}");
    rapid.expect_echo();
    rapid.expect_family(1);
}

#[test]
fn those_who_wait_behind_a_failure_are_served_after_it() {
    let rapid = Rapid::serve(Options::fixture().timeout(1));
    let failing = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let behind: Vec<_> =
        (0..3).map(|i| (i, rapid.invoke_in_background(json!({ "i": i }).to_string()))).collect();
    assert_eq!(failing.join().unwrap().unwrap().function_error(), Some("Unhandled"));
    for (i, waiting) in behind {
        let reply = waiting.join().unwrap().unwrap();
        assert_eq!((reply.function_error(), reply.json()), (None, json!({ "i": i })));
    }
}

#[test]
fn a_runtime_that_is_stopped_by_a_signal_and_goes_on_is_not_taken_for_dead() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let runtime = rapid.runtime();
    let pid = nix::unistd::Pid::from_raw(runtime.pid);
    nix::sys::signal::kill(pid, Signal::SIGSTOP).unwrap();
    let waiting = rapid.invoke_in_background("{}");
    rapid.wait_for_line("START RequestId", DEADLINE);
    nix::sys::signal::kill(pid, Signal::SIGCONT).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().text(), "{}");
    assert_eq!(rapid.runtime().pid, runtime.pid);
}
