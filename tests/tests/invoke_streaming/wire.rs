//! What is on the wire, with both ends in the test's hands.

use rapid_e2e::Rapid;
use serde_json::json;

use crate::caller::{Caller, Message};
use crate::runtime::Runtime;
use crate::{MIB, python};

#[test]
fn the_wire_has_the_bytes_that_the_service_was_seen_to_send() {
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    let mut caller = Caller::call_with(&rapid, &[("X-Amzn-Trace-Id", trace)], "{}");
    let id = runtime.next();
    runtime.begin(&id, &["Content-Type: text/plain"]);
    runtime.send(b"Hello world ").expect("rapid reads");
    let head = caller.head();
    assert_eq!(head.status, 200);
    for (name, value) in [
        ("Content-Type", "application/vnd.amazon.eventstream"),
        ("Transfer-Encoding", "chunked"),
        ("x-amzn-RequestId", id.as_str()),
        ("X-Amz-Executed-Version", "$LATEST"),
        ("x-amzn-Remapped-Content-Type", "text/plain"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    assert!(head.header("X-Amzn-Trace-Id").is_some_and(|sent| sent.starts_with(trace)));
    assert_eq!(runtime.end(&[]).status, 202);
    // `Hello world ` in a chunk, and the empty end.
    let expected = "\
        000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f6e74\
        656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d6573736167652d\
        747970650700056576656e7448656c6c6f20776f726c642033971fd800000066000000541f56c8690b3a657665\
        6e742d7479706507000e496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c\
        69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b7d7006d467";
    let sent: String = caller.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent, expected);
}

#[test]
fn trailers_in_the_middle_are_the_error_and_the_bytes_before_them_stay() {
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut caller = Caller::call(&rapid, "{}");
    let id = runtime.next();
    runtime.begin(&id, &[]);
    runtime.send(b"part").expect("rapid reads");
    caller.head();
    assert_eq!(caller.message(), Some(Message::Chunk(b"part".to_vec())));
    let reply = runtime.end(&[
        "Lambda-Runtime-Function-Error-Type: Runtime.StreamError",
        "Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJtIn0=",
    ]);
    assert_eq!(reply.status, 202);
    let complete = json!({ "ErrorCode": "Unhandled", "ErrorDetails": r#"{"errorMessage":"m"}"# });
    assert_eq!(caller.finish(), (4, complete));
}

#[test]
fn what_is_refused_is_no_stream() {
    let rapid = Rapid::serve(Runtime::options().flags(["--queue", "0"]));
    let refused = |status: u16, code: &str, path_free: &mut Caller| {
        let reply = path_free.reply();
        assert_eq!((reply.status, reply.header("X-Amzn-ErrorType")), (status, Some(code)));
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        assert!(reply.json().is_object());
    };
    let bad = "InvalidRequestContentException";
    refused(400, bad, &mut Caller::call(&rapid, "{no json}"));
    let context = [("X-Amz-Client-Context", "no base64")];
    refused(400, bad, &mut Caller::call_with(&rapid, &context, "{}"));
    let log = [("X-Amz-Log-Type", "All")];
    let parameter = "InvalidParameterValueException";
    refused(400, parameter, &mut Caller::call_with(&rapid, &log, "{}"));
    let large = format!("\"{}\"", "x".repeat(6 * MIB));
    refused(413, "RequestTooLargeException", &mut Caller::call(&rapid, &large));
    let mut runtime = Runtime::of(&rapid);
    let mut first = Caller::call(&rapid, "{}");
    let id = runtime.next();
    refused(429, "TooManyRequestsException", &mut Caller::call(&rapid, "{}"));
    runtime.begin(&id, &[]);
    runtime.end(&[]);
    assert_eq!(first.head().status, 200);
    assert_eq!(first.finish(), (0, json!({})));
}

#[test]
fn a_dry_run_is_checked_and_an_event_runs_at_once() {
    let rapid = Rapid::serve(python());
    let dry = [("X-Amz-Invocation-Type", "DryRun")];
    assert_eq!(Caller::call_with(&rapid, &dry, "{}").reply().status, 204);
    let event = [("X-Amz-Invocation-Type", "Event")];
    let mut caller = Caller::call_with(&rapid, &event, r#"{"do":"echo","value":1}"#);
    assert_eq!(caller.head().status, 200);
    assert_eq!(caller.message(), Some(Message::Chunk(b"1".to_vec())));
    assert_eq!(caller.finish().1, json!({}));
}
