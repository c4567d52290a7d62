//! What is checked before a handler sees anything: methods, the switch, the identifier.

use bytes::Bytes;
use rapid_interop::EpochMillis;
use rapid_interop::Generation;
use rapid_interop::extension::ExtensionEvent;
use rapid_interop::message::ResetReason;
use rapid_runtime_api::ConnectionGeneration;

use super::{IDENTIFIER, NEXT, REPORTS, ROUTES, forbidden};
use crate::http_text::{ACCEPTED, Pieces, check, request, send};
use crate::port::FakePort;

const DISABLED: &str = "404\n\n";

fn ready() -> FakePort {
    FakePort::with(|script| {
        script.extension_event = Some(ExtensionEvent::Shutdown {
            reason: ResetReason::Spindown,
            deadline: EpochMillis(1),
        });
    })
}

/// A request with everything that any of the routes asks for.
fn whole(method: &str, path: &str) -> String {
    format!(
        "{method} {path}\n{IDENTIFIER}\nLambda-Extension-Name: e\n\
         Lambda-Extension-Function-Error-Type: t"
    )
}

#[tokio::test]
async fn every_other_method_is_told_the_one_that_is_allowed() {
    let port = FakePort::default();
    for (allowed, path) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            if method == allowed {
                continue;
            }
            let expected = format!("405\nallow: {allowed}\n\n");
            check(&port, &whole(method, path), "", &expected).await;
            check(&port, &format!("{method} {path}/"), Pieces::of("body"), &expected).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn one_slash_at_the_end_is_tolerated_and_two_are_not() {
    let port = ready();
    for (method, path) in ROUTES {
        for (path, status) in
            [(path.to_owned(), true), (format!("{path}/"), true), (format!("{path}//"), false)]
        {
            let answer = send(&port, request(&whole(method, &path), "{}")).await;
            assert_eq!(answer.status().is_success(), status, "{path}");
        }
    }
}

#[tokio::test]
async fn where_extensions_are_disabled_their_routes_do_not_exist() {
    let port = FakePort::with(|script| script.extensions_enabled = false);
    for (method, path) in &ROUTES[..4] {
        check(&port, &whole(method, path), "{}", DISABLED).await;
        check(&port, &format!("{}/", whole(method, path).lines().next().unwrap()), "{}", DISABLED)
            .await;
        // Nothing is checked before, neither the method nor the identifier.
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            check(&port, &format!("{method} {path}"), Pieces::of("body"), DISABLED).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn the_runtime_is_served_where_extensions_are_disabled() {
    let port = FakePort::with(|script| script.extensions_enabled = false);
    check(&port, "POST /2018-06-01/runtime/init/error", "{}", ACCEPTED).await;
}

#[tokio::test]
async fn a_call_without_an_identifier_is_refused_before_anything_else() {
    let expected = forbidden(
        "Extension.MissingExtensionIdentifier",
        "Missing Lambda-Extension-Identifier header",
    );
    let port = ready();
    for route in [NEXT, REPORTS[0], REPORTS[1]] {
        for identifier in ["", "\nLambda-Extension-Identifier:"] {
            let head = format!("{route}{identifier}");
            check(&port, &head, "", &expected).await;
            check(&port, &head, Pieces::of("body"), &expected).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn an_identifier_that_is_no_uuid_is_refused_before_anything_else() {
    let expected =
        forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
    let port = ready();
    for route in [NEXT, REPORTS[0], REPORTS[1]] {
        for identifier in [
            "x",
            "ä",
            "85083764-ff1e-476f-ada1-d51f26e4f6b",
            "85083764-ff1e-476f-ada1-d51f26e4f6be0",
            "85083764-ff1e-476f-ada1-d51f26e4f6bg",
            "(85083764-ff1e-476f-ada1-d51f26e4f6be)",
            "{85083764-ff1e-476f-ada1-d51f26e4f6be",
            "85083764-ff1e-476f-ada1-d51f26e4f6be,85083764-ff1e-476f-ada1-d51f26e4f6be",
        ] {
            let head = format!("{route}\nLambda-Extension-Identifier: {identifier}");
            check(&port, &head, "", &expected).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn an_identifier_may_be_written_in_every_usual_way() {
    for identifier in [
        "85083764-ff1e-476f-ada1-d51f26e4f6be",
        "85083764-FF1E-476F-ADA1-D51F26E4F6BE",
        "85083764ff1e476fada1d51f26e4f6be",
        "{85083764-ff1e-476f-ada1-d51f26e4f6be}",
        "urn:uuid:85083764-ff1e-476f-ada1-d51f26e4f6be",
    ] {
        let port = ready();
        let head = format!("{NEXT}\nLAMBDA-extension-identifier: {identifier}");
        assert_eq!(send(&port, request(&head, "")).await.status(), 200, "{identifier}");
        assert_eq!(port.heard()[0], "next event of 85083764-ff1e-476f-ada1-d51f26e4f6be in 1");
    }
}

#[tokio::test]
async fn calls_belong_to_the_generation_of_their_connection() {
    let port = ready();
    port.end_generation();
    port.end_generation();
    for (method, path) in &ROUTES[..4] {
        let mut old = request(&whole(method, path), Bytes::from_static(b"{}"));
        old.extensions_mut().insert(ConnectionGeneration(Generation::FIRST.next()));
        assert!(send(&port, old).await.status().is_success());
        assert!(send(&port, request(&whole(method, path), "{}")).await.status().is_success());
    }
    let heard = port.heard();
    let generations: Vec<_> = heard
        .iter()
        .filter_map(|line| line.split_once(" in ").map(|(_, rest)| &rest[..1]))
        .collect();
    assert_eq!(generations, ["2", "3"].repeat(4));
}
