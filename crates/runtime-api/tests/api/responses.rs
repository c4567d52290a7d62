//! R3: the runtime's response on its way in.

use bytes::Bytes;
use rapid_interop::ports::RuntimeRefusal;
use rapid_interop::{InteropError, MAX_PAYLOAD_SIZE};

use crate::http_text::{
    ACCEPTED, INTERNAL, INVALID_ID, Piece, Pieces, TOO_LARGE, TRUNCATED, check, hang_up_on, request,
};
use crate::port::FakePort;

const RESPONSE: &str = "POST /2018-06-01/runtime/invocation/abc/response";

const INVALID_MODE: &str = "400
content-type: application/json

{\"errorMessage\":\"Invalid function response mode\",\"errorType\":\"InvalidFunctionResponseMode\"}
";

fn of_size(size: usize) -> Bytes {
    Bytes::from(vec![b'x'; size])
}

#[tokio::test]
async fn a_response_is_handed_over_with_its_content_type() {
    let port = FakePort::default();
    let head = format!("{RESPONSE}\nContent-Type: text/plain;charset=x");
    check(&port, &head, "hello", ACCEPTED).await;
    assert_eq!(
        port.heard(),
        ["response to 'abc' in 1", "finished with text/plain;charset=x, Buffered, payload hello",]
    );
}

#[tokio::test]
async fn a_chunked_or_an_empty_response_is_a_response() {
    let port = FakePort::default();
    check(&port, RESPONSE, Pieces::of("hello"), ACCEPTED).await;
    check(&port, RESPONSE, "", ACCEPTED).await;
    check(&port, RESPONSE, Pieces::body([]), ACCEPTED).await;
    let heard = port.heard();
    let finished: Vec<_> = heard.iter().skip(1).step_by(2).collect();
    assert_eq!(
        finished,
        [
            "finished with -, Buffered, payload hello",
            "finished with -, Buffered, payload ",
            "finished with -, Buffered, payload ",
        ]
    );
}

#[tokio::test]
async fn the_port_checks_the_id_as_it_stands_in_the_path() {
    let long = "x".repeat(200);
    for id in ["abc", "", "a.b_c-1", "%61bc", "a%2Fb", "%FF", "next", long.as_str()] {
        let port = FakePort::refusing(RuntimeRefusal::InvalidRequestId);
        let head = format!("POST /2018-06-01/runtime/invocation/{id}/response");
        check(&port, &head, "hello", INVALID_ID).await;
        assert_eq!(port.heard(), [format!("response to '{id}' in 1")]);
    }
}

#[tokio::test]
async fn a_refused_response_is_not_handed_over_even_when_it_is_broken() {
    let transition = RuntimeRefusal::InvalidStateTransition {
        from: "RuntimeResponseSentState",
        to: "InvocationResponse",
    };
    let forbidden = "403
content-type: application/json

{\"errorMessage\":\"State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}
";
    let port = FakePort::refusing(transition);
    check(&port, RESPONSE, Pieces::of(of_size(MAX_PAYLOAD_SIZE)), forbidden).await;
    let broken = [Piece::Data(Bytes::from_static(b"he")), Piece::BreakOff];
    check(&port, RESPONSE, Pieces::body(broken), forbidden).await;
    assert_eq!(port.heard(), ["response to 'abc' in 1"; 2]);
    let port = FakePort::refusing(RuntimeRefusal::Internal);
    check(&port, RESPONSE, "hello", INTERNAL).await;
}

#[tokio::test]
async fn the_response_mode_is_absent_or_empty_or_streaming() {
    for (mode, expected) in [("", "Buffered"), ("streaming", "Streaming")] {
        let port = FakePort::default();
        let head = format!("{RESPONSE}\nLambda-Runtime-Function-Response-Mode: {mode}");
        check(&port, &head, "hello", ACCEPTED).await;
        assert_eq!(port.heard()[1..], [format!("finished with -, {expected}, payload hello")]);
    }
}

#[tokio::test]
async fn any_other_response_mode_fails_the_invocation() {
    for mode in ["Streaming", "buffered", "STREAMING", "stream", "streaming, streaming", "ä"] {
        let port = FakePort::default();
        let head = format!(
            "{RESPONSE}\nLambda-Runtime-Function-Response-Mode: {mode}\nContent-Type: image/png"
        );
        check(&port, &head, Pieces::of("hello"), INVALID_MODE).await;
        assert_eq!(port.heard()[1..], ["finished with an invalid mode"], "{mode}");
    }
    let port = FakePort::default();
    let head = format!("{RESPONSE}\nLambda-Runtime-Function-Response-Mode: nope");
    check(&port, &head, "", INVALID_MODE).await;
    assert_eq!(port.heard()[1..], ["finished with an invalid mode"]);
}

#[tokio::test]
async fn a_response_of_exactly_the_limit_is_taken() {
    for body in [of_size(MAX_PAYLOAD_SIZE).into(), Pieces::of(of_size(MAX_PAYLOAD_SIZE))] {
        let port = FakePort::default();
        check(&port, RESPONSE, body, ACCEPTED).await;
        assert_eq!(port.heard()[1..], ["finished with -, Buffered, payload of 6291556 bytes"]);
    }
}

#[tokio::test]
async fn a_response_of_one_byte_more_is_too_large_whether_declared_or_not() {
    for body in [of_size(MAX_PAYLOAD_SIZE + 1).into(), Pieces::of(of_size(MAX_PAYLOAD_SIZE + 1))] {
        let port = FakePort::default();
        check(&port, RESPONSE, body, TOO_LARGE).await;
        assert_eq!(port.heard()[1..], ["finished as too large"]);
    }
}

#[tokio::test]
async fn a_response_that_never_ends_is_given_up_on() {
    let piece = of_size(1024 * 1024);
    let pieces = (0..24).map(|_| Piece::Data(piece.clone())).chain([Piece::Stall]);
    let port = FakePort::default();
    check(&port, RESPONSE, Pieces::body(pieces), TOO_LARGE).await;
    assert_eq!(port.heard()[1..], ["finished as too large"]);
}

#[tokio::test]
async fn a_response_that_breaks_off_is_truncated() {
    let port = FakePort::default();
    let pieces = [Piece::Data(Bytes::from_static(b"hel")), Piece::BreakOff];
    check(&port, RESPONSE, Pieces::body(pieces), TRUNCATED).await;
    assert_eq!(port.heard()[1..], ["finished as truncated"]);
}

#[tokio::test]
async fn a_runtime_that_vanishes_in_the_middle_leaves_its_response_unfinished() {
    let port = FakePort::default();
    let pieces = [Piece::Data(Bytes::from_static(b"hel")), Piece::Stall];
    hang_up_on(&port, request(RESPONSE, Pieces::body(pieces))).await;
    assert_eq!(port.heard(), ["response to 'abc' in 1", "upload dropped"]);
}

#[tokio::test]
async fn a_platform_that_cannot_take_the_response_says_so() {
    let rows = [
        (InteropError::InvalidInvokeId, INVALID_ID),
        (InteropError::ResponseSent, INVALID_ID),
        (InteropError::InternalPlatformError, INTERNAL),
    ];
    for (error, expected) in rows {
        let port = FakePort::with(|script| script.finish = Err(error));
        check(&port, RESPONSE, "hello", expected).await;
        check(&port, RESPONSE, Pieces::body([Piece::BreakOff]), expected).await;
        let invalid = format!("{RESPONSE}\nLambda-Runtime-Function-Response-Mode: nope");
        check(&port, &invalid, "hello", expected).await;
    }
}

const TRAILERS: &[(&str, &str)] = &[
    ("lambda-runtime-function-error-type", "Function.Oops"),
    ("lambda-runtime-function-error-body", "eyJlcnJvclR5cGUiOiJPb3BzIn0="),
];

fn streaming() -> FakePort {
    FakePort::with(|script| script.streams = true)
}

#[tokio::test]
async fn a_response_that_is_wanted_in_pieces_is_passed_on_as_it_comes() {
    let port = streaming();
    let head = format!(
        "{RESPONSE}\nContent-Type: text/html\nLambda-Runtime-Function-Response-Mode: streaming"
    );
    check(&port, &head, Pieces::of("hello"), ACCEPTED).await;
    // Whatever the runtime calls it.
    check(&port, RESPONSE, "whole", ACCEPTED).await;
    assert_eq!(
        port.heard(),
        [
            "response to 'abc' in 1",
            "streams with text/html, Streaming",
            "passes on he",
            "passes on llo",
            "finished after 5 bytes",
            "response to 'abc' in 1",
            "streams with -, Buffered",
            "passes on whole",
            "finished after 5 bytes",
        ]
    );
}

#[tokio::test]
async fn what_goes_wrong_with_a_response_in_pieces_is_told_at_its_end() {
    let port = streaming();
    let broken = Pieces::body([Piece::Data(Bytes::from_static(b"he")), Piece::BreakOff]);
    check(&port, RESPONSE, broken, TRUNCATED).await;
    let data = Piece::Data(Bytes::from_static(b"he"));
    check(&port, RESPONSE, Pieces::body([data, Piece::Trailers(TRAILERS)]), ACCEPTED).await;
    let heard = port.heard();
    assert_eq!(heard[2..4], ["passes on he", "finished as truncated"]);
    assert_eq!(heard[6], "passes on he");
    assert!(heard[7].starts_with("finished after 2 bytes with error "), "{heard:?}");
    assert!(heard[7].contains("Function.Oops") && heard[7].contains(r#"{"errorType":"Oops"}"#));
}

#[tokio::test]
async fn of_a_response_in_pieces_no_more_is_passed_on_than_the_limit_and_a_byte() {
    const MIB: usize = 1024 * 1024;
    let port = streaming();
    let piece = of_size(MIB);
    let pieces = (0..202).map(|_| Piece::Data(piece.clone()));
    check(&port, RESPONSE, Pieces::body(pieces), ACCEPTED).await;
    let heard = port.heard();
    let passed_on = heard.iter().filter(|line| line.starts_with("passes on ")).count();
    assert_eq!(passed_on, 201);
    assert_eq!(heard.last().unwrap(), &format!("finished after {} bytes", 200 * MIB + 1));
}
