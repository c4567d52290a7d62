//! R5: the report that the runtime could not initialise.

use bytes::Bytes;
use rapid_interop::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::RuntimeRefusal;

use crate::http_text::{
    ACCEPTED, INTERNAL, Piece, Pieces, TOO_LARGE, TRUNCATED, check, hang_up_on, request,
};
use crate::port::FakePort;

const INIT_ERROR: &str = "POST /2018-06-01/runtime/init/error";

#[tokio::test]
async fn the_content_type_follows_from_the_body_and_not_from_the_request() {
    let rows = [
        (r#"{"errorMessage":"m"}"#, "application/json"),
        (" null ", "application/json"),
        ("no json", "application/octet-stream"),
        ("{} {}", "application/octet-stream"),
        ("", "application/octet-stream"),
    ];
    for (body, content_type) in rows {
        let port = FakePort::default();
        let head = format!(
            "{INIT_ERROR}\nContent-Type: text/html\n\
             Lambda-Runtime-Function-Error-Type: Runtime.NoSuchModule"
        );
        check(&port, &head, body, ACCEPTED).await;
        let told = format!(
            "init error in 1: Runtime.NoSuchModule, {content_type}, Buffered, payload {body}"
        );
        assert_eq!(port.heard(), [told]);
    }
}

#[tokio::test]
async fn the_type_of_an_init_error_is_scrubbed() {
    for (given, kept) in [("", "Runtime.Unknown"), ("Function.x", "Function.Unknown")] {
        let port = FakePort::default();
        let head = format!("{INIT_ERROR}\nLambda-Runtime-Function-Error-Type: {given}");
        check(&port, &head, Pieces::of("{}"), ACCEPTED).await;
        assert_eq!(
            port.heard(),
            [format!("init error in 1: {kept}, application/json, Buffered, payload {{}}")]
        );
    }
}

#[tokio::test]
async fn an_init_error_may_be_refused() {
    let refusal = RuntimeRefusal::InvalidStateTransition { from: "Running", to: "InitError" };
    let forbidden = "403
content-type: application/json

{\"errorMessage\":\"State transition from Running to InitError failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}
";
    check(&FakePort::refusing(refusal), INIT_ERROR, "{}", forbidden).await;
    check(&FakePort::refusing(RuntimeRefusal::Internal), INIT_ERROR, "{}", INTERNAL).await;
}

#[tokio::test]
async fn an_init_error_of_exactly_the_limit_is_taken() {
    let port = FakePort::default();
    check(&port, INIT_ERROR, Bytes::from(vec![b'x'; MAX_PAYLOAD_SIZE]), ACCEPTED).await;
    let told = "init error in 1: Runtime.Unknown, application/octet-stream, Buffered, payload of 6291556 bytes";
    assert_eq!(port.heard(), [told]);
}

#[tokio::test]
async fn an_init_error_that_is_not_whole_never_reaches_the_port() {
    let port = FakePort::default();
    let too_large = Bytes::from(vec![b'x'; MAX_PAYLOAD_SIZE + 1]);
    check(&port, INIT_ERROR, too_large.clone(), TOO_LARGE).await;
    check(&port, INIT_ERROR, Pieces::of(too_large), TOO_LARGE).await;
    let half = || Piece::Data(Bytes::from_static(b"{"));
    check(&port, INIT_ERROR, Pieces::body([half(), Piece::BreakOff]), TRUNCATED).await;
    hang_up_on(&port, request(INIT_ERROR, Pieces::body([half(), Piece::Stall]))).await;
    assert_eq!(port.heard(), [""; 0]);
}
