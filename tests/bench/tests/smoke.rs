//! The tools together: small counts, and no expectation of time.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rapid_bench::load::{self, Plan, Report};
use rapid_bench::relay::Relay;
use rapid_bench::runtime::FILLING;
use rapid_bench::subscriber::{self, Manner};
use rapid_bench::{Connection, Flags};

/// A relay with its runtime; it is killed when the test ends, and the runtime ends with it.
struct Floor {
    relay: Child,
    address: SocketAddr,
}

impl Floor {
    fn start() -> Self {
        Self::with(&["some", "handler"])
    }

    /// `words` are the runtime's.
    fn with(words: &[&str]) -> Self {
        let mut relay = Command::new(env!("CARGO_BIN_EXE_bench-relay"))
            .args(["--address", "127.0.0.1:0", "--runtime-api-address", "127.0.0.1:0", "--"])
            .arg(env!("CARGO_BIN_EXE_bench-runtime"))
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(relay.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { relay, address: line.trim().parse().unwrap() }
    }

    fn load(&self, words: &str) -> Report {
        let words = format!("--address {} {words}", self.address);
        let words = words.split_whitespace().map(str::to_owned);
        let flags = Flags::parse(words, &Plan::FLAGS).unwrap();
        load::run(&Plan::new(&flags).unwrap()).unwrap()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // A relay that is gone already has failed the test.
        let _ = self.relay.kill();
        let _ = self.relay.wait();
    }
}

fn assert_all_answered(report: &Report, count: usize) {
    assert_eq!((report.errors, report.first_error.as_deref()), (0, None));
    assert_eq!(report.latencies.len(), count);
    assert!(report.latencies.is_sorted());
}

#[test]
fn an_invocation_waits_for_the_extension_of_the_last_one() {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let relay = Relay::bind(here, here).unwrap();
    let (invokers, runtimes) = relay.addresses().unwrap();
    thread::spawn(|| relay.serve());
    let mut extension = Connection::connect(runtimes).unwrap();
    extension.send(b"POST /2020-01-01/extension/register HTTP/1.1\r\n\r\n", b"").unwrap();
    assert!(extension.receive().unwrap().is_some());
    let next = b"GET /2020-01-01/extension/event/next HTTP/1.1\r\n\r\n";
    extension.send(next, b"").unwrap();
    let mut runtime = Connection::connect(runtimes).unwrap();
    let mut invoker = Connection::connect(invokers).unwrap();
    for turn in 0..2 {
        runtime.send(b"GET /next HTTP/1.1\r\n\r\n", b"").unwrap();
        invoker.send(b"POST /invocations HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"{}").unwrap();
        if turn == 1 {
            // Nothing may come yet; what came too early would be there within this time.
            let patience = Some(Duration::from_millis(50));
            runtime.stream().set_read_timeout(patience).unwrap();
            assert!(runtime.receive().is_err());
            runtime.stream().set_read_timeout(None).unwrap();
            extension.send(next, b"").unwrap();
        }
        assert!(runtime.receive().unwrap().is_some());
        let told = extension.receive().unwrap().unwrap();
        assert_eq!(extension.body(&told), br#"{"eventType":"INVOKE"}"#);
        runtime.send(b"POST /response HTTP/1.1\r\nContent-Length: 4\r\n\r\n", b"done").unwrap();
        assert!(runtime.receive().unwrap().is_some());
        let answer = invoker.receive().unwrap().unwrap();
        assert_eq!(invoker.body(&answer), b"done");
    }
}

#[test]
fn the_benchs_runtime_registers_its_extension() {
    let floor = Floor::with(&["--extension"]);
    assert_all_answered(&floor.load("--count 50 --connections 2"), 50);
}

#[test]
fn the_benchs_runtime_streams_whole_pieces() {
    let floor = Floor::with(&["--stream", "131072"]);
    let mut invoker = Connection::connect(floor.address).unwrap();
    for _ in 0..2 {
        invoker.send(b"POST /invocations HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"{}").unwrap();
        let answer = invoker.receive().unwrap().unwrap();
        assert_eq!(invoker.body(&answer), [FILLING; 131_072]);
    }
}

#[test]
fn small_and_large_payloads_come_back_on_one_connection() {
    let floor = Floor::start();
    assert_all_answered(&floor.load("--count 50 --warm-up 10"), 50);
    assert_all_answered(&floor.load("--count 3 --bytes 6291456"), 3);
}

#[test]
fn four_connections_share_the_requests() {
    let floor = Floor::start();
    assert_all_answered(&floor.load("--count 103 --connections 4 --warm-up 9"), 103);
    assert_all_answered(&floor.load("--count 9 --connections 4 --bytes 1048576"), 9);
}

#[test]
fn the_load_generator_prints_what_it_measured() {
    let floor = Floor::start();
    let output = Command::new(env!("CARGO_BIN_EXE_bench-load"))
        .args(["--address", &floor.address.to_string(), "--count", "5"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.starts_with("{\"count\":5,\"errors\":0,"), "{text}");
}

#[test]
fn a_target_that_is_gone_is_in_the_report() {
    let floor = Floor::start();
    let address = floor.address;
    drop(floor);
    let output = Command::new(env!("CARGO_BIN_EXE_bench-load"))
        .args(["--address", &address.to_string(), "--count", "5", "--connections", "2"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("{\"count\":0,\"errors\":2,\"first_error\":"), "{text}");
}

/// What a subscriber answers to a batch, its first line; nothing when it does not answer.
fn answered(manner: Manner) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connection = Connection::connect(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || subscriber::serve(&listener, manner));
    connection.send(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"[]").unwrap();
    // Too short for a slow one; what came all the same would be there within this time.
    connection.set_patience(Duration::from_millis(500)).unwrap();
    let answer = connection.receive().ok()??;
    Some(connection.first_line(&answer))
}

#[test]
fn subscribers_are_as_good_as_their_names() {
    assert_eq!(answered(Manner::Good).as_deref(), Some("HTTP/1.1 200 OK"));
    assert_eq!(answered(Manner::Garbage).as_deref(), Some("what?"));
    for manner in [Manner::Slow, Manner::Silent, Manner::Endless] {
        assert_eq!(answered(manner), None, "{manner:?}");
    }
}
