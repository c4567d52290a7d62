//! Responses that are sent while they are produced.

use rapid_e2e::{Options, Request};
use serde_json::json;

use crate::peers::{installed, source};
use crate::site::{STREAMED, Site, expect_bad_gateway, node, node_streams, values};

#[test]
fn a_stream_reaches_the_client_while_the_function_runs() {
    let site = Site::serve(node_streams().flags(STREAMED));
    site.expect_early(206);
    let reply = site.get("/raw");
    assert_eq!((reply.status, reply.body.as_slice()), (200, &[0xff, 0, 1][..]));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn a_stream_without_a_body_has_none_and_the_connection_goes_on() {
    let site = Site::serve(node_streams().flags(STREAMED));
    let mut connection = site.connect();
    let none = connection.exchange(&Request::get("/no-content")).expect("it is answered");
    assert_eq!(none.status, 204);
    let head = connection.exchange(&Request::new("HEAD", "/json")).expect("it is answered");
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")));
    let next = connection.exchange(&Request::get("/json")).expect("it is answered");
    assert_eq!(next.json(), json!({}));
}

#[test]
fn an_error_before_the_first_byte_is_a_bad_gateway_and_one_after_it_cuts_the_stream() {
    let site = Site::serve(node_streams().flags(STREAMED));
    expect_bad_gateway(&site.get("/throw"));
    let (path, open) = site.gated("/throw-late");
    let mut connection = site.connect();
    connection.send(&Request::get(&path)).expect("rapid reads");
    assert_eq!(connection.receive_head().expect("there is a head").status, 200);
    assert_eq!(connection.receive_chunk().expect("a piece").as_deref(), Some(&b"before "[..]));
    open();
    connection.receive_chunk().expect_err("a stream that broke has no end");
    assert_eq!(site.get("/raw").status, 200);
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_no_trace() {
    let site = Site::serve(node_streams().flags(STREAMED));
    let (path, open) = site.gated("/endless");
    let mut connection = site.connect();
    connection.send(&Request::get(&path)).expect("rapid reads");
    connection.receive_head().expect("there is a head");
    connection.receive_chunk().expect("there is a piece");
    drop(connection);
    // The function is not told; it runs until it has had enough.
    open();
    let next = site.get("/raw");
    assert_eq!(next.body, [0xff, 0, 1]);
    site.expect_runs(2, &next);
    assert_eq!(site.rapid.stdout().matching("REPORT RequestId").len(), 2);
}

#[test]
fn a_function_that_streams_is_answered_whole_where_the_url_does_not_stream() {
    let site = Site::serve(node_streams());
    let (path, open) = site.gated("/gated");
    open();
    let reply = site.get(&path);
    assert_eq!((reply.status, reply.text().as_str()), (206, "before after"));
    assert_eq!(reply.header("content-length"), Some("12"));
    assert_eq!(values(&reply, "set-cookie"), ["b=2; Path=/", "a=1"]);
    assert_eq!(site.get("/raw").body, [0xff, 0, 1]);
    expect_bad_gateway(&site.get("/throw"));
}

#[test]
fn of_a_function_that_does_not_stream_the_url_that_does_sends_the_whole_object() {
    let site = Site::serve(node().flags(STREAMED));
    let reply = site.get("/object");
    assert_eq!((reply.status, reply.header("x-custom")), (203, Some("one")));
    assert_eq!(reply.json()["body"], "an object");
}

#[test]
fn the_example_in_rust_greets_word_by_word() {
    let program = installed("rust/debug/hello-rust-streaming");
    let site = Site::serve(Options::new().command([program]).flags(STREAMED));
    let mut connection = site.connect();
    connection.send(&Request::get("/?name=Ada")).expect("rapid reads");
    let head = connection.receive_head().expect("there is a head");
    let content_type = Some("text/plain; charset=utf-8");
    assert_eq!((head.status, head.header("content-type")), (200, content_type));
    let mut words = Vec::new();
    while let Some(word) = connection.receive_chunk().expect("there is a piece") {
        words.push(String::from_utf8(word).expect("it is text"));
    }
    assert!(words.len() > 1 && words[0] == "Hello, ", "{words:?}");
    let example = source("examples/rust-streaming");
    let readme = std::fs::read_to_string(example.join("README.md")).expect("it has a README");
    assert!(readme.contains(&format!("```text\n{}```", words.concat())), "{words:?}");
}
