//! What `rapid invoke --stream` prints and tells, of a function that is started and of one that is
//! called.

use std::fs;

use rapid_e2e::{error_body, eventually};
use serde_json::{Value, json};

use crate::live::Live;

/// Invokes the streaming function with flags and an event.
pub(crate) type Invoke<'a> = &'a dyn Fn(&[&str], &Value) -> Live;

pub(crate) fn pieces_are_printed_while_the_function_runs(invoke: Invoke<'_>) {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let file = scratch.path().join("go-on");
    let mut live = invoke(&[], &json!({"do": "wait", "file": file}));
    assert_eq!(live.read(6), b"first\n");
    fs::write(&file, "").expect("it can be written");
    let ended = live.end();
    // Not a byte more than the response has.
    assert_eq!((ended.code, ended.rest.as_slice()), (Some(0), &b"second"[..]), "{}", ended.stderr);
}

pub(crate) fn a_failure_in_the_middle_is_told_on_standard_error(invoke: Invoke<'_>) {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let file = scratch.path().join("go-on");
    for (fails, code, told) in [("fail", 1, "RangeError"), ("exit", 5, "Runtime.ExitError")] {
        let mut live = invoke(&[], &json!({"do": fails, "file": file}));
        assert_eq!(live.read(6), b"begun\n");
        fs::write(&file, "").expect("it can be written");
        let ended = live.end();
        assert_eq!((ended.code, ended.rest.as_slice()), (Some(code), &b""[..]), "{}", ended.stderr);
        let line =
            ended.stderr.lines().find(|line| line.starts_with("rapid: the response was cut"));
        assert!(line.is_some_and(|line| line.contains(told)), "{}", ended.stderr);
        fs::remove_file(&file).expect("it is there");
    }
}

pub(crate) fn a_failure_before_the_first_piece_is_the_response(invoke: Invoke<'_>) {
    let ended = invoke(&[], &json!({"do": "fail-at-once"})).end();
    let body: Value = serde_json::from_slice(&ended.rest).expect("the error is JSON");
    assert_eq!((ended.code, &body["errorType"]), (Some(1), &json!("RangeError")));
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
}

/// The function's timeout is a second.
pub(crate) fn a_timeout_in_the_middle_is_4(invoke: Invoke<'_>) {
    let ended = invoke(&[], &json!({"do": "hang"})).end();
    assert_eq!((ended.code, ended.rest.as_slice()), (Some(4), &b"begun\n"[..]), "{}", ended.stderr);
    let told = ended.stderr.lines().find(|line| line.contains("rapid: the response was cut off: "));
    let told = told.expect("it is told");
    let id = told.split("RequestId: ").nth(1).and_then(|rest| rest.split(' ').next());
    let body =
        error_body("Sandbox.Timedout", id.unwrap_or(""), "Task timed out after 1.00 seconds");
    assert!(told.ends_with(&body), "{told} is not {body}");
}

pub(crate) fn an_interrupt_in_the_middle_is_130(invoke: Invoke<'_>) {
    let mut live = invoke(&[], &json!({"do": "hang"}));
    assert_eq!(live.read(6), b"begun\n");
    live.interrupt();
    let ended = live.end();
    assert_eq!((ended.code, ended.rest.as_slice()), (Some(130), &b""[..]), "{}", ended.stderr);
}

pub(crate) fn an_empty_response_is_nothing(invoke: Invoke<'_>) {
    let ended = invoke(&[], &json!({"do": "nothing"})).end();
    assert_eq!((ended.code, ended.rest.as_slice()), (Some(0), &b""[..]), "{}", ended.stderr);
}

pub(crate) fn the_tail_follows_the_response(invoke: Invoke<'_>) {
    let ended = invoke(&["--tail"], &json!({"do": "nothing"})).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("streaming: nothing"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("REPORT RequestId: ").count(), 1, "{}", ended.stderr);
}

pub(crate) fn the_client_context_is_told(invoke: Invoke<'_>) {
    let flags = ["--client-context", r#"{"custom": {"a": "b"}}"#];
    let ended = invoke(&flags, &json!({"do": "context"})).end();
    let context: Value = serde_json::from_slice(&ended.rest).expect("it is JSON");
    assert_eq!(context, json!({"custom": {"a": "b"}}), "{}", ended.stderr);
}

pub(crate) fn a_reader_that_leaves_ends_it(invoke: Invoke<'_>) {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let file = scratch.path().join("go-on");
    let mut live = invoke(&[], &json!({"do": "wait", "file": file}));
    assert_eq!(live.read(6), b"first\n");
    live.read_no_more();
    fs::write(&file, "").expect("it can be written");
    let ended = live.end();
    assert_eq!(ended.code, Some(10), "{}", ended.stderr);
    assert!(ended.stderr.contains("the response cannot be printed"), "{}", ended.stderr);
}

/// 64 MiB, of which nothing is read before as much is under way as fits.
pub(crate) fn a_slow_reader_holds_the_function_back(invoke: Invoke<'_>) {
    const PIECES: usize = 1024;
    const SIZE: usize = PIECES * 64 * 1024;
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let (progress, file) = (scratch.path().join("progress"), scratch.path().join("go-on"));
    let event = json!({"do": "much", "pieces": PIECES, "progress": progress, "file": file});
    let mut live = invoke(&[], &event);
    let produced = || fs::read_to_string(&progress).ok().and_then(|text| text.parse().ok());
    eventually("the function has begun", || produced().unwrap_or(0) > 4);
    let mut least = live.peak_kib();
    for _ in 0..SIZE / (1024 * 1024) {
        live.read(1024 * 1024);
        least = least.min(live.peak_kib());
    }
    // It still waits for the file, so that rapid is there to be looked at.
    let grown = live.peak_kib() - least;
    assert!(grown < 24 * 1024, "{grown} KiB were held");
    eventually("the function has produced it all", || produced() == Some(PIECES));
    fs::write(&file, "").expect("it can be written");
    let ended = live.end();
    assert_eq!((ended.code, ended.rest.len()), (Some(0), 0), "{}", ended.stderr);
}
