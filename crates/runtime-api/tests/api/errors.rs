//! R4: the report that the function failed.

use bytes::Bytes;
use rapid_interop::ports::RuntimeRefusal;
use rapid_interop::{InteropError, MAX_PAYLOAD_SIZE};

use crate::http_text::{
    ACCEPTED, INTERNAL, INVALID_ID, Piece, Pieces, TOO_LARGE, TRUNCATED, check, hang_up_on, request,
};
use crate::port::FakePort;

const ERROR: &str = "POST /2018-06-01/runtime/invocation/abc/error";
const WITH_CAUSE: &str = "Content-Type: application/vnd.aws.lambda.error.cause+json";

/// Reports an error and compares what the port is told of it.
async fn check_error(headers: &str, body: &'static str, expected: &str) {
    let port = FakePort::default();
    check(&port, &format!("{ERROR}\n{headers}"), body, ACCEPTED).await;
    assert_eq!(port.heard(), ["error of 'abc' in 1", &format!("finished with error {expected}")]);
}

#[tokio::test]
async fn an_ordinary_report_is_passed_on_as_it_came() {
    check_error(
        "Content-Type: application/json\nLambda-Runtime-Function-Error-Type: Function.Oops",
        r#"{"errorMessage":"m"}"#,
        r#"Function.Oops, application/json, Buffered, payload {"errorMessage":"m"}, cause -"#,
    )
    .await;
    check_error(
        "Content-Type: a/b",
        "no json",
        "Runtime.Unknown, a/b, Buffered, payload no json, cause -",
    )
    .await;
    let port = FakePort::default();
    check(&port, ERROR, "", ACCEPTED).await;
    let expected = "finished with error Runtime.Unknown, -, Buffered, payload , cause -";
    assert_eq!(port.heard()[1..], [expected]);
}

#[tokio::test]
async fn error_types_are_kept_or_replaced_by_the_allow_list() {
    let rows = [
        ("", "Runtime.Unknown"),
        ("MyCustomError", "Runtime.Unknown"),
        ("Runtime.MyCustomErrorTypeHere", "Runtime.MyCustomErrorTypeHere"),
        ("Function.Oops: really", "Function.Oops: really"),
        ("Function.lower", "Function.Unknown"),
        ("xxRuntime.Foo bar", "Runtime.Unknown"),
        ("Runtime.Foo\tbar", "Runtime.Unknown"),
    ];
    for (given, kept) in rows {
        check_error(
            &format!("Lambda-Runtime-Function-Error-Type: {given}"),
            "x",
            &format!("{kept}, -, Buffered, payload x, cause -"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_report_with_a_cause_is_taken_apart() {
    check_error(
        WITH_CAUSE,
        r#"{"errorType":"T","errorMessage":"m","stackTrace":["a","b"],"errorCause":{"working_directory":"/w"},"more":1}"#,
        r#"Runtime.Unknown, application/json, Buffered, payload {"errorMessage":"m","errorType":"T","stackTrace":["a","b"]}, cause {"exceptions":null,"working_directory":"/w","paths":null}"#,
    )
    .await;
    check_error(
        WITH_CAUSE,
        r#"{"errorType":"T","errorMessage":"m","stackTrace":[],"errorCause":"unusable"}"#,
        r#"Runtime.Unknown, application/json, Buffered, payload {"errorMessage":"m","errorType":"T"}, cause -"#,
    )
    .await;
}

#[tokio::test]
async fn the_media_type_of_a_cause_has_to_be_exact() {
    check_error(
        "Content-Type: application/vnd.aws.lambda.error.cause+json; charset=utf-8",
        r#"{"errorCause":{"message":"m"}}"#,
        r#"Runtime.Unknown, application/vnd.aws.lambda.error.cause+json; charset=utf-8, Buffered, payload {"errorCause":{"message":"m"}}, cause -"#,
    )
    .await;
}

#[tokio::test]
async fn a_report_with_a_cause_that_cannot_be_read_is_replaced() {
    for body in ["", "{", "[]", "null", r#"{"errorMessage":1}"#, r#"{"stackTrace":"a"}"#] {
        check_error(
            WITH_CAUSE,
            body,
            r#"Runtime.Unknown, application/octet-stream, Buffered, payload "Invalid error body", cause -"#,
        )
        .await;
    }
}

#[tokio::test]
async fn the_cause_of_an_ordinary_report_comes_in_a_header() {
    check_error(
        r#"Lambda-Runtime-Function-XRay-Error-Cause: {"message":"ä","paths":["p"],"exceptions":[]}"#,
        "x",
        r#"Runtime.Unknown, -, Buffered, payload x, cause {"exceptions":[],"working_directory":"","paths":["p"],"message":"ä"}"#,
    )
    .await;
    for unusable in ["", "{}", "[]", "no json", r#"{"paths":1}"#] {
        check_error(
            &format!("Lambda-Runtime-Function-XRay-Error-Cause: {unusable}"),
            "x",
            "Runtime.Unknown, -, Buffered, payload x, cause -",
        )
        .await;
    }
}

#[tokio::test]
async fn a_cause_that_is_too_long_is_cropped() {
    let paths = vec![format!("\"{}\"", "p".repeat(998)); 100].join(",");
    let kept = vec![format!("\"{}\"", "p".repeat(998)); 60].join(",");
    check_error(
        &format!("Lambda-Runtime-Function-XRay-Error-Cause: {{\"paths\":[{paths}]}}"),
        "x",
        &format!(
            "Runtime.Unknown, -, Buffered, payload x, cause \
             {{\"exceptions\":null,\"working_directory\":\"\",\"paths\":[{kept}]}}"
        ),
    )
    .await;
}

#[tokio::test]
async fn the_mode_of_a_report_is_not_checked() {
    check_error(
        "Lambda-Runtime-Function-Response-Mode: nope",
        "x",
        "Runtime.Unknown, -, Buffered, payload x, cause -",
    )
    .await;
}

#[tokio::test]
async fn the_port_checks_the_id_of_a_report_too() {
    for id in ["abc", "", "%61bc", "..%2Fnext"] {
        let port = FakePort::refusing(RuntimeRefusal::InvalidRequestId);
        let head = format!("POST /2018-06-01/runtime/invocation/{id}/error");
        check(&port, &head, "x", INVALID_ID).await;
        assert_eq!(port.heard(), [format!("error of '{id}' in 1")]);
    }
}

#[tokio::test]
async fn a_refused_report_is_not_handed_over() {
    let refusal =
        RuntimeRefusal::InvalidStateTransition { from: "Started", to: "InvocationErrorResponse" };
    let port = FakePort::refusing(refusal);
    let forbidden = "403
content-type: application/json

{\"errorMessage\":\"State transition from Started to InvocationErrorResponse failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}
";
    check(&port, ERROR, Pieces::of("hello"), forbidden).await;
    assert_eq!(port.heard(), ["error of 'abc' in 1"]);
}

#[tokio::test]
async fn a_report_has_the_limit_of_a_response() {
    let of_size = |size| Bytes::from(vec![b'x'; size]);
    let port = FakePort::default();
    check(&port, ERROR, of_size(MAX_PAYLOAD_SIZE), ACCEPTED).await;
    for body in [of_size(MAX_PAYLOAD_SIZE + 1).into(), Pieces::of(of_size(MAX_PAYLOAD_SIZE + 1))] {
        let port = FakePort::default();
        check(&port, ERROR, body, TOO_LARGE).await;
        assert_eq!(port.heard()[1..], ["finished as too large"]);
    }
}

#[tokio::test]
async fn a_report_that_breaks_off_is_truncated_and_one_that_is_given_up_is_dropped() {
    let half = || Piece::Data(Bytes::from_static(b"hel"));
    let port = FakePort::default();
    check(&port, ERROR, Pieces::body([half(), Piece::BreakOff]), TRUNCATED).await;
    assert_eq!(port.heard()[1..], ["finished as truncated"]);
    let port = FakePort::default();
    hang_up_on(&port, request(ERROR, Pieces::body([half(), Piece::Stall]))).await;
    assert_eq!(port.heard()[1..], ["upload dropped"]);
}

#[tokio::test]
async fn a_platform_that_cannot_take_the_report_says_so() {
    let rows = [
        (InteropError::InvalidInvokeId, INVALID_ID),
        (InteropError::InternalPlatformError, INTERNAL),
    ];
    for (error, expected) in rows {
        let port = FakePort::with(|script| script.finish = Err(error));
        check(&port, ERROR, "x", expected).await;
    }
}
