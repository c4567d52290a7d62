//! The three tools together: small counts, and no expectation of time.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rapid_bench::Flags;
use rapid_bench::load::{self, Plan, Report};

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
fn an_extension_is_told_of_every_event_before_the_next_one() {
    let floor = Floor::with(&["--extension"]);
    assert_all_answered(&floor.load("--count 50 --connections 2"), 50);
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
