//! `init/error` and `exit/error`, row by row.

use bytes::Bytes;
use http::HeaderValue;
use rapid_interop::extension::{ExtensionId, ExtensionRefusal, StateConflict};

use super::{IDENTIFIER, REPORTS, check_internal, check_refusal, forbidden, invalid_state};
use crate::http_text::{ACCEPTED, Piece, Pieces, check, hang_up_on, request, send};
use crate::port::FakePort;

const UUID: &str = "85083764-ff1e-476f-ada1-d51f26e4f6be";

fn with_type(route: &str, error_type: &str) -> String {
    format!("{route}\n{IDENTIFIER}\nLambda-Extension-Function-Error-Type: {error_type}")
}

fn heard(kind: &str, error_type: &str) -> [String; 1] {
    [format!("{kind} error of {UUID} in 1: {error_type}")]
}

#[tokio::test]
async fn the_port_hears_which_report_it_is_and_what_the_error_is_called() {
    for (route, kind) in REPORTS.into_iter().zip(["Init", "Exit"]) {
        for error_type in ["Extension.Oops", "failed to start the collector: <why>, ä"] {
            let port = FakePort::default();
            check(&port, &with_type(route, error_type), "", ACCEPTED).await;
            assert_eq!(port.heard(), heard(kind, error_type));
        }
    }
}

#[tokio::test]
async fn what_is_not_utf_8_in_the_type_is_replaced() {
    let port = FakePort::default();
    let mut report = request(&with_type(REPORTS[0], "x"), "");
    let error_type = HeaderValue::from_bytes(b"a\xff\xfe").unwrap();
    report.headers_mut().insert("lambda-extension-function-error-type", error_type);
    assert_eq!(send(&port, report).await.status(), 202);
    assert_eq!(port.heard(), heard("Init", "a\u{fffd}\u{fffd}"));
}

#[tokio::test]
async fn the_body_does_not_matter() {
    let megabytes = |count| (0..count).map(|_| Piece::Data(Bytes::from(vec![b'x'; 1024 * 1024])));
    for body in [
        Pieces::of(r#"{"errorMessage":"m","errorType":"t"}"#),
        Pieces::of("nonsense"),
        Pieces::body([]),
        Pieces::body([Piece::Data(Bytes::from_static(b"{")), Piece::BreakOff]),
        Pieces::body(megabytes(7)),
        // More than anybody reads, and no end.
        Pieces::body(megabytes(24).chain([Piece::Stall])),
    ] {
        let port = FakePort::default();
        check(&port, &with_type(REPORTS[1], "t"), body, ACCEPTED).await;
        assert_eq!(port.heard(), heard("Exit", "t"));
    }
}

#[tokio::test]
async fn a_report_whose_sender_vanishes_in_its_body_has_been_heard() {
    let port = FakePort::default();
    hang_up_on(&port, request(&with_type(REPORTS[1], "t"), Pieces::body([Piece::Stall]))).await;
    assert_eq!(port.heard(), heard("Exit", "t"));
}

#[tokio::test]
async fn row_1_a_report_without_a_type_is_refused_even_of_an_extension_that_nobody_knows() {
    let id = ExtensionId::parse(UUID).unwrap();
    let port = FakePort::refusing_extensions(ExtensionRefusal::Unknown { id });
    let message = "Lambda-Extension-Function-Error-Type not found";
    let expected = forbidden("Extension.MissingHeader", message);
    for route in REPORTS {
        check(&port, &format!("{route}\n{IDENTIFIER}"), Pieces::of("{}"), &expected).await;
        check(&port, &with_type(route, ""), "{}", &expected).await;
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn row_2_a_state_that_refuses_is_named() {
    for (route, to) in REPORTS.into_iter().zip(["InitError", "ExitError"]) {
        check_refusal(
            &with_type(route, "t"),
            invalid_state("Started", to, UUID, StateConflict::NotAllowed),
            "Extension.InvalidExtensionState",
            &format!(
                "State transition from Started to {to} failed for extension {UUID}. \
                 Error: State transition is not allowed"
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn row_3_an_extension_that_nobody_knows_is_refused_without_its_identifier() {
    let id = ExtensionId::parse(UUID).unwrap();
    for route in REPORTS {
        check_refusal(
            &with_type(route, "t"),
            ExtensionRefusal::Unknown { id },
            "Extension.UnknownExtensionIdentifier",
            "Unknown Lambda-Extension-Identifier",
        )
        .await;
    }
}

#[tokio::test]
async fn a_refused_report_is_answered_whatever_its_body() {
    let refusal = invalid_state("Started", "InitError", UUID, StateConflict::NotAllowed);
    let port = FakePort::refusing_extensions(refusal);
    let body = Pieces::body([Piece::Data(Bytes::from(vec![b'x'; 100_000])), Piece::BreakOff]);
    let response = send(&port, request(&with_type(REPORTS[0], "t"), body)).await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_fault_of_the_platform_is_told() {
    for route in REPORTS {
        check_internal(&with_type(route, "t")).await;
    }
}
