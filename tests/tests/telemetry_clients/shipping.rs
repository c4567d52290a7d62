//! The example that ships logs, run as its README says, and to a collector.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rapid_e2e::{DEADLINE, Options, Rapid, eventually_some, run};
use serde_json::Value;
use tempfile::TempDir;

use crate::peers::{installed, source};
use crate::subscriber::{free_port, lines, of, order};

/// A directory of extensions with the shipper.
fn extensions() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory can be made");
    symlink(installed("rust/debug").join("shipper"), dir.path().join("shipper"))
        .expect("a link can be made");
    dir
}

fn with(extensions: &TempDir) -> Options {
    Options::fixture()
        .flags([Path::new("--extensions-dir"), extensions.path()])
        .env("SHIPPER_PORT", free_port().to_string())
}

/// Takes lines over HTTP, for as long as the test runs. Its first answer is that it is busy.
fn collector() -> (u16, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    let port = listener.local_addr().expect("it is bound").port();
    let collected: Arc<Mutex<Vec<Value>>> = Arc::default();
    let shared = Arc::clone(&collected);
    thread::spawn(move || {
        let mut answers = ["503 Service Unavailable"].into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody connects");
            let mut reader = BufReader::new(stream.try_clone().expect("it can be shared"));
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                assert_ne!(reader.read_line(&mut head).expect("a head comes"), 0);
                let line = head.get(start..).unwrap_or_default().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length is a number");
                }
            }
            assert!(head.starts_with("POST /logs HTTP/1.1\r\n"), "{head}");
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body comes");
            let status = answers.next().unwrap_or("204 No Content");
            if status.starts_with('2') {
                let body = String::from_utf8(body).expect("lines are text");
                let lines = body.lines().map(|line| serde_json::from_str(line).expect("JSON"));
                shared.lock().expect("nobody panics with it").extend(lines);
            }
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").expect("it is read");
        }
    });
    (port, collected)
}

#[test]
fn the_shipper_ships_to_a_collector_and_tries_again_what_that_did_not_take() {
    let (port, collected) = collector();
    let extensions = extensions();
    let options = with(&extensions).env("SHIP_TO", format!("http://127.0.0.1:{port}/logs"));
    let rapid = Rapid::serve(options);
    let mut event = rapid_e2e::event("print");
    event["text"] = "hello\n".into();
    let reply = rapid.invoke(event.to_string());
    rapid.wait_for_line("shipper: kept for later: ", DEADLINE);
    let shipped = eventually_some("the report is shipped", || {
        let events = collected.lock().expect("nobody panics with it").clone();
        (!of(&events, "platform.report").is_empty()).then_some(events)
    });
    let expected = [
        "initStart",
        "telemetrySubscription",
        "initRuntimeDone",
        "extension",
        "initReport",
        "start",
        "function",
        "runtimeDone",
        "report",
    ];
    assert_eq!(order(&shipped), expected);
    assert_eq!(of(&shipped, "function"), ["hello\n"]);
    assert_eq!(of(&shipped, "platform.report")[0]["requestId"], reply.request_id());
}

#[test]
fn one_invocation_is_shipped_whole_before_the_end() {
    let extensions = extensions();
    let file = extensions.path().with_extension("ndjson");
    let options = with(&extensions).env("SHIP_TO", &file);
    let mut event = rapid_e2e::event("print");
    event["text"] = "hello\n".into();
    let payload = event.to_string();
    let finished = run(&["invoke", "--payload", payload.as_str()], &options, b"");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let shipped = lines(&file);
    fs::remove_file(&file).expect("it is there");
    let last = order(&shipped).split_off(5);
    assert_eq!(last, ["start", "function", "runtimeDone", "report"], "{shipped:#?}");
}

#[test]
fn its_readme_shows_what_is_shipped() {
    let readme = fs::read_to_string(source("examples/extension-telemetry/README.md"));
    let readme = readme.expect("every example has a README");
    let command = readme.lines().find_map(|line| line.strip_prefix("rapid "));
    let words = command.expect("it says how to run it").replace('\'', "");
    let words: Vec<&str> = words.split_whitespace().collect();
    let bootstrap = words.last().expect("it names a function");
    assert!(readme.contains("\nln -sf ../debug/shipper target/extensions/shipper\n"));

    // In a directory that looks like the example's after its first steps.
    let copy = tempfile::tempdir().expect("a directory can be made");
    let (example, bash) = (copy.path().join("extension-telemetry"), copy.path().join("bash"));
    fs::create_dir_all(example.join("target/extensions")).expect("a directory can be made");
    symlink(source("examples/bash"), bash).expect("a link can be made");
    symlink(installed("rust/debug/shipper"), example.join("target/extensions/shipper"))
        .expect("a link can be made");
    let options = Options::new()
        .current_dir(&example)
        .env("SHIPPER_PORT", free_port().to_string())
        .command([bootstrap]);
    let until_command = words.iter().position(|word| *word == "--").expect("a command follows");
    let finished = run(words.get(..until_command).unwrap_or_default(), &options, b"");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let kinds = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("{\"time\":"));
        let kinds = lines.filter_map(|line| line.split("\"type\":\"").nth(1)?.split('"').next());
        kinds.map(ToOwned::to_owned).collect()
    };
    assert_eq!(kinds(&finished.stderr), kinds(&readme), "{finished:?}");
    assert_eq!(kinds(&readme).len(), 9);
    assert!(finished.stderr.contains(r#""type":"function","record":"greeting Ada\n"}"#));
}
