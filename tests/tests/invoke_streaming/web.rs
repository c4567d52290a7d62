//! A web server that streams, behind AWS's Lambda Web Adapter.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;

use rapid_e2e::{Options, Rapid};
use serde_json::{Value, json};

use crate::peers::{installed, source};
use crate::sdk::SDKS;

/// A GET as a function URL tells of it.
fn get(path: &str, query: &str) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": "site.example" },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "site",
            "domainName": "site.example",
            "domainPrefix": "site",
            "http": {
                "method": "GET",
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
        "isBase64Encoded": false,
    })
    .to_string()
}

#[test]
fn what_a_web_server_sends_arrives_while_it_still_sends() {
    let extensions = tempfile::tempdir().expect("a directory can be made");
    let adapter = extensions.path().join("lambda-adapter");
    symlink(installed("rust/debug/lambda-adapter"), adapter).expect("a link can be made");
    // Whoever is given a port and does not say which has to be told a free one.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("there is a free port").port().to_string();
    let options = Options::new()
        .command(["python3".into(), source("tests/peers/web/server.py").into_os_string()])
        .flags([Path::new("--extensions-dir"), extensions.path()])
        .env("AWS_LWA_PORT", port)
        .env("AWS_LWA_INVOKE_MODE", "response_stream");
    let rapid = Rapid::serve(options);
    for (n, sdk) in SDKS.into_iter().enumerate() {
        let gate = rapid.scratch().join(format!("gate{n}"));
        let query = format!("gate={}", gate.display());
        let call = sdk.stream(&rapid, &get("/drip", &query), false);
        call.chunk("first ");
        std::fs::write(gate, "").expect("the gate opens");
        let streamed = call.end();
        let (prelude, body) =
            streamed.expect_success().split_once("\0\0\0\0\0\0\0\0").expect("there is a prelude");
        let prelude: Value = serde_json::from_str(prelude).expect("it is JSON");
        assert_eq!(prelude["statusCode"], 200);
        assert_eq!(body, "first second");
    }
}
