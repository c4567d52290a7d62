//! The file by which a layer turns extensions off.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rapid::{Builder, InvokeAnswer, Running, TelemetryMode};

/// A runtime that answers an event with `{}` and exits, so that the next one starts anew.
const RUNTIME: &str = r#"
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
id=$(curl -sS -o /dev/null -D - "$api/next" |
    tr -d '\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
curl -sS -o /dev/null -d '{}' "$api/$id/response""#;

/// An extension that says that it was started, and no more.
const AGENT: &str = "#!/bin/sh\n: >\"$0.started\"\nsleep 3600\n";

/// A new directory with an extension, and the place for the switch.
fn place(name: &str) -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("switch-{name}"));
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    let directory = root.join("extensions");
    fs::create_dir_all(&directory).unwrap();
    let agent = directory.join("agent");
    fs::write(&agent, AGENT).unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, root.join("switch"))
}

fn builder(directory: &Path, switch: &Path) -> Builder {
    Builder::new()
        .command(["/bin/sh", "-c", RUNTIME])
        .extension_dirs([directory])
        .extensions_switch(switch)
        .init_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(10))
}

async fn start(directory: &Path, switch: &Path) -> Running {
    builder(directory, switch).bind().await.unwrap().start().await
}

fn is_response(answer: &InvokeAnswer) -> bool {
    matches!(answer, InvokeAnswer::Response(response) if response.payload == "{}")
}

/// Waits until the extension was started.
async fn started(directory: &Path) {
    let begun = Instant::now();
    while !directory.join("agent.started").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the extension was never started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The status line and the body of the reply to a request without a body. A connection that is cut
/// because its generation ends, as it does after each event, is made again.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: rapid\r\nConnection: close\r\n\r\n");
    let exchange = move || loop {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        if !reply.is_empty() {
            return reply;
        }
    };
    let reply = tokio::task::spawn_blocking(exchange).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn where_the_switch_is_no_extension_is_started_and_their_routes_are_not_there() {
    let (directory, switch) = place("there");
    fs::write(&switch, "").unwrap();
    let running = start(&directory, &switch).await;
    assert!(is_response(&running.invoke("{}").await.unwrap()));
    let api = running.runtime_api_address();
    for path in ["register", "event/next", "init/error", "exit/error"] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let (status, body) = ask(api, method, &format!("/2020-01-01/extension/{path}")).await;
            let expected = ("HTTP/1.1 404 Not Found", "");
            assert_eq!((status.as_str(), body.as_str()), expected, "{method} {path}");
        }
    }
    for path in ["/2020-08-15/logs", "/2022-07-01/telemetry"] {
        let (status, body) = ask(api, "PUT", path).await;
        assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 404 Not Found", ""), "{path}");
    }
    assert!(running.shutdown(Duration::from_secs(2)).await.clean);
    assert!(!directory.join("agent.started").exists());
}

#[tokio::test]
async fn without_telemetry_subscriptions_are_turned_down_where_the_switch_is_as_well() {
    let (directory, switch) = place("without-telemetry");
    fs::write(&switch, "").unwrap();
    let running = builder(&directory, &switch)
        .telemetry(TelemetryMode::Off)
        .bind()
        .await
        .unwrap()
        .start()
        .await;
    let api = running.runtime_api_address();
    for (path, name) in [("/2020-08-15/logs", "Logs"), ("/2022-07-01/telemetry", "Telemetry")] {
        let (status, body) = ask(api, "PUT", path).await;
        assert_eq!(status, "HTTP/1.1 202 Accepted");
        let expected = format!(
            "{{\"errorMessage\":\"{name} API is not supported\",\
             \"errorType\":\"{name}.NotSupported\"}}\n"
        );
        assert_eq!(body, expected);
    }
    assert!(running.shutdown(Duration::from_secs(2)).await.clean);
}

#[tokio::test]
async fn where_the_switch_is_not_the_extension_is_started_and_told_what_it_does_wrong() {
    let (directory, switch) = place("absent");
    let running = start(&directory, &switch).await;
    let api = running.runtime_api_address();
    let (status, body) = ask(api, "POST", "/2020-01-01/extension/register").await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    assert!(body.contains("Extension.InvalidExtensionName"), "{body}");
    started(&directory).await;
    assert!(running.shutdown(Duration::ZERO).await.clean);
}

#[tokio::test]
async fn a_switch_that_appears_between_two_initialisations_counts_from_then_on() {
    let (directory, switch) = place("later");
    let running = start(&directory, &switch).await;
    let api = running.runtime_api_address();
    // The extension never registers, so that everything is started anew for the invocation.
    started(&directory).await;
    fs::write(&switch, "").unwrap();
    assert!(is_response(&running.invoke("{}").await.unwrap()));
    // Once off they stay off, in the next environment too.
    fs::remove_file(&switch).unwrap();
    fs::remove_file(directory.join("agent.started")).unwrap();
    assert!(is_response(&running.invoke("{}").await.unwrap()));
    let (status, _) = ask(api, "POST", "/2020-01-01/extension/register").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert!(running.shutdown(Duration::from_secs(2)).await.clean);
    assert!(!directory.join("agent.started").exists());
}
