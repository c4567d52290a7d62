//! What an X-Ray daemon receives.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rapid_events::{
    EventsApi as _, InvokeStartData, ReportData, ReportMetrics, Status, TracingCtx,
};
use rapid_interop::{InvokeErrorTraceData, RequestId};
use rapid_telemetry::xray::{XRayEvents, daemon_address};
use serde_json::Value;
use serde_json::value::RawValue;

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn daemon() -> (UdpSocket, XRayEvents) {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let variable = format!("tcp:127.0.0.1:1 udp:{}", daemon.local_addr().unwrap());
    let events = XRayEvents::connect(daemon_address(&variable).unwrap().parse().unwrap()).unwrap();
    (daemon, events)
}

fn request(id: &str) -> RequestId {
    RequestId::parse(id).unwrap()
}

fn start(id: &str, header: &str) -> InvokeStartData {
    InvokeStartData {
        request_id: request(id),
        version: None,
        function_arn: None,
        tenant_id: None,
        tracing: TracingCtx::sampled(header),
    }
}

fn report(id: &str) -> ReportData {
    ReportData {
        request_id: request(id),
        status: Some(Status::Success),
        error_type: None,
        metrics: ReportMetrics::default(),
        spans: Vec::new(),
        tenant_id: None,
        tracing: None,
    }
}

fn receive(daemon: &UdpSocket) -> Value {
    let mut datagram = vec![0; 65_536];
    let length = daemon.recv(&mut datagram).unwrap();
    let text = std::str::from_utf8(&datagram[..length]).unwrap();
    let (header, document) = text.split_once('\n').unwrap();
    assert_eq!(header, r#"{"format": "json", "version": 1}"#);
    serde_json::from_str(document).unwrap()
}

#[test]
fn a_sampled_invocation_is_one_datagram_and_others_are_none() {
    let (daemon, events) = daemon();
    for (id, header) in [
        ("without", ""),
        ("unsampled", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        ("malformed", "Root=nonsense;Sampled=1"),
        ("sampled", TRACE),
    ] {
        events.send_invoke_start(&start(id, header));
        events.send_report(&report(id));
    }
    assert_eq!((events.sent(), events.lost()), (1, 0));
    let segment = receive(&daemon);
    assert_eq!(segment["aws"]["request_id"], "sampled");
    assert_eq!(segment["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    // The header is the invoker's: the segment is a new one, below the invoker's.
    assert_eq!(segment["parent_id"], "53995c3f42cd8ad8");
    assert_ne!(segment["id"], "53995c3f42cd8ad8");
    assert_eq!(segment["subsegments"][0]["name"], "Invocation");
}

#[test]
fn the_largest_cause_is_left_out_when_it_does_not_fit_into_a_datagram() {
    let (daemon, events) = daemon();
    for (id, length) in [("fits", 60_000), ("too-long", 65_500)] {
        events.send_invoke_start(&start(id, TRACE));
        let cause = format!(r#"{{"message":"{}"}}"#, "m".repeat(length));
        let error_cause = Some(RawValue::from_string(cause).unwrap());
        events.send_error_cause(&request(id), &InvokeErrorTraceData { error_cause });
        events.send_report(&report(id));
        let segment = receive(&daemon);
        let message = segment["cause"]["exceptions"][0]["message"].as_str().unwrap();
        if id == "fits" {
            assert_eq!(message.len(), length);
        } else {
            assert_eq!(message, "the function reported an error");
        }
        assert_eq!(segment["fault"], true);
    }
    assert_eq!((events.sent(), events.lost()), (2, 0));
}

#[test]
fn a_daemon_that_is_gone_costs_nothing_but_the_segments() {
    let (daemon, events) = daemon();
    drop(daemon);
    for number in 0..100 {
        let id = format!("r-{number}");
        events.send_invoke_start(&start(&id, TRACE));
        events.send_report(&report(&id));
    }
    assert_eq!(events.sent() + events.lost(), 100);
    // The kernel tells of the refusal on loopback, if not for every datagram.
    assert!(events.lost() > 0);
}

#[test]
fn a_loss_that_the_network_tells_of_afterwards_is_counted_at_the_end() {
    let (daemon, events) = daemon();
    events.settle();
    assert_eq!(events.lost(), 0);
    drop(daemon);
    events.send_invoke_start(&start("r-1", TRACE));
    events.send_report(&report("r-1"));
    assert_eq!((events.sent(), events.lost()), (1, 0));
    let deadline = Instant::now() + Duration::from_secs(10);
    while events.lost() == 0 && Instant::now() < deadline {
        events.settle();
    }
    events.settle();
    assert_eq!(events.lost(), 1);
}

#[test]
fn a_daemon_that_reads_nothing_holds_nobody_up() {
    let (_daemon, events) = daemon();
    for number in 0..5_000 {
        let id = format!("r-{number}");
        events.send_invoke_start(&start(&id, TRACE));
        events.send_report(&report(&id));
    }
    assert_eq!(events.sent() + events.lost(), 5_000);
}
