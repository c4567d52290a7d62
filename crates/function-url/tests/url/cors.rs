//! Pages of other origins.

use std::time::Duration;

use rapid_function_url::{Allow, Cors, FunctionUrl};
use rapid_interop::ports::InvokeRefusal;

use crate::port::{FakePort, Play};
use crate::world::{check, url};

const PAGE: &str = "Origin: https://example.org";
const PREFLIGHT: &str = "OPTIONS /x
Origin: https://example.org
Access-Control-Request-Method: PUT
Access-Control-Request-Headers: x-one,x-two";
/// What the answer depends on when all is spelled by name.
const VARY: &str = "vary: origin, access-control-request-method, access-control-request-headers\n";

fn with(cors: Cors) -> FunctionUrl {
    FunctionUrl { cors: Some(cors), ..url() }
}

fn listed() -> Cors {
    Cors {
        allow_origins: "https://example.org, https://example.com".parse().unwrap(),
        allow_methods: "GET,PUT".parse().unwrap(),
        allow_headers: "X-One, X-Two".parse().unwrap(),
        expose_headers: "X-Three".parse().unwrap(),
        max_age: Some(Duration::from_secs(600)),
        allow_credentials: true,
    }
}

fn open() -> Cors {
    Cors {
        allow_origins: Allow::any(),
        allow_methods: Allow::any(),
        allow_headers: Allow::any(),
        expose_headers: Allow::any(),
        ..Cors::default()
    }
}

#[tokio::test]
async fn a_preflight_request_is_answered_without_the_function() {
    let port = FakePort::new(Play::Refuse(InvokeRefusal::ShuttingDown));
    let expected = "200
access-control-allow-credentials: true
access-control-allow-headers: x-one,x-two
access-control-allow-methods: GET,PUT
access-control-allow-origin: https://example.org
access-control-max-age: 600
vary: origin

";
    check(&port, with(listed()), PREFLIGHT, "", expected).await;
    let expected = "200
access-control-allow-headers: *
access-control-allow-methods: *
access-control-allow-origin: *

";
    check(&port, with(open()), PREFLIGHT, "", expected).await;
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn with_credentials_any_is_spelled_by_name() {
    let port = FakePort::default();
    let cors = Cors { allow_credentials: true, ..open() };
    let expected = format!(
        "200
access-control-allow-credentials: true
access-control-allow-headers: x-one,x-two
access-control-allow-methods: PUT
access-control-allow-origin: https://example.org
{VARY}\n"
    );
    check(&port, with(cors.clone()), PREFLIGHT, "", &expected).await;
    let expected = format!(
        "200
access-control-allow-credentials: true
access-control-allow-origin: https://example.org
content-type: application/json
{VARY}
done"
    );
    check(&port, with(cors), &format!("GET /\n{PAGE}"), "", &expected).await;
}

#[tokio::test]
async fn other_answers_say_who_may_read_them_whatever_the_function_says() {
    let output = r#"{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*","Vary":"accept"},"body":"x"}"#;
    let port = FakePort::new(Play::json(output));
    let expected = "200
access-control-allow-credentials: true
access-control-allow-origin: https://example.org
access-control-expose-headers: x-three
content-type: application/json
vary: accept
vary: origin

x";
    check(&port, with(listed()), &format!("GET /\n{PAGE}"), "", expected).await;
    port.plays(Play::json("failing"));
    let expected = "502
access-control-allow-origin: *
access-control-expose-headers: *
content-type: text/plain; charset=utf-8
x-amzn-errortype: InternalServerErrorException

Internal Server Error";
    check(&port, with(open()), &format!("GET /\n{PAGE}"), "", expected).await;
}

#[tokio::test]
async fn an_origin_that_may_not_is_not_named() {
    // Not even if the function lets everybody in.
    let output =
        r#"{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*"},"body":"done"}"#;
    let port = FakePort::new(Play::json(output));
    for origin in ["https://example.net", "http://example.org", "https://example.org:444", "null"] {
        let expected = "200
access-control-allow-credentials: true
access-control-expose-headers: x-three
content-type: application/json
vary: origin

done";
        check(&port, with(listed()), &format!("GET /\nOrigin: {origin}"), "", expected).await;
    }
}

#[tokio::test]
async fn what_an_origin_that_may_not_asks_without_a_preflight_is_run_all_the_same() {
    let port = FakePort::default();
    let head = "POST /\nOrigin: https://example.net\nContent-Type: text/plain";
    let expected = "200
access-control-allow-credentials: true
access-control-expose-headers: x-three
content-type: application/json
vary: origin

done";
    check(&port, with(listed()), head, "x", expected).await;
    assert_eq!(port.invocations(), 1);
}

#[tokio::test]
async fn options_that_are_no_preflight_are_for_the_function() {
    let port = FakePort::default();
    let expected = "200\ncontent-type: application/json\n\ndone";
    for head in [
        "OPTIONS /".to_owned(),
        format!("OPTIONS /\n{PAGE}"),
        "OPTIONS /\nAccess-Control-Request-Method: PUT".to_owned(),
    ] {
        check(&port, with(open()), &head, "", expected).await;
    }
    assert_eq!(port.invocations(), 3);
}

#[tokio::test]
async fn without_a_configuration_all_is_left_to_the_function() {
    let output = r#"{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*"}}"#;
    let port = FakePort::new(Play::json(output));
    let expected = "200\naccess-control-allow-origin: *\ncontent-type: application/json\n\n";
    check(&port, url(), PREFLIGHT, "", expected).await;
    assert_eq!(port.invocations(), 1);
}

#[tokio::test]
async fn no_configuration_is_too_strange() {
    let any_or_none = |any| if any { "*" } else { "" };
    for bits in 0..32 {
        let any = |bit| any_or_none(bits & (1 << bit) != 0);
        let cors = Cors {
            allow_origins: any(0).parse().unwrap(),
            allow_methods: any(1).parse().unwrap(),
            allow_headers: any(2).parse().unwrap(),
            expose_headers: any(3).parse().unwrap(),
            max_age: None,
            allow_credentials: bits & 16 != 0,
        };
        let port = FakePort::default();
        for (head, invocations) in [(PREFLIGHT, 0), ("GET /\nOrigin: https://example.org", 1)] {
            let request = crate::world::request(head, crate::world::Pieces::whole(""));
            let response = crate::world::send(&port, with(cors.clone()), request).await;
            let origin = response.headers().get("access-control-allow-origin");
            assert_eq!(origin.is_some(), bits & 1 != 0, "{cors:?} {head}");
            assert_eq!((response.status().as_u16(), port.invocations()), (200, invocations));
        }
    }
}

#[test]
fn lists_are_read_with_commas() {
    let read = |text: &str| text.parse::<Allow<http::HeaderName>>();
    assert_eq!(format!("{:?}", read(" X-One,,x-two ").unwrap()), r#"["x-one", "x-two"]"#);
    assert_eq!(read("x-one, *").unwrap(), Allow::any());
    assert_eq!(read("").unwrap(), Allow::none());
    assert_eq!(format!("{:?}", read("*").unwrap()), "*");
    assert!(read("a b").is_err());
    assert!("GET,P T".parse::<Allow<http::Method>>().is_err());
}
