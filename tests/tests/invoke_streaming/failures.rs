//! Streams that do not end as they should, and that the next one works.

use rapid_e2e::{DEADLINE, Rapid};
use serde_json::{Value, json};

use crate::caller::{Caller, Message};
use crate::runtime::Runtime;
use crate::sdk::{SDKS, Sdk};
use crate::{gated, node, python, rust, without_prelude};

#[test]
fn an_error_before_the_first_byte_is_the_payload() {
    let rapid = Rapid::serve(python());
    for sdk in SDKS {
        let streamed = sdk.stream(&rapid, r#"{"do":"error"}"#, false).end();
        let error: Value = serde_json::from_str(&streamed.payload).expect("it is the error");
        assert_eq!(error["errorMessage"], "boom");
        assert_eq!(streamed.expect_error(), error, "{sdk:?}");
    }
}

#[test]
fn an_error_of_a_streaming_function_before_its_first_byte_is_told_at_the_end() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let streamed = sdk.stream(&rapid, r#"{"fail":"early"}"#, false).end();
        assert_eq!(streamed.payload, "");
        assert_eq!(streamed.expect_error()["errorMessage"], "early", "{sdk:?}");
    }
}

#[test]
fn an_error_in_the_middle_is_told_at_the_end() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let (open, event) = gated(&rapid, json!({ "chunks": ["part"], "then": "throw" }));
        let call = sdk.stream(&rapid, &event, false);
        call.chunk("part");
        open();
        let streamed = call.end();
        assert_eq!(streamed.payload, "part");
        let error = streamed.expect_error();
        assert_eq!(
            (&error["errorType"], &error["errorMessage"]),
            (&json!("RangeError"), &json!("boom"))
        );
        assert!(error["trace"].is_array(), "{error}");
        std::fs::remove_file(rapid.scratch().join("gate")).expect("it was opened");
    }
    let again = Sdk::Boto3.stream(&rapid, r#"{"chunks":["well"]}"#, false).end();
    assert_eq!(again.expect_success(), "well");
}

#[test]
fn an_error_of_the_rust_client_is_part_of_the_bytes() {
    let rapid = Rapid::serve(rust());
    let event = r#"{"chunks":["part"],"then":"error"}"#;
    let streamed = Sdk::Boto3.stream(&rapid, event, false).end();
    let body = without_prelude(streamed.expect_success());
    assert!(body.starts_with("partLambda-Runtime-Function-Error-Type: "), "{body}");
}

#[test]
fn an_invocation_that_takes_too_long_ends_its_stream_and_the_next_one_works() {
    let rapid = Rapid::serve(node().timeout(2));
    for sdk in SDKS {
        let streamed = sdk.stream(&rapid, r#"{"chunks":["part"],"then":"hang"}"#, false).end();
        assert_eq!(streamed.payload, "part");
        let id = streamed.head["request_id"].as_str().expect("it has an id");
        let message = format!("RequestId: {id} Error: Task timed out after 2.00 seconds");
        let expected = json!({ "errorType": "Sandbox.Timedout", "errorMessage": message });
        assert_eq!(streamed.expect_error(), expected);
        let report = rapid.wait_for_line(&format!("REPORT RequestId: {id}\t"), DEADLINE);
        assert!(report.contains("\tStatus: timeout"), "{report}");
        let next = sdk.stream(&rapid, r#"{"chunks":["well"]}"#, false).end();
        assert_eq!(next.expect_success(), "well");
    }
}

#[test]
fn a_crash_in_the_middle_ends_the_stream_and_the_next_one_works() {
    for options in [node(), rust()] {
        let rapid = Rapid::serve(options);
        let (open, event) = gated(&rapid, json!({ "chunks": ["part", "rest"], "then": "exit" }));
        let call = Sdk::Boto3.stream(&rapid, &event, false);
        call.chunk("part");
        open();
        let streamed = call.end();
        let error = streamed.expect_error();
        assert_eq!(error["errorType"], "Runtime.ExitError", "{error}");
        let id = streamed.head["request_id"].as_str().expect("it has an id");
        let report = rapid.wait_for_line(&format!("REPORT RequestId: {id}\t"), DEADLINE);
        assert!(report.contains("\tStatus: error\tError Type: Runtime.ExitError"), "{report}");
        let next = Sdk::JavaScript.stream(&rapid, r#"{"chunks":["well"]}"#, false).end();
        assert!(next.expect_success().ends_with("well"));
    }
}

#[test]
fn a_runtime_that_is_killed_in_the_middle_ends_the_stream() {
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut caller = Caller::call(&rapid, "{}");
    let id = runtime.next();
    runtime.begin(&id, &[]);
    runtime.send(b"part").expect("rapid reads");
    caller.head();
    assert_eq!(caller.message(), Some(Message::Chunk(b"part".to_vec())));
    rapid.runtime().kill();
    let message = format!("RequestId: {id} Error: Runtime exited with error: signal: killed");
    let details = format!(r#"{{"errorType":"Runtime.ExitError","errorMessage":"{message}"}}"#);
    let complete = json!({ "ErrorCode": "Unhandled", "ErrorDetails": details });
    assert_eq!(caller.finish(), (4, complete));
    // The next one has a runtime of its own.
    let mut caller = Caller::call(&rapid, "{}");
    Runtime::of(&rapid).respond(b"well");
    caller.head();
    assert_eq!(caller.finish(), (4, json!({})));
}

/// What kind of error the end of a stream tells.
#[track_caller]
fn error_type(complete: &Value) -> String {
    let details = complete["ErrorDetails"].as_str().expect("an error has details");
    let error: Value = serde_json::from_str(details).expect("they are JSON");
    error["errorType"].as_str().expect("an error has a type").to_owned()
}

#[test]
fn an_upload_that_breaks_off_is_an_error_of_the_function() {
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut caller = Caller::call(&rapid, "{}");
    let id = runtime.next();
    runtime.begin(&id, &[]);
    runtime.send(b"part").expect("rapid reads");
    caller.head();
    assert_eq!(caller.message(), Some(Message::Chunk(b"part".to_vec())));
    drop(runtime);
    let (taken, complete) = caller.finish();
    assert_eq!((taken, &complete["ErrorCode"]), (4, &json!("Unhandled")));
    assert_eq!(error_type(&complete), "Runtime.TruncatedResponse");
}

#[test]
fn a_shutdown_lets_a_stream_finish_in_its_time_and_then_ends_it_with_an_error() {
    for (budget, finishes) in [("10", true), ("0", false)] {
        let rapid = Rapid::serve(Runtime::options().flags(["--shutdown-timeout", budget]));
        let mut runtime = Runtime::of(&rapid);
        let mut caller = Caller::call(&rapid, "{}");
        let id = runtime.next();
        runtime.begin(&id, &[]);
        runtime.send(b"part").expect("rapid reads");
        caller.head();
        assert_eq!(caller.message(), Some(Message::Chunk(b"part".to_vec())));
        rapid.term();
        if finishes {
            runtime.send(b"rest").expect("rapid reads");
            runtime.end(&[]);
            runtime.ask();
            assert_eq!(caller.finish(), (8, json!({})));
        } else {
            let (taken, complete) = caller.finish();
            assert_eq!((taken, &complete["ErrorCode"]), (4, &json!("Unhandled")), "{complete}");
            assert_eq!(error_type(&complete), "Sandbox.Failure");
        }
        assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    }
}

#[test]
fn what_is_refused_is_the_exception_that_callers_catch() {
    let rapid = Rapid::serve(node());
    for sdk in SDKS {
        let streamed = sdk.stream(&rapid, "{no json}", false).line("\"exception\"");
        let whole = sdk.invoke(&rapid, "{no json}", false);
        for answer in [streamed, whole] {
            assert_eq!(answer["exception"], "InvalidRequestContentException", "{sdk:?}: {answer}");
            assert_eq!((&answer["status"], &answer["type"]), (&json!(400), &json!("User")));
            assert!(answer["request_id"].is_string(), "{answer}");
        }
    }
}
