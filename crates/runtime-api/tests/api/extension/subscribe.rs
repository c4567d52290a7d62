//! Subscriptions to logs and telemetry, where there is something to subscribe to.

use bytes::Bytes;
use http::StatusCode;
use rapid_interop::extension::{ExtensionId, ExtensionRefusal};
use rapid_interop::ports::MAX_SUBSCRIBE_REQUEST_SIZE;

use super::{IDENTIFIER, forbidden};
use crate::client::Server;
use crate::http_text::{INTERNAL, Piece, Pieces, TRUNCATED, check, hang_up_on, request};
use crate::port::FakePort;

const UUID: &str = "85083764-ff1e-476f-ada1-d51f26e4f6be";
const NAMED: &str = "name of 85083764-ff1e-476f-ada1-d51f26e4f6be in 1";
const OK: &str = "200\ncontent-type: application/json\n\n\"OK\"";

/// The routes, and what the port calls their APIs.
const ROUTES: [(&str, &str); 2] =
    [("PUT /2020-08-15/logs", "Logs"), ("PUT /2022-07-01/telemetry", "Telemetry")];

fn ready() -> FakePort {
    FakePort::subscribed(StatusCode::OK, "\"OK\"")
}

fn signed(route: &str) -> String {
    format!("{route}\n{IDENTIFIER}")
}

#[tokio::test]
async fn the_port_hears_who_asks_which_api_and_for_what_and_its_answer_is_passed_on() {
    for (route, name) in ROUTES {
        for slash in ["", "/"] {
            let port = ready();
            check(&port, &signed(&format!("{route}{slash}")), Pieces::of("what, how"), OK).await;
            let heard = [NAMED.to_owned(), format!("'probe.sh' subscribes to {name}: what, how")];
            assert_eq!(port.heard(), heard);
        }
    }
}

#[tokio::test]
async fn a_refusal_of_the_port_is_passed_on_as_it_is() {
    let body =
        r#"{"errorType":"Logs.AccessDenied","errorMessage":"Only 'http' scheme is supported."}"#;
    let port = FakePort::subscribed(StatusCode::FORBIDDEN, body);
    let expected = format!("403\ncontent-type: application/json\n\n{body}");
    check(&port, &signed(ROUTES[0].0), "{}", &expected).await;
    // What the port has answered it has counted.
    assert_eq!(port.heard().len(), 2, "{:?}", port.heard());
}

#[tokio::test]
async fn a_request_without_an_identifier_or_with_one_that_is_none_is_refused_and_counted() {
    let missing = "Missing Lambda-Extension-Identifier header";
    let missing = forbidden("Extension.MissingExtensionIdentifier", missing);
    let invalid = "Invalid Lambda-Extension-Identifier";
    let invalid = forbidden("Extension.InvalidExtensionIdentifier", invalid);
    for (route, _) in ROUTES {
        for (header, expected) in [
            ("", &missing),
            ("\nLambda-Extension-Identifier:", &missing),
            ("\nLambda-Extension-Identifier: probe.sh", &invalid),
        ] {
            let port = ready();
            check(&port, &format!("{route}{header}"), Pieces::of("body"), expected).await;
            assert_eq!(port.heard(), ["refused with 403"]);
        }
    }
}

#[tokio::test]
async fn an_identifier_that_nobody_has_is_refused_and_counted() {
    let id = ExtensionId::parse(UUID).unwrap();
    let message = format!("Unknown extension {UUID}");
    let expected = forbidden("Extension.UnknownExtensionIdentifier", &message);
    for (route, _) in ROUTES {
        let port = ready();
        port.change(|script| script.extension_refusal = Some(ExtensionRefusal::Unknown { id }));
        check(&port, &signed(route), Pieces::of("body"), &expected).await;
        assert_eq!(port.heard(), [NAMED, "refused with 403"]);
    }
}

#[tokio::test]
async fn a_fault_of_the_platform_is_told_and_counted() {
    let port = ready();
    port.change(|script| script.extension_refusal = Some(ExtensionRefusal::Internal));
    check(&port, &signed(ROUTES[1].0), "{}", INTERNAL).await;
    assert_eq!(port.heard(), [NAMED, "refused with 500"]);
}

#[tokio::test]
async fn a_mebibyte_is_let_in_and_more_is_the_ports_to_refuse() {
    let rows = [
        (MAX_SUBSCRIBE_REQUEST_SIZE, "of 1048576 bytes"),
        (MAX_SUBSCRIBE_REQUEST_SIZE + 1, "too large"),
    ];
    for (size, seen) in rows {
        let whole = Bytes::from(vec![b' '; size]);
        for body in [whole.clone().into(), Pieces::of(whole)] {
            let port = ready();
            check(&port, &signed(ROUTES[1].0), body, OK).await;
            assert_eq!(port.heard()[1], format!("'probe.sh' subscribes to Telemetry: {seen}"));
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused_and_counted() {
    let port = ready();
    let body = Pieces::body([Piece::Data(Bytes::from_static(b"{")), Piece::BreakOff]);
    check(&port, &signed(ROUTES[1].0), body, TRUNCATED).await;
    assert_eq!(port.heard(), [NAMED, "refused with 400"]);
}

#[tokio::test]
async fn a_request_whose_sender_vanishes_in_its_body_leaves_no_trace() {
    let port = ready();
    hang_up_on(&port, request(&signed(ROUTES[1].0), Pieces::body([Piece::Stall]))).await;
    assert_eq!(port.heard(), [NAMED]);
}

#[tokio::test]
async fn the_routes_do_not_exist_where_extensions_are_disabled() {
    let port = ready();
    port.change(|script| script.extensions_enabled = false);
    for (route, _) in ROUTES {
        check(&port, &signed(route), "{}", "404\n\n").await;
        check(&port, &route.replace("PUT", "POST"), "{}", "404\n\n").await;
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let port = ready();
    for (route, _) in ROUTES {
        for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
            let head = signed(&route.replace("PUT", method));
            check(&port, &head, Pieces::of("body"), "405\nallow: PUT\n\n").await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_and_belongs_to_its_generation() {
    let port = ready();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    let put = |headers: &str| {
        format!(
            "PUT /2022-07-01/telemetry HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 2\r\n\r\n{{}}"
        )
    };
    connection.write(put("")).await;
    let body = "{\"errorMessage\":\"Missing Lambda-Extension-Identifier header\",\
                \"errorType\":\"Extension.MissingExtensionIdentifier\"}\n";
    connection.answers("HTTP/1.1 403 Forbidden", body).await;
    port.begin_generation();
    connection.write(put(&format!("{IDENTIFIER}\r\n"))).await;
    let (head, body) = connection.answer().await;
    let expected = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 4\n";
    assert_eq!((head.as_str(), body.as_str()), (expected, "\"OK\""));
    assert_eq!(port.heard()[1], NAMED);
}
