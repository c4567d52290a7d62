//! `rapid invoke --endpoint`: what is asked of an Invoke API, and what becomes of its answers.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "cli_invoke/live.rs"]
mod live;
#[path = "clients/peers.rs"]
mod peers;
#[path = "cli_invoke_endpoint/server.rs"]
mod server;
#[path = "cli_invoke/streams.rs"]
mod streams;

use rapid_e2e::{Finished, Options, Rapid, bind, error_body, event, run};
use serde_json::{Value, json};

use crate::live::{Live, its_directory, streaming_function};
use crate::server::{Server, answer};

/// `Hello world ` and the end of a stream, as the service sends them.
const HELLO: &str = "000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d747970650700056576656e7448656c6c6f20776f726c642033971fd8";
const COMPLETE: &str = "00000066000000541f56c8690b3a6576656e742d7479706507000e496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b7d7006d467";
const EVENT_STREAM: &str = "content-type: application/vnd.amazon.eventstream";

fn call(url: &str, words: &[&str]) -> Finished {
    run(&[&["invoke", "--endpoint", url], words].concat(), &Options::new(), b"")
}

fn call_rapid(rapid: &Rapid, words: &[&str]) -> Finished {
    call(&format!("http://{}", rapid.invoke_address()), words)
}

/// What becomes of one answer.
fn call_answered(words: &[&str], bytes: Vec<u8>) -> Finished {
    let server = Server::answers([bytes]);
    let finished = call(&server.url, words);
    assert_eq!(server.asked().len(), 1);
    finished
}

/// Serves a function that streams, with these flags, and calls it.
fn stream(flags: &[&str]) -> impl Fn(&[&str], &Value) -> Live + use<> {
    let options = Options::new().command(streaming_function()).current_dir(its_directory());
    let rapid = Rapid::serve(options.flags(flags.iter().copied()));
    move |flags, event| {
        let url = format!("http://{}", rapid.invoke_address());
        let words = ["--stream", "--payload", &event.to_string(), "--endpoint", &url];
        Live::start(&[flags, &words].concat())
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("it is hexadecimal")).collect()
}

// --- A rapid that serves -------------------------------------------------------------------------

#[test]
fn a_response_is_printed_as_if_the_function_had_been_started() {
    let rapid = Rapid::serve(Options::fixture());
    let finished = call_rapid(&rapid, &["--payload", "[1, 2]", "--repeat", "3"]);
    let expected = (Some(0), "[1, 2]\n[1, 2]\n[1, 2]\n", "");
    assert_eq!((finished.code, finished.stdout.as_str(), finished.stderr.as_str()), expected);
    let finished = call_rapid(&rapid, &[]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "{}\n"));
}

#[test]
fn function_errors_have_the_codes_that_they_have_without_an_endpoint() {
    let rapid = Rapid::serve(Options::fixture().timeout(1));
    let own = json!({"do": "error", "body": r#"{"errorMessage":"m","errorType":"Oops"}"#});
    for (event, code, told) in [
        (own, 1, r#"{"errorMessage":"m","errorType":"Oops"}"#),
        (json!({"do": "respond-big", "size": 7 << 20}), 1, "Function.ResponseSizeTooLarge"),
        (event("hang"), 4, "Sandbox.Timedout"),
        (json!({"do": "exit", "code": 9}), 5, "Runtime.ExitError"),
    ] {
        let words = ["--repeat", "2", "--payload", &event.to_string()];
        let finished = call_rapid(&rapid, &words);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stdout.contains(told), "{finished:?}");
        assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    }
    let missing = Rapid::serve(Options::new().command(["/nowhere"]));
    let finished = call_rapid(&missing, &[]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stdout.contains("Runtime.InvalidEntrypoint"), "{finished:?}");
}

#[test]
fn function_errors_in_the_emulators_manners_have_their_codes_too() {
    let rapid = Rapid::serve(Options::fixture().rie().timeout(1));
    for (event, code) in [(event("hang"), 4), (json!({"do": "exit", "code": 9}), 5)] {
        let finished = call_rapid(&rapid, &["--payload", &event.to_string()]);
        assert_eq!(finished.code, Some(code), "{finished:?}");
    }
}

#[test]
fn the_last_of_the_log_is_printed_after_the_response() {
    let rapid = Rapid::serve(Options::fixture());
    let event = json!({"do": "print", "text": "there\n"}).to_string();
    let finished = call_rapid(&rapid, &["--tail", "--payload", &event]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<&str> = finished.stderr.lines().collect();
    for (line, start) in lines.iter().zip(["START ", "there", "END ", "REPORT "]) {
        assert!(line.starts_with(start), "{line} is not {start}: {lines:#?}");
    }
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn a_dry_run_runs_nothing() {
    let rapid = Rapid::serve(Options::fixture());
    let finished = call_rapid(&rapid, &["--dry-run"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""), "{finished:?}");
    let checked = call_rapid(&rapid, &["--dry-run", "--qualifier", "7"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert!(rapid.stdout().matching("START").is_empty());
}

#[test]
fn an_asynchronous_invocation_runs_under_the_id_that_is_printed() {
    let rapid = Rapid::serve(Options::fixture());
    let event = json!({"do": "print", "text": "ran\n"}).to_string();
    let finished = call_rapid(&rapid, &["--async", "--payload", &event]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let id = finished.stdout.trim_end();
    rapid.wait_for_line(&format!("START RequestId: {id} "), rapid_e2e::DEADLINE);
    rapid.wait_for_line("ran", rapid_e2e::DEADLINE);
}

#[test]
fn a_version_that_is_not_there_is_told_with_what_to_do() {
    let rapid = Rapid::serve(Options::fixture());
    let finished = call_rapid(&rapid, &["--qualifier", "7"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let [told, advice] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(told.contains("ResourceNotFoundException (404 Not Found): Function not found: arn:"));
    assert!(advice.contains("--qualifier"), "{advice}");
}

#[test]
fn the_function_is_told_its_name_and_qualifier() {
    let rapid = Rapid::serve(Options::fixture().flags(["--function-name", "own"]));
    let payload = event("report-event").to_string();
    for (words, arn) in [
        (&[][..], "function:own"),
        (&["--function-name", "other", "--qualifier", "live"], "function:other:live"),
    ] {
        let finished = call_rapid(&rapid, &[words, &["--payload", &payload]].concat());
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.contains(&format!("{arn}\"")), "{finished:?}");
    }
}

#[test]
fn an_event_is_checked_before_it_is_sent() {
    // Nobody is there to be asked.
    let finished = call("http://127.0.0.1:9", &["--payload", "nonsense"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""));
    assert!(finished.stderr.contains("the event from --payload is not JSON"), "{finished:?}");
}

#[test]
fn an_interrupt_ends_the_call_and_not_the_function() {
    let rapid = Rapid::serve(Options::fixture());
    let url = format!("http://{}", rapid.invoke_address());
    let hangs = event("hang").to_string();
    let live = Live::start(&["--endpoint", &url, "--payload", &hangs]);
    rapid.wait_for_line("START", rapid_e2e::DEADLINE);
    live.interrupt();
    assert_eq!(live.end().code, Some(130));
    assert_eq!(rapid.health(), "invoking");
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
fn an_interrupt_in_the_middle_is_130() {
    streams::an_interrupt_in_the_middle_is_130(&stream(&[]));
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

// --- Servers of other kinds ----------------------------------------------------------------------

#[test]
fn nobody_there_is_12_and_says_what_to_do() {
    let (listener, port) = bind(0);
    drop(listener);
    let finished = call(&format!("http://127.0.0.1:{port}"), &[]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), ""), "{finished:?}");
    assert!(finished.stderr.contains("start a rapid with `rapid -- COMMAND`"), "{finished:?}");
}

#[test]
fn an_asynchronous_invocation_prints_its_id() {
    let accepted = || answer("202 Accepted", &["x-amzn-requestid: an-id"], b"");
    let server = Server::answers([accepted(), accepted()]);
    let finished = call(&server.url, &["--async", "--payload", "7", "--repeat", "2"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "an-id\nan-id\n"));
    let asked = server.asked();
    let first = asked.first().expect("it was asked");
    let line = "post /2015-03-31/functions/function/invocations http/1.1\r\n";
    assert!(first.head.starts_with(line), "{}", first.head);
    assert!(first.head.contains("\r\nx-amz-invocation-type: event\r\n"), "{}", first.head);
    assert_eq!(first.body, "7");
}

#[test]
fn what_was_run_although_it_should_not_is_no_success() {
    for flag in ["--async", "--dry-run"] {
        let finished = call_answered(&[flag], answer("200 OK", &[], b"{}"));
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), ""), "{finished:?}");
        assert!(finished.stderr.contains("it has run the function"), "{finished:?}");
    }
}

#[test]
fn an_invocation_that_is_refused_for_now_is_6() {
    let refused = answer(
        "429 Too Many Requests",
        &["x-amzn-errortype: TooManyRequestsException"],
        br#"{"Reason":"r","Type":"User","message":"Rate Exceeded."}"#,
    );
    let finished = call_answered(&["--repeat", "2"], refused);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(6), ""));
    assert!(finished.stderr.contains("TooManyRequestsException"), "{finished:?}");
    assert!(finished.stderr.contains("Try again later"), "{finished:?}");
}

#[test]
fn a_connection_that_is_closed_after_every_answer_is_opened_again() {
    let closing = || answer("200 OK", &["connection: close"], b"1");
    let kept = || answer("200 OK", &[], b"2");
    let server = Server::answers([closing(), kept(), kept(), closing(), kept()]);
    let finished = call(&server.url, &["--repeat", "5"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "1\n2\n2\n1\n2\n"));
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn the_request_stands_below_the_endpoints_path() {
    let server = Server::answers([answer("200 OK", &[], b"1")]);
    let url = format!("{}/lambda/", server.url);
    let host = server.url.replace("http://", "\r\nhost: ");
    let words = ["--function-name", "arn:aws:f", "--qualifier", "$LATEST", "--tail"];
    assert_eq!(call(&url, &words).code, Some(0));
    let asked = server.asked();
    let head = &asked.first().expect("it was asked").head;
    let line = "post /lambda/2015-03-31/functions/arn%3aaws%3af/invocations?qualifier=%24latest ";
    assert!(head.starts_with(line), "{head}");
    assert!(head.contains("\r\nx-amz-log-type: tail\r\n"), "{head}");
    assert!(head.contains(&host), "{head}");
}

#[test]
fn a_log_that_does_not_come_is_missed() {
    let finished = call_answered(&["--tail"], answer("200 OK", &[], b"1"));
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "1\n"));
    assert!(finished.stderr.contains("no log came with the response"), "{finished:?}");
}

#[test]
fn what_is_no_invoke_api_is_12() {
    for (bytes, told) in [
        (answer("404 Not Found", &[], b"404 page not found\n"), "it answered 404 Not Found"),
        (answer("302 Found", &["location: /"], b""), "it answered 302 Found"),
        (answer("500 Internal Server Error", &[], b""), "it answered 500"),
        (b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), "the answer is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nshort".to_vec(),
            "the answer broke off",
        ),
    ] {
        let finished = call_answered(&[], bytes);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), ""), "{finished:?}");
        assert!(finished.stderr.contains(told), "{told}: {finished:?}");
    }
}

#[test]
fn a_response_that_is_too_large_is_not_read() {
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 16 * 1024 * 1024 + 1);
    let mut huge = huge.into_bytes();
    huge.resize(huge.len() + 16 * 1024 * 1024 + 1, b'1');
    let finished = call_answered(&[], huge);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), ""));
    assert!(finished.stderr.contains("--stream"), "{finished:?}");
}

#[test]
fn a_stream_is_decoded_and_checked() {
    let whole = [bytes(HELLO), bytes(HELLO), bytes(COMPLETE)].concat();
    let finished = call_answered(&["--stream"], answer("200 OK", &[EVENT_STREAM], &whole));
    let expected = (Some(0), "Hello world Hello world ", "");
    assert_eq!((finished.code, finished.stdout.as_str(), finished.stderr.as_str()), expected);

    let mut damaged = [bytes(HELLO), bytes(HELLO), bytes(COMPLETE)].concat();
    let last_but_one = bytes(HELLO).len() * 2 - 6;
    damaged[last_but_one] ^= 1;
    let finished = call_answered(&["--stream"], answer("200 OK", &[EVENT_STREAM], &damaged));
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), "Hello world "));
    assert!(finished.stderr.contains("damaged on its way"), "{finished:?}");
}

#[test]
fn a_stream_that_does_not_tell_its_end_is_no_success() {
    let cut = [bytes(HELLO), bytes(COMPLETE)[..20].to_vec()].concat();
    for start in [bytes(HELLO), cut, Vec::new()] {
        let finished = call_answered(&["--stream"], answer("200 OK", &[EVENT_STREAM], &start));
        assert_eq!(finished.code, Some(12), "{finished:?}");
        assert!(finished.stderr.contains("its end was never told"), "{finished:?}");
    }
}

#[test]
fn a_server_that_knows_no_streams_is_told_of() {
    let finished = call_answered(&["--stream"], answer("200 OK", &[], b"{}"));
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(12), ""), "{finished:?}");
    assert!(finished.stderr.contains("it answered 200 OK: {}"), "{finished:?}");
}

#[test]
fn what_the_endpoint_cannot_be_or_go_with_is_wrong_usage() {
    for (url, words, told) in [
        ("https://a", &[][..], "https"),
        ("localhost:8080", &[], "http://localhost:8080"),
        ("http://a", &["--timeout", "3"], "--timeout is for a function that rapid starts"),
        ("http://a", &["--async", "--stream"], "cannot be used with"),
        ("http://a", &["--", "./bootstrap"], "leave the command out"),
    ] {
        let finished = call(url, words);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
        assert!(finished.stderr.contains(told), "{finished:?}");
    }
}

#[test]
fn a_handled_error_of_old_counts_as_one() {
    let body = error_body("Sandbox.Timedout", "id", "Task timed out after 1.00 seconds");
    let handled = answer("200 OK", &["x-amz-function-error: Handled"], body.as_bytes());
    let finished = call_answered(&[], handled);
    assert_eq!((finished.code, finished.stdout), (Some(4), format!("{body}\n")));
}
