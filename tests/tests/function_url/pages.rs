//! Pages in a browser, and what CORS lets those of other origins do.

use rapid_e2e::{Rapid, Request};
use serde_json::{Value, json};

use crate::browser::{Browser, Elsewhere};
use crate::peers::source;
use crate::site::{STREAMED, Site, node, node_in, node_streams};

const ORIGIN: &str = "https://example.com";

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/object")
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "x-custom")
}

#[test]
fn a_preflight_request_is_answered_without_the_function() {
    let site = Site::serve(node().flags([
        "--function-url-cors-origins",
        ORIGIN,
        "--function-url-cors-methods",
        "PUT",
        "--function-url-cors-headers",
        "x-custom",
        "--function-url-cors-expose",
        "x-custom",
        "--function-url-cors-max-age",
        "60",
        "--function-url-cors-credentials",
        "on",
    ]));
    let reply = site.ask(&preflight(ORIGIN));
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "x-custom"),
        ("access-control-max-age", "60"),
        ("access-control-allow-credentials", "true"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    let other = site.ask(&preflight("https://example.org"));
    assert_eq!(other.header("access-control-allow-origin"), None);

    let reply = site.ask(&Request::get("/object").header("Origin", ORIGIN));
    assert_eq!(reply.status, 203);
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(reply.header("access-control-expose-headers"), Some("x-custom"));
    // The function has seen no preflight request.
    site.expect_runs(1, &reply);
}

#[test]
fn without_origins_cors_is_left_to_the_function() {
    let site = Site::serve(node());
    let reply = site.ask(&preflight(ORIGIN));
    assert_eq!((reply.status, reply.text().as_str()), (203, "an object"));
    assert_eq!(reply.header("access-control-allow-origin"), None);
    site.expect_runs(1, &reply);
}

#[test]
fn a_browser_shows_the_functions_page_keeps_its_cookies_and_reads_its_stream() {
    let site = Site::serve(node_streams().flags(STREAMED));
    let elsewhere = Elsewhere::with(String::new());
    let (page, open) = site.gated("/page");
    let browser = Browser::open(&format!("{}{page}&tell={}", site.origin(), elsewhere.origin()));
    // The function waits for the gate by now: the browser has this while it runs.
    assert_eq!(elsewhere.report(&browser), ("/first".to_owned(), "before ".to_owned()));
    open();
    let seen = elsewhere.end(&browser);
    assert_eq!(seen["h1"], "before after", "{seen}");
    // What is `HttpOnly` is sent back, and not shown to the page.
    assert_eq!(seen["json"], json!({ "cookies": ["seen=1", "hidden=2"], "body": "grüße" }));
    let shown = seen["cookie"].as_str().expect("there are cookies");
    assert!(shown.contains("seen=1") && !shown.contains("hidden"), "{shown}");
}

#[test]
fn the_example_does_what_its_readme_says_and_opens_in_a_browser() {
    let directory = "examples/web";
    let readme = std::fs::read_to_string(source(directory).join("README.md")).expect("it is there");
    for said in [
        "rapid --function-url 127.0.0.1:3000 -- node_modules/.bin/aws-lambda-ric index.handler\n",
        "curl 'http://127.0.0.1:3000/hello?name=Ada'\n",
    ] {
        assert!(readme.contains(said), "{readme}");
    }
    let site = Site::serve(node_in(directory, "index.handler"));
    let printed = format!("```text\n{}\n```", site.get("/hello?name=Ada").text());
    assert!(readme.contains(&printed), "{printed}");
    assert_eq!(site.get("/elsewhere").status, 404);
    let shown = Browser::show(&site.origin());
    assert!(shown.contains("<h1>Hello, world!</h1>"), "{shown}");
    assert!(shown.contains("<p>Visits: 1</p>"), "{shown}");
}

/// A page whose script is `script`, which resolves with what it has seen.
fn page(script: &str) -> String {
    format!(
        "<!doctype html><title>Elsewhere</title><script>
         const seen = async () => {{ {script} }};
         seen().catch((error) => ({{ error: String(error) }})).then((seen) =>
           fetch('/end', {{ method: 'POST', body: JSON.stringify(seen) }}));
         </script>"
    )
}

/// What the script of a page of another origin has seen.
#[track_caller]
fn seen_elsewhere(script: &str) -> Value {
    let elsewhere = Elsewhere::with(page(script));
    let browser = Browser::open(&elsewhere.origin());
    elsewhere.end(&browser)
}

/// Asks the function's URL with all that CORS is about.
fn asking(site: &Site) -> String {
    format!(
        "const reply = await fetch('{}/object', {{
           method: 'PUT',
           credentials: 'include',
           headers: {{ 'x-custom': 'of the page' }},
         }});
         return {{
           status: reply.status,
           text: await reply.text(),
           custom: reply.headers.get('x-custom'),
           id: reply.headers.get('x-amzn-requestid'),
         }};",
        site.origin()
    )
}

#[test]
fn a_page_of_another_origin_may_do_what_cors_says() {
    let allowed = [
        "--function-url-cors-origins",
        "*",
        "--function-url-cors-methods",
        "*",
        "--function-url-cors-headers",
        "*",
        "--function-url-cors-expose",
        "x-custom",
        "--function-url-cors-credentials",
        "on",
    ];
    let site = Site::serve(node().flags(allowed));
    let seen = seen_elsewhere(&asking(&site));
    let expected = json!({ "status": 203, "text": "an object", "custom": "one", "id": null });
    assert_eq!(seen, expected);
    site.expect_runs(2, &site.get("/text"));

    let site = Site::serve(node().flags(["--function-url-cors-origins", ORIGIN]));
    let seen = seen_elsewhere(&asking(&site));
    assert_eq!(seen, json!({ "error": "TypeError: Failed to fetch" }));
    // The preflight request was refused.
    site.expect_runs(1, &site.get("/text"));
}

/// Invokes as an SDK does: a content type and a signature that no plain page may send.
fn invoking(rapid: &Rapid) -> String {
    format!(
        "const headers = {{
           'content-type': 'application/octet-stream',
           'authorization': 'AWS4-HMAC-SHA256 Credential=x',
           'x-amz-user-agent': 'aws-sdk-js/3',
         }};
         const call = (path) => fetch('http://{}' + path, {{
           method: 'POST', headers, body: JSON.stringify({{ rawPath: '/text' }}) }});
         const reply = await call('/2015-03-31/functions/f/invocations');
         const streamed = await call('/2021-11-15/functions/f/response-streaming-invocations');
         return {{
           json: await reply.json(),
           id: reply.headers.get('x-amzn-requestid').length,
           stream: (await streamed.text()).includes('a bare'),
         }};",
        rapid.invoke_address()
    )
}

#[test]
fn a_page_that_this_machine_serves_may_invoke_unless_nobodys_may() {
    let rapid = Rapid::serve(node());
    let seen = seen_elsewhere(&invoking(&rapid));
    assert_eq!(seen, json!({ "json": "a bare \"text\"", "id": 36, "stream": true }));

    let rapid = Rapid::serve(node().flags(["--cors-origin", "none"]));
    let seen = seen_elsewhere(&invoking(&rapid));
    assert_eq!(seen, json!({ "error": "TypeError: Failed to fetch" }));
}
