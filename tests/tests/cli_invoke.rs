//! `rapid invoke`: what it prints where, and what its exit code tells.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "cli_invoke/live.rs"]
mod live;
#[path = "clients/peers.rs"]
mod peers;
#[path = "cli_invoke/streams.rs"]
mod streams;

use std::fs;

use rapid_e2e::processes::Process;
use rapid_e2e::{Finished, Options, error_body, event, eventually, run};
use serde_json::{Value, json};

use crate::live::{Live, streaming_function};

/// Invokes the fixture with an event.
#[track_caller]
fn invoke(event: &Value, options: &Options) -> Finished {
    run(&["invoke", "--payload", &event.to_string()], options, b"")
}

/// Starts a function that streams, with these flags of its own, and invokes it.
fn stream(own: &'static [&'static str]) -> impl Fn(&[&str], &Value) -> Live {
    let [client, handler] = streaming_function();
    move |flags, event| {
        let words = ["--stream", "--payload", &event.to_string()];
        Live::start(&[flags, &words, own, &["--", &client, &handler]].concat())
    }
}

/// The request id in the `REPORT` line.
#[track_caller]
fn reported_id(finished: &Finished) -> String {
    let report = finished.stderr.lines().find_map(|line| line.strip_prefix("REPORT RequestId: "));
    report.expect("there is a report").split('\t').next().unwrap_or_default().to_owned()
}

#[test]
fn a_response_is_all_that_is_printed_on_standard_output() {
    let finished =
        run(&["invoke", "--payload", "[1, 2]"], &Options::fixture_that(["print", "hi"]), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "[1, 2]\n"));
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, start) in lines.iter().zip(["hi", "START ", "END ", "REPORT "]) {
        assert!(line.starts_with(start), "{line} is not {start}");
    }
}

#[test]
fn an_event_that_was_left_out_is_an_empty_object() {
    let finished = run(&["invoke"], &Options::fixture(), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "{}\n"));
}

#[test]
fn an_event_comes_from_a_file_or_from_standard_input() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("event.json");
    fs::write(&file, "{\"from\": \"a file\"}\n").unwrap();
    let words = ["invoke", "--payload-file", file.to_str().unwrap()];
    let from_file = run(&words, &Options::fixture(), b"");
    assert_eq!(from_file.stdout, "{\"from\": \"a file\"}\n\n");
    let from_stdin =
        run(&["invoke", "--payload-file", "-"], &Options::fixture(), b"\"standard input\"");
    assert_eq!((from_stdin.code, from_stdin.stdout.as_str()), (Some(0), "\"standard input\"\n"));
}

#[test]
fn an_event_that_cannot_be_read_is_wrong_usage() {
    for words in [
        &["invoke", "--payload-file", "/nowhere/event.json"][..],
        &["invoke", "--payload", "{}", "--payload-file", "-"],
        &["invoke", "--repeat", "no"],
    ] {
        let finished = run(words, &Options::fixture(), b"");
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(!finished.stderr.contains("START"), "{}", finished.stderr);
    }
}

#[test]
fn a_function_error_is_1_and_its_body_is_printed() {
    let body = r#"{"errorMessage":"m","errorType":"Oops"}"#;
    let finished = invoke(&json!({"do": "error", "body": body}), &Options::fixture());
    assert_eq!((finished.code, finished.stdout), (Some(1), format!("{body}\n")));
    let finished = invoke(&json!({"do": "respond-big", "size": 7 << 20}), &Options::fixture());
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("Function.ResponseSizeTooLarge"), "{}", finished.stdout);
    let finished = invoke(&event("bad-mode"), &Options::fixture());
    assert_eq!(finished.code, Some(1));
}

#[test]
fn a_failed_initialisation_is_3() {
    let exits = run(&["invoke"], &Options::fixture_that(["init-exit", "3"]), b"");
    let message = "Runtime exited with error: exit status 3";
    let body = error_body("Runtime.ExitError", &reported_id(&exits), message);
    assert_eq!((exits.code, exits.stdout), (Some(3), format!("{body}\n")));
    let reports = run(&["invoke"], &Options::fixture_that(["init-error-exit"]), b"");
    assert_eq!(reports.code, Some(3));
    assert!(reports.stdout.contains("Runtime.NoSuchHandler"), "{}", reports.stdout);
    let missing = run(&["invoke"], &Options::new().command(["/nowhere"]), b"");
    assert_eq!(missing.code, Some(3));
    assert!(missing.stdout.contains("fork/exec /nowhere: no such file"), "{}", missing.stdout);
}

#[test]
fn a_timeout_is_4() {
    let finished = invoke(&event("hang"), &Options::fixture().timeout(1));
    let message = "Task timed out after 1.00 seconds";
    let body = error_body("Sandbox.Timedout", &reported_id(&finished), message);
    assert_eq!((finished.code, finished.stdout), (Some(4), format!("{body}\n")));
    assert!(finished.stderr.trim_end().ends_with("Status: timeout"), "{}", finished.stderr);
}

#[test]
fn a_crash_is_5() {
    for (event, message) in [
        (json!({"do": "exit", "code": 0}), "Runtime exited without providing a reason"),
        (json!({"do": "exit", "code": 9}), "Runtime exited with error: exit status 9"),
        (json!({"do": "signal", "signal": 9}), "Runtime exited with error: signal: killed"),
    ] {
        let finished = invoke(&event, &Options::fixture());
        let body = error_body("Runtime.ExitError", &reported_id(&finished), message);
        assert_eq!((finished.code, finished.stdout), (Some(5), format!("{body}\n")));
    }
}

#[test]
fn repeating_prints_every_response_and_stops_at_the_first_error() {
    let three = run(&["invoke", "--repeat", "3", "--payload", "7"], &Options::fixture(), b"");
    assert_eq!((three.code, three.stdout.as_str()), (Some(0), "7\n7\n7\n"));
    assert_eq!(three.stderr.matches("REPORT").count(), 3, "{}", three.stderr);
    let event = json!({"do": "exit", "code": 1}).to_string();
    let words = ["invoke", "--repeat", "3", "--payload", &event];
    let one = run(&words, &Options::fixture(), b"");
    assert_eq!((one.code, one.stdout.lines().count()), (Some(5), 1));
}

#[test]
fn an_interrupt_is_130() {
    // The function is started by rapid, so that its parent is rapid.
    let interrupts = ["/bin/sh", "-c", "kill -INT $PPID; exec sleep 1000"];
    let finished = run(&["invoke"], &Options::new().command(interrupts), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(130), ""), "{finished:?}");
}

#[test]
fn a_termination_is_143_and_nobody_waits_for_the_function() {
    let ends_its_parent = ["/bin/sh", "-c", "kill -TERM $PPID; exec sleep 1000"];
    let finished = run(&["invoke"], &Options::new().command(ends_its_parent), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(143), ""), "{finished:?}");
}

#[test]
fn an_event_that_is_no_json_is_refused_before_anything_runs() {
    let words = ["invoke", "--payload", "nonsense"];
    let finished = run(&words, &Options::fixture(), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(finished.stderr.contains("the event from --payload is not JSON"), "{finished:?}");
    assert!(!finished.stderr.contains("INIT_REPORT"), "{finished:?}");
}

#[test]
fn an_event_that_is_too_large_is_refused_and_not_cut() {
    let event = vec![b'1'; 6 * 1024 * 1024 + 1];
    let finished = run(&["invoke", "--payload-file", "-"], &Options::fixture(), &event);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(finished.stderr.contains("has 6291457 bytes, more than 6291456"), "{finished:?}");
}

#[test]
fn a_response_that_cannot_be_printed_is_no_success() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let finished = std::process::Command::new(rapid_e2e::rapid_binary())
        .args(["invoke", "--"])
        .arg(rapid_e2e::fixture_runtime())
        .stdout(full)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&finished.stderr);
    assert_eq!(finished.status.code(), Some(10), "{told}");
    assert!(told.contains("the response cannot be printed"), "{told}");
}

#[test]
fn exit_codes_are_its_own_whatever_the_manners() {
    let event = json!({"do": "exit", "code": 9}).to_string();
    let words = ["invoke", "--compat", "rie", "--payload", &event];
    assert_eq!(run(&words, &Options::fixture(), b"").code, Some(5));
}

#[test]
fn nothing_is_left_of_the_function() {
    let finished = invoke(&event("spawn-setsid-grandchild"), &Options::fixture());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let pid: i32 = finished.stdout.trim().parse().unwrap();
    eventually("its child has gone", || {
        Process::read(pid).is_none_or(|process| process.name != "fixture-runtime")
    });
}

#[test]
fn the_function_finds_its_settings() {
    let options = Options::fixture_that(["app.handler"]).flags(["--function-name", "one-off"]);
    let finished = invoke(&event("report-env"), &options);
    let env: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(
        (&env["AWS_LAMBDA_FUNCTION_NAME"], &env["_HANDLER"]),
        (&json!("one-off"), &json!("app.handler"))
    );
}

#[test]
fn the_example_in_bash_answers() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bash/bootstrap");
    let finished =
        run(&["invoke", "--payload", r#"{"name":"you"}"#], &Options::new().command([example]), b"");
    let expected = "{\"message\":\"Hello, you!\"}\n";
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), expected), "{finished:?}");
}

#[test]
fn the_last_of_the_log_is_all_of_the_log_that_is_shown() {
    let options = Options::fixture_that(["print", "hi"]);
    let event = json!({"do": "print", "text": "there\n"}).to_string();
    let finished = run(&["invoke", "--tail", "--payload", &event], &options, b"");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for (line, start) in lines.iter().zip(["hi", "START ", "there", "END ", "REPORT "]) {
        assert!(line.starts_with(start), "{line} is not {start}");
    }
}

#[test]
fn the_last_of_the_log_is_shown_of_a_failure_and_of_every_invocation() {
    let failure = json!({"do": "exit", "code": 9}).to_string();
    let finished = run(&["invoke", "--tail", "--payload", &failure], &Options::fixture(), b"");
    assert_eq!(finished.code, Some(5), "{finished:?}");
    assert_eq!(finished.stderr.matches("REPORT ").count(), 1, "{finished:?}");
    let twice = run(&["invoke", "--tail", "--repeat", "2"], &Options::fixture(), b"");
    assert_eq!(twice.stderr.matches("REPORT ").count(), 2, "{twice:?}");
}

#[test]
fn the_emulators_manners_keep_no_log() {
    let finished = run(&["invoke", "--tail", "--compat", "rie"], &Options::fixture(), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(finished.stderr.starts_with("rapid: --tail: "), "{finished:?}");
}

#[test]
fn a_client_context_that_is_no_json_is_wrong_usage() {
    let finished = run(&["invoke", "--client-context", "{"], &Options::fixture(), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(finished.stderr.starts_with("rapid: --client-context: not JSON: "), "{finished:?}");
}

#[test]
fn what_needs_a_rapid_that_goes_on_running_says_so() {
    for flag in ["--async", "--dry-run", "--qualifier=1"] {
        let finished = run(&["invoke", flag], &Options::fixture(), b"");
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
        assert!(finished.stderr.contains("needs --endpoint: "), "{finished:?}");
        assert!(!finished.stderr.contains("START"), "{finished:?}");
    }
}

#[test]
fn a_whole_response_can_be_asked_for_as_a_stream() {
    let words = ["invoke", "--stream", "--repeat", "2", "--payload", "7"];
    let finished = run(&words, &Options::fixture(), b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "77"), "{finished:?}");
}

#[test]
fn pieces_are_printed_while_the_function_runs() {
    streams::pieces_are_printed_while_the_function_runs(&stream(&[]));
}

#[test]
fn a_failure_in_the_middle_is_told_on_standard_error() {
    streams::a_failure_in_the_middle_is_told_on_standard_error(&stream(&[]));
}

#[test]
fn a_failure_before_the_first_piece_is_the_response() {
    streams::a_failure_before_the_first_piece_is_the_response(&stream(&[]));
}

#[test]
fn a_timeout_in_the_middle_is_4() {
    streams::a_timeout_in_the_middle_is_4(&stream(&["--timeout", "1"]));
}

#[test]
fn an_empty_response_is_nothing() {
    streams::an_empty_response_is_nothing(&stream(&[]));
}

#[test]
fn the_tail_follows_a_streamed_response() {
    streams::the_tail_follows_the_response(&stream(&[]));
}

#[test]
fn the_client_context_is_told() {
    streams::the_client_context_is_told(&stream(&[]));
}

#[test]
fn a_reader_that_leaves_ends_it() {
    streams::a_reader_that_leaves_ends_it(&stream(&[]));
}

#[test]
fn a_slow_reader_holds_the_function_back() {
    streams::a_slow_reader_holds_the_function_back(&stream(&[]));
}

#[test]
fn an_interrupt_in_the_middle_is_130() {
    streams::an_interrupt_in_the_middle_is_130(&stream(&[]));
}
