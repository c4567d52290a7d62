//! Function URLs: real functions as plain HTTP, over raw connections and in a real browser.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "function_url/browser.rs"]
mod browser;
#[path = "function_url/clients.rs"]
mod clients;
#[path = "clients/image.rs"]
#[expect(dead_code, reason = "of images, these tests only need a free address")]
mod image;
#[path = "function_url/pages.rs"]
mod pages;
#[path = "clients/peers.rs"]
mod peers;
#[path = "function_url/site.rs"]
mod site;
#[path = "function_url/streams.rs"]
mod streams;

use std::thread;

use rapid_e2e::{DEADLINE, Options, Rapid, Request, run};
use serde_json::json;

use crate::site::{Site, expect_bad_gateway, node, values};

/// Six megabytes, as the service counts them.
const LIMIT: usize = 6 * 1024 * 1024;

// --- What the function is asked -----------------------------------------------------------------

#[test]
fn a_request_reaches_the_function_as_the_service_would_tell_it() {
    let site = Site::serve(node());
    let request = Request::post("/a%2Fb/%C3%BC?x=1&y=a+b&x=2", r#"{"k":"v"}"#)
        .method("PUT")
        .header("User-Agent", "a test")
        .header("Content-Type", "application/json")
        .header("Cookie", "a=1; b=2")
        .header("X-Twice", "1")
        .header("X-Twice", "2");
    let reply = site.ask(&request);
    assert_eq!(reply.status, 200);
    let event = reply.json();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/a%2Fb/%C3%BC");
    assert_eq!(event["rawQueryString"], "x=1&y=a+b&x=2");
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2", "y": "a b" }));
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["headers"]["x-twice"], "1,2");
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!(r#"{"k":"v"}"#), &json!(false))
    );
    for absent in ["pathParameters", "stageVariables"] {
        assert_eq!(event.get(absent), None);
    }
    let context = &event["requestContext"];
    assert_eq!(context["accountId"], "anonymous");
    assert_eq!(
        context["http"],
        json!({
            "method": "PUT",
            "path": "/a/b/ü",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "a test",
        })
    );
    // One id for the event, the response and the log.
    assert_eq!(context["requestId"], reply.request_id());
    site.rapid.report_of(&reply);
}

#[test]
fn a_proxy_says_from_where_a_request_has_come() {
    let site = Site::serve(node());
    let request = Request::get("/")
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Port", "443");
    let event = site.ask(&request).json();
    assert_eq!(event["headers"]["x-forwarded-for"], "203.0.113.7, 127.0.0.1");
    assert_eq!(event["headers"]["x-forwarded-proto"], "https");
    assert_eq!(event["headers"]["x-forwarded-port"], "443");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
}

#[test]
fn the_invoke_api_goes_on_beside_it_and_its_paths_are_the_functions() {
    let site = Site::serve(node());
    assert_eq!(site.rapid.invoke(r#"{"rawPath":"/text"}"#).json(), "a bare \"text\"");
    let path = Rapid::invoke_path("function");
    for path in [path.as_str(), "/health", "/"] {
        assert_eq!(site.get(path).json()["rawPath"], path);
    }
}

#[test]
fn a_request_may_have_six_megabytes_and_not_more() {
    let site = Site::serve(node());
    let large = Request::post("/image", vec![b'x'; LIMIT + 1]);
    let reply = site.ask(&large);
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert_eq!(reply.header("x-amzn-ErrorType"), Some("RequestTooLargeException"));
    // What is too large is not given to the function.
    site.expect_runs(1, &site.get("/text"));
}

// --- What the function returns ------------------------------------------------------------------

#[test]
fn an_object_with_a_status_says_what_to_answer() {
    let site = Site::serve(node());
    let reply = site.get("/object");
    assert_eq!((reply.status, reply.text().as_str()), (203, "an object"));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(reply.header("x-custom"), Some("one"));
    assert_eq!(values(&reply, "set-cookie"), ["b=2; Path=/", "a=1"]);
    assert!(reply.header("x-amzn-trace-id").is_some_and(|id| id.starts_with("Root=1-")));

    let reply = site.get("/many");
    assert_eq!(values(&reply, "x-many"), ["1", "2"]);
    assert_eq!(values(&reply, "set-cookie"), ["c=3", "d=4"]);
    assert_eq!(
        (reply.header("content-type"), reply.text().as_str()),
        (Some("application/json"), r#"{"a":1}"#)
    );
}

#[test]
fn anything_else_is_the_body_itself() {
    let site = Site::serve(node());
    for (path, body) in [("/text", "a bare \"text\""), ("/nothing", "null")] {
        let reply = site.get(path);
        assert_eq!((reply.status, reply.text().as_str()), (200, body));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
}

#[test]
fn octets_pass_both_ways_as_they_are() {
    let site = Site::serve(node());
    let image: Vec<u8> =
        b"\x89PNG\r\n\x1a\n".iter().copied().chain((0..=255).cycle().take(100_000)).collect();
    let reply =
        site.ask(&Request::post("/image", image.clone()).header("Content-Type", "image/png"));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/png")));
    assert!(reply.body == image, "{} bytes", reply.body.len());
}

#[test]
fn answers_without_a_body_have_none_and_the_connection_goes_on() {
    let site = Site::serve(node());
    let mut connection = site.connect();
    let head = connection.exchange(&Request::new("HEAD", "/object")).expect("it is answered");
    assert_eq!((head.status, head.header("content-length")), (203, Some("9")));
    let none = connection.exchange(&Request::get("/no-content")).expect("it is answered");
    assert_eq!((none.status, none.header("content-length")), (204, None));
    let next = connection.exchange(&Request::get("/object")).expect("it is answered");
    assert_eq!(next.text(), "an object");
    site.expect_runs(3, &next);
}

// --- What goes wrong ----------------------------------------------------------------------------

#[test]
fn whatever_goes_wrong_in_a_function_is_a_bad_gateway_and_the_next_request_works() {
    let site = Site::serve(node().timeout(1));
    for path in ["/throw", "/exit", "/hang"] {
        expect_bad_gateway(&site.get(path));
        assert_eq!(site.get("/text").status, 200, "after {path}");
    }
    // A response of six megabytes is too large with what is around it.
    expect_bad_gateway(&site.get(&format!("/large?n={}", LIMIT + 200)));
    assert_eq!(site.get("/text").status, 200);
}

#[test]
fn an_output_that_is_no_response_is_a_bad_gateway_and_the_log_says_why() {
    let site = Site::serve(node());
    expect_bad_gateway(&site.get("/no-status"));
    let why = "statusCode is \"fine\", which is not a number from 200 to 599";
    site.rapid.stderr().wait_for(why, DEADLINE);
}

#[test]
fn a_request_too_many_is_told_so() {
    let site = Site::serve(node().flags(["--queue", "0"]));
    let (path, open) = site.gated("/gated");
    thread::scope(|scope| {
        let first = scope.spawn(|| site.get(&path));
        site.wait_for_start();
        let second = site.get("/text");
        assert_eq!(second.status, 429);
        assert_eq!(second.json()["message"], "Rate Exceeded.");
        assert_eq!(second.header("x-amzn-ErrorType"), Some("TooManyRequestsException"));
        open();
        let first = first.join().expect("it is answered");
        assert_eq!(first.text(), "open");
        site.expect_runs(1, &first);
    });
}

// --- Settings, and the end ------------------------------------------------------------------------

#[test]
fn half_a_setting_and_a_taken_address_are_told_before_anything_starts() {
    let flags = |flags: &[&str]| {
        let all = ["--address", "127.0.0.1:0", "--runtime-api-address", "127.0.0.1:0"];
        run(&[], &Options::fixture().flags(all).flags(flags.iter().copied()), b"")
    };
    let ended = flags(&["--function-url", "127.0.0.1:0", "--function-url-cors-methods", "PUT"]);
    assert_eq!(ended.code, Some(2));
    let problem =
        "rapid: --function-url-cors-methods: means nothing without --function-url-cors-origins";
    assert!(ended.stderr.contains(problem), "{}", ended.stderr);

    let (taken, port) = rapid_e2e::bind(0);
    let ended = flags(&["--function-url", &format!("127.0.0.1:{port}")]);
    drop(taken);
    assert!(
        ended.stderr.contains("choose another address with --function-url"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(11), "{}", ended.stderr);
}

#[test]
fn a_running_request_is_answered_before_the_end() {
    let site = Site::serve(node());
    let (path, open) = site.gated("/gated");
    thread::scope(|scope| {
        let running = scope.spawn(|| site.get(&path));
        site.wait_for_start();
        site.rapid.term();
        open();
        assert_eq!(running.join().expect("it is answered").text(), "open");
    });
    assert_eq!(site.rapid.exit_code(DEADLINE), Some(0));
}
