//! AWS's Lambda Web Adapter in front of a web server: an external extension that is the function's
//! runtime client, too, while the function's own process never calls the Runtime API.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/image.rs"]
mod image;
#[path = "clients/peers.rs"]
mod peers;

use std::os::unix::fs::symlink;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapid_e2e::{DEADLINE, Options, Rapid, Reply};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::image::{Front, Image, free_address};
use crate::peers::{installed, source};

const ADAPTER: &str = "lambda-adapter";

/// A web server behind the adapter.
struct Site {
    extensions: TempDir,
    port: String,
}

impl Site {
    fn new() -> Self {
        let extensions = tempfile::tempdir().expect("a directory can be made");
        let program = installed("rust/debug").join(ADAPTER);
        symlink(program, extensions.path().join(ADAPTER)).expect("a link can be made");
        Self { extensions, port: free_address().port().to_string() }
    }

    fn options(&self) -> Options {
        Options::new()
            .command(command())
            .flags([Path::new("--extensions-dir"), self.extensions.path()])
            .env("AWS_LWA_PORT", &self.port)
    }
}

fn command() -> [std::ffi::OsString; 2] {
    ["python3".into(), source("tests/peers/web/server.py").into()]
}

/// An event of a function URL, which is one of version 2 of API Gateway.
fn request(method: &str, path: &str, query: &str, body: Option<&str>) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": "site.example", "x-custom": "grüße", "content-type": "text/plain" },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "site",
            "domainName": "site.example",
            "domainPrefix": "site",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "of-the-gateway",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": body.map(|body| STANDARD.encode(body)),
        "isBase64Encoded": body.is_some(),
    })
    .to_string()
}

fn get(path: &str, query: &str) -> String {
    request("GET", path, query, None)
}

/// The gateway's view of a reply, with the body of the web server in place of its encoding.
#[track_caller]
fn answer(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.function_error()), (200, None), "{}", reply.text());
    let mut answer = reply.json();
    let body = answer["body"].as_str().expect("there is a body").to_owned();
    if answer["isBase64Encoded"] == true {
        let bytes = STANDARD.decode(body).expect("it says that it is encoded");
        answer["body"] = String::from_utf8(bytes).expect("it is text").into();
    }
    answer
}

/// What the web server says it was asked.
#[track_caller]
fn asked(reply: &Reply) -> Value {
    let answer = answer(reply);
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("the server says JSON")
}

#[test]
fn a_request_of_a_function_url_reaches_the_web_server_and_its_response_comes_back() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    let reply = rapid.invoke(request("PUT", "/a/b", "c=d&e=%C3%BC", Some("the body, grüße")));
    let told = asked(&reply);
    assert_eq!((&told["method"], &told["path"]), (&json!("PUT"), &json!("/a/b")));
    assert_eq!(told["query"], json!({ "c": "d", "e": "ü" }));
    assert_eq!(told["body"], "the body, grüße");
    let header = |name: &str| told["headers"][name].as_str().expect(name).to_owned();
    assert_eq!(header("host"), "site.example");
    let context: Value = serde_json::from_str(&header("x-amzn-request-context")).expect("JSON");
    assert_eq!(context["requestId"], "of-the-gateway");
    let context: Value = serde_json::from_str(&header("x-amzn-lambda-context")).expect("JSON");
    assert_eq!(context["request_id"], reply.request_id());

    let answer = answer(&reply);
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(answer_status(&rapid.invoke(get("/missing", ""))), 404);
}

/// Makes the web server exit, and waits until all of that is over.
#[track_caller]
fn expect_end(rapid: &Rapid, code: u8) {
    let reply = rapid.invoke(get("/leave", &format!("code={code}")));
    assert_eq!(reply.function_error(), Some("Unhandled"), "{}", reply.text());
    let error = reply.json();
    // The adapter may be faster to say that it lost its server than the system to say that it ended.
    if error["errorType"] == "Runtime.ExitError" {
        let message = error["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(&format!("exit status {code}")), "{message}");
    } else {
        assert_eq!(error["errorMessage"], "client error (SendRequest)");
    }
    rapid.expect_family(0);
}

#[track_caller]
fn answer_status(reply: &Reply) -> Value {
    answer(reply)["statusCode"].clone()
}

#[test]
fn an_event_that_is_no_request_is_posted_to_the_web_server_as_it_is() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    for event in [r#"{"name":"you","nested":[1,null]}"#, "[]", "7"] {
        let reply = rapid.invoke(event);
        assert_eq!((reply.status, reply.function_error()), (200, None), "{}", reply.text());
        rapid.wait_for_line(&format!("web: event {event}"), DEADLINE);
        assert_eq!(reply.text(), event);
    }
}

#[test]
fn the_tenant_of_an_invocation_reaches_the_web_server() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    let headers = [("X-Amz-Tenant-Id", "blue")];
    let told = asked(&rapid.invoke_with("function", &headers, get("/", "")));
    assert_eq!(told["headers"]["x-amz-tenant-id"], "blue");
    let told = asked(&rapid.invoke(get("/", "")));
    assert_eq!(told["headers"].get("x-amz-tenant-id"), None);
}

#[test]
fn requests_at_the_same_time_are_answered_one_after_the_other_by_one_web_server() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    let callers: Vec<_> = (0..16)
        .map(|n| (n, rapid.invoke_in_background(get("/caller", &format!("n={n}")))))
        .collect();
    let mut servers = Vec::new();
    for (n, caller) in callers {
        let told = asked(&caller.join().expect("the caller is well").expect("it is answered"));
        assert_eq!(told["query"], json!({ "n": n.to_string() }));
        servers.push(told["pid"].clone());
    }
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
}

#[test]
fn a_body_of_megabytes_passes_both_ways() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    // The gateway's encoding makes four bytes of three.
    let size = 4 * 1024 * 1024;
    let told = asked(&rapid.invoke(request("POST", "/", "", Some(&"x".repeat(size)))));
    assert_eq!(told["body"], size);
    let large = answer(&rapid.invoke(get("/large", &format!("n={size}"))));
    assert!(large["body"].as_str().is_some_and(|body| body == "x".repeat(size)));
}

#[test]
fn the_end_of_the_web_server_is_the_runtimes_and_the_next_request_finds_a_new_one() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    let first = asked(&rapid.invoke(get("/", "")))["pid"].clone();
    expect_end(&rapid, 3);
    let second = asked(&rapid.invoke(get("/", "")))["pid"].clone();
    assert_ne!(first, second);
    // The web server and the adapter.
    rapid.expect_family(2);
}

#[test]
fn the_end_of_the_adapter_is_a_crash_of_an_extension_and_the_next_request_works() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    asked(&rapid.invoke(get("/", "")));
    rapid.child_called(ADAPTER).kill();
    rapid.wait_for_line("web: closing", DEADLINE);
    asked(&rapid.invoke(get("/", "")));
    rapid.expect_family(2);
}

#[test]
fn sigterm_lets_the_web_server_close() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options());
    asked(&rapid.invoke(get("/", "")));
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
    rapid.expect_family(0);
    rapid.wait_for_line("web: closing", DEADLINE);
}

#[test]
fn a_web_server_in_an_image_answers_behind_rapid_as_behind_the_emulator() {
    if !Image::can_have_extensions() {
        return;
    }
    for front in [Front::Emulator, Front::Rapid] {
        let site = Site::new();
        let adapter = (ADAPTER, installed("rust/debug").join(ADAPTER));
        let env = [("AWS_LWA_PORT", site.port.as_str())];
        let mut image = Image::run(front, &[adapter], &env, &command());
        for n in 0..3 {
            let reply = image.invoke(get("/image", &format!("n={n}")));
            assert_eq!(reply.status, 200, "{}", image.said());
            assert_eq!(asked(&reply)["query"], json!({ "n": n.to_string() }));
        }
        assert_eq!(image.invoke("[1]").text(), "[1]", "{}", image.said());
        assert_eq!(image.term().code(), Some(0), "{}", image.said());
        image.wait_for_line("web: closing");
    }
}

#[test]
fn the_emulators_manners_suit_it_as_well() {
    let site = Site::new();
    let rapid = Rapid::serve(site.options().rie());
    asked(&rapid.invoke(get("/", "")));
    expect_end(&rapid, 3);
    asked(&rapid.invoke(get("/", "")));
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
    rapid.expect_family(0);
}
