//! Functions that are written with other clients than Node's, and one that knows of none.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;

use rapid_e2e::{Options, Request};
use serde_json::json;
use tempfile::TempDir;

use crate::image::free_address;
use crate::peers::{installed, source};
use crate::site::{STREAMED, Site, expect_bad_gateway, values};

#[test]
fn lambda_http_is_asked_and_answers() {
    let site = Site::serve(Options::new().command([installed("rust/debug/web")]));
    let request = Request::post("/a%20b?who=x&who=y", "grüße")
        .header("Content-Type", "text/plain")
        .header("Cookie", "k=v");
    let reply = site.ask(&request);
    assert_eq!(reply.status, 201);
    assert_eq!(values(&reply, "set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(
        reply.json(),
        json!({
            "method": "POST",
            "path": "/a%20b",
            "who": ["x", "y"],
            "cookie": "k=v",
            "content_type": "text/plain",
            "body": "grüße".as_bytes(),
        })
    );
    let image = site.get("/bytes");
    assert_eq!(
        (image.header("content-type"), &image.body[..]),
        (Some("image/png"), &[0x89, 0xff, 0][..])
    );
    // A form comes in base64, which the client takes off.
    let form =
        Request::post("/", "a=1").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(site.ask(&form).json()["body"], json!(b"a=1"));
    expect_bad_gateway(&site.get("/fail"));
}

#[test]
fn lambda_http_streams() {
    let command: [OsString; 2] = [installed("rust/debug/web").into(), "stream".into()];
    let site = Site::serve(Options::new().command(command).flags(STREAMED));
    site.expect_early(202);
    assert_eq!(site.get("/x?who=you").json()["who"], json!(["you"]));
}

#[test]
fn awslambdaric_is_asked_and_answers() {
    let python = installed("python/bin/python");
    let words =
        [python.as_os_str(), OsStr::new("-m"), "awslambdaric".as_ref(), "web.site".as_ref()];
    let options = Options::new().command(words).current_dir(source("tests/peers/python"));
    let site = Site::serve(options);
    let reply = site.get("/object");
    assert_eq!((reply.status, reply.text().as_str()), (202, "grüße"));
    assert_eq!(reply.header("x-number"), Some("7"));
    assert_eq!(values(&reply, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(site.get("/bytes").body, [0, 0xff]);
    assert_eq!(site.get("/x?y=z").json()["rawQueryString"], "y=z");
    expect_bad_gateway(&site.get("/raise"));
}

/// A web server that knows nothing of Lambda, behind AWS's adapter, and where the adapter is.
fn adapted() -> (Options, TempDir) {
    let extensions = tempfile::tempdir().expect("a directory can be made");
    let adapter = installed("rust/debug/lambda-adapter");
    symlink(adapter, extensions.path().join("lambda-adapter")).expect("a link can be made");
    let server: [OsString; 2] = ["python3".into(), source("tests/peers/web/server.py").into()];
    let options = Options::new()
        .command(server)
        .flags([OsStr::new("--extensions-dir"), extensions.path().as_ref()])
        .env("AWS_LWA_PORT", free_address().port().to_string());
    (options, extensions)
}

#[test]
fn a_web_server_behind_the_adapter_is_asked_and_answers() {
    let (options, _extensions) = adapted();
    let site = Site::serve(options);
    let request = Request::post("/a/b?c=%C3%BC", "grüße").header("X-Custom", "one");
    let reply = site.ask(&request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(values(&reply, "set-cookie"), ["a=1", "b=2"]);
    let asked = reply.json();
    assert_eq!((&asked["method"], &asked["path"]), (&json!("POST"), &json!("/a/b")));
    assert_eq!((&asked["query"]["c"], &asked["body"]), (&json!("ü"), &json!("grüße")));
    assert_eq!(asked["headers"]["x-custom"], "one");
    assert_eq!(site.get("/missing").status, 404);
    expect_bad_gateway(&site.get("/leave?code=3"));
    // The adapter may be faster to say that it lost its server than the system to say that it ended.
    site.rapid.expect_family(0);
    assert_eq!(site.get("/").status, 200);
}

#[test]
fn a_web_server_behind_the_adapter_streams() {
    let (options, _extensions) = adapted();
    let site = Site::serve(options.flags(STREAMED).env("AWS_LWA_INVOKE_MODE", "response_stream"));
    let (path, open) = site.gated("/drip");
    let mut connection = site.connect();
    connection.send(&Request::get(&path)).expect("rapid reads");
    assert_eq!(connection.receive_head().expect("there is a head").status, 200);
    assert_eq!(connection.receive_chunk().expect("a piece").as_deref(), Some(&b"first "[..]));
    open();
    assert_eq!(connection.receive_chunk().expect("a piece").as_deref(), Some(&b"second"[..]));
    assert_eq!(connection.receive_chunk().expect("an end"), None);
    assert_eq!(values(&site.get("/missing"), "set-cookie"), ["a=1", "b=2"]);
}
