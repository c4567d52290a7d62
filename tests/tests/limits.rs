//! How large and how odd a request or a response may be.

use rapid_e2e::{Options, Rapid, Reply, Request, event};
use serde_json::json;

const RESPONSE_LIMIT: usize = 6 * 1024 * 1024 + 100;
const SERVICE_REQUEST_LIMIT: usize = 6 * 1024 * 1024;

/// A JSON string of exactly this many bytes.
fn text_of(size: usize) -> Vec<u8> {
    let mut text = vec![b'x'; size];
    (text[0], text[size - 1]) = (b'"', b'"');
    text
}

fn big_response(rapid: &Rapid, size: usize) -> Reply {
    rapid.invoke(json!({"do": "respond-big", "size": size}).to_string())
}

#[test]
fn the_largest_response_passes_and_one_byte_more_does_not() {
    let rapid = Rapid::serve(Options::fixture());
    let largest = big_response(&rapid, RESPONSE_LIMIT);
    assert_eq!((largest.status, largest.function_error()), (200, None));
    assert!(largest.body == text_of(RESPONSE_LIMIT), "{} bytes", largest.body.len());

    let larger = big_response(&rapid, RESPONSE_LIMIT + 1);
    let expected = "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload \
                    size (6291556 bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}";
    assert_eq!((larger.status, larger.text().as_str()), (200, expected));
    assert_eq!(larger.function_error(), Some("Unhandled"));
    let report = rapid.report_of(&larger);
    assert!(report.ends_with("Error Type: Function.ResponseSizeTooLarge"), "{report}");

    let heard = rapid.invoke(event("recall").to_string()).json();
    assert_eq!(heard[0]["status"], 202);
    assert_eq!(heard[1]["status"], 413);
    let told = "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\
                \"errorType\":\"RequestEntityTooLarge\"}\n";
    assert_eq!(heard[1]["body"], told);
    let next = rapid.report_of(&rapid.expect_echo());
    assert!(!next.contains("Init Duration"), "too large a response resets nothing: {next}");
}

#[test]
fn a_response_far_over_the_limit_still_leaves_the_runtime_usable() {
    let rapid = Rapid::serve(Options::fixture());
    let reply = big_response(&rapid, 15 << 20);
    assert_eq!(reply.json()["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(rapid.invoke(event("recall").to_string()).json()[0]["status"], 413);
    rapid.expect_echo();
}

#[test]
fn the_largest_request_passes_and_one_byte_more_does_not() {
    let rapid = Rapid::serve(Options::fixture());
    let largest = text_of(SERVICE_REQUEST_LIMIT);
    let reply = rapid.invoke(largest.clone());
    assert_eq!((reply.status, reply.function_error()), (200, None));
    assert!(reply.body == largest, "{} bytes", reply.body.len());

    let reply = rapid.invoke(text_of(SERVICE_REQUEST_LIMIT + 1));
    assert_eq!(reply.status, 413);
    assert_eq!(reply.header("X-Amzn-ErrorType"), Some("RequestTooLargeException"));
    let message = "6291457 byte payload is too large for the RequestResponse invocation type \
                   (limit 6291456 bytes)";
    assert_eq!(reply.json(), json!({"Type": "User", "message": message}));
    rapid.expect_echo();
}

#[test]
fn the_largest_request_in_chunks_passes_and_one_byte_more_does_not() {
    let rapid = Rapid::serve(Options::fixture());
    let path = Rapid::invoke_path("function");
    let mut connection = rapid.to_invoke();
    let largest = text_of(SERVICE_REQUEST_LIMIT);
    let chunks: Vec<&[u8]> = largest.chunks(70_000).collect();
    let reply = connection.exchange(&Request::post_chunked(&path, &chunks, &[])).unwrap();
    assert!(reply.status == 200 && reply.body == largest, "{} {}", reply.status, reply.body.len());
    let larger = text_of(SERVICE_REQUEST_LIMIT + 1);
    let chunks: Vec<&[u8]> = larger.chunks(70_000).collect();
    let reply = connection.exchange(&Request::post_chunked(&path, &chunks, &[])).unwrap();
    assert_eq!(
        (reply.status, reply.header("X-Amzn-ErrorType")),
        (413, Some("RequestTooLargeException"))
    );
    let reply = connection.exchange(&Request::post(&path, "[1]")).unwrap();
    assert_eq!(reply.text(), "[1]", "the connection goes on");
}

#[test]
fn a_body_that_is_no_json_is_refused_before_anything_runs() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    for body in ["nope", "{", "{\"a\":}", "[1,]", "{} {}", "\u{feff}{}"] {
        let reply = rapid.invoke(body);
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.header("X-Amzn-ErrorType"), Some("InvalidRequestContentException"));
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        let start = "Could not parse request body into json: Could not parse payload into json: ";
        assert!(message.starts_with(start), "{message}");
    }
    assert_eq!(rapid.stdout().matching("START").len(), 1);
}

#[test]
fn headers_of_the_invoker_that_make_no_sense_are_refused() {
    let rapid = Rapid::serve(Options::fixture());
    let long = "x".repeat(257);
    let context = "A".repeat(4 * 1195);
    let rows = [
        ("X-Amz-Client-Context", "%%%", 400, "InvalidRequestContentException"),
        ("X-Amz-Client-Context", "bm8=", 400, "InvalidRequestContentException"),
        ("X-Amz-Client-Context", &context, 400, "InvalidRequestContentException"),
        ("X-Amz-Cognito-Identity", "{", 400, "InvalidRequestContentException"),
        ("X-Amz-Tenant-Id", "a,b", 400, "ValidationException"),
        ("X-Amz-Tenant-Id", &long, 400, "ValidationException"),
        ("X-Amz-Invocation-Type", "Sometimes", 400, "InvalidParameterValueException"),
    ];
    for (name, value, status, code) in rows {
        let reply = rapid.invoke_with("function", &[(name, value)], "{}");
        let got = (reply.status, reply.header("X-Amzn-ErrorType"));
        assert_eq!(got, (status, Some(code)), "{name}: {value}");
    }
    let dry = rapid.invoke_with("function", &[("X-Amz-Invocation-Type", "DryRun")], "{}");
    assert_eq!((dry.status, dry.text().as_str()), (204, ""));
    let unused = rapid.stdout().matching("START");
    assert!(unused.is_empty(), "{unused:?}");
    rapid.expect_echo();
}

#[test]
fn functions_are_found_by_every_kind_of_name_and_no_other() {
    let rapid = Rapid::serve(Options::fixture());
    for good in [
        "function",
        "anything-else",
        "function:$LATEST",
        "function:live",
        "123456789012:function:f",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3Alive",
        "f/invocations?Qualifier=live&x=",
    ] {
        let path = match good.split_once('/') {
            Some((name, rest)) => format!("/2015-03-31/functions/{name}/{rest}"),
            None => Rapid::invoke_path(good),
        };
        let reply = rapid.to_invoke().exchange(&Request::post(&path, "[1]")).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "[1]"), "{good}");
    }
    for (path, status, code) in [
        ("/2015-03-31/functions/a%20b/invocations", 400, "ValidationException"),
        ("/2015-03-31/functions/f:7/invocations", 404, "ResourceNotFoundException"),
        (
            "/2015-03-31/functions/f:1/invocations?Qualifier=2",
            400,
            "InvalidParameterValueException",
        ),
        ("/2015-03-31/functions/f/nothing", 404, "UnknownOperationException"),
        ("/", 404, "UnknownOperationException"),
    ] {
        let reply = rapid.to_invoke().exchange(&Request::post(path, "{}")).unwrap();
        let got = (reply.status, reply.header("X-Amzn-ErrorType"));
        assert_eq!(got, (status, Some(code)), "{path}");
    }
    let get = rapid.to_invoke().exchange(&Request::get(&Rapid::invoke_path("function"))).unwrap();
    assert_eq!((get.status, get.header("Allow")), (405, Some("POST")));
}
