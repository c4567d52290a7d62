//! Clients that are slow, rude, gone or many, while others want to be served.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rapid_e2e::{Connection, DEADLINE, Options, Rapid, Request, eventually};
use serde_json::json;

const NEXT: &str = "/2018-06-01/runtime/invocation/next";

#[test]
fn a_body_that_stops_coming_holds_nobody_up() {
    let rapid = Rapid::serve(Options::fixture());
    let mut stalled = Vec::new();
    for _ in 0..10 {
        let mut connection = rapid.to_invoke();
        let request = Request::post(&Rapid::invoke_path("function"), vec![b' '; 1000]);
        connection.write(&request.head()).unwrap();
        connection.write(b"{").unwrap();
        stalled.push(connection);
    }
    for _ in 0..20 {
        rapid.expect_echo();
    }
    // Whoever goes on after all is served too.
    let mut last = stalled.pop().unwrap();
    let mut rest = vec![b' '; 998];
    rest.push(b'}');
    last.write(&rest).unwrap();
    assert_eq!(last.receive().unwrap().body.len(), 1000);
}

#[test]
fn a_body_that_never_ends_is_cut_off_while_others_are_served() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let before = rapid.resident_kib();
    let address = rapid.invoke_address();
    let endless = thread::spawn(move || -> io::Result<(u16, usize)> {
        let mut connection = Connection::open(address)?;
        let head = Request::new("POST", &Rapid::invoke_path("function"))
            .header("Transfer-Encoding", "chunked");
        connection.write(&head.head())?;
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend(vec![b' '; 0x10000]);
        chunk.extend_from_slice(b"\r\n");
        let mut sent = 0;
        // Without a limit it would take a gigabyte.
        while sent < 1 << 30 && connection.write(&chunk).is_ok() {
            sent += 0x10000;
        }
        Ok((connection.receive().map_or(0, |reply| reply.status), sent))
    });
    while !endless.is_finished() {
        rapid.expect_echo();
    }
    let (status, sent) = endless.join().unwrap().unwrap();
    // A reset may overtake the reply.
    assert!(status == 413 || status == 0, "{status}");
    assert!(sent < 64 << 20, "{sent} bytes were read");
    let grown = rapid.resident_kib().saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB for a body of which 6 MiB may be kept");
    rapid.expect_echo();
}

#[test]
fn garbage_is_refused_on_both_ports_and_does_no_harm() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let garbage: [&[u8]; 7] = [
        b"\x00\x01\x02\xff\xfe garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ];
    for address in [rapid.invoke_address(), rapid.runtime_address()] {
        for bytes in garbage {
            let mut connection = Connection::open(address).unwrap();
            connection.write(bytes).unwrap();
            connection.finish_writing().unwrap();
            assert!(connection.closes_within(DEADLINE), "{bytes:?}");
            rapid.expect_echo();
        }
    }
}

#[test]
fn a_length_and_chunks_at_once_are_not_read_as_two_requests() {
    let rapid = Rapid::serve(Options::fixture());
    let mut connection = rapid.to_invoke();
    let path = Rapid::invoke_path("function");
    let smuggled = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n[9]");
    let body = format!("0\r\n\r\n{smuggled}");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        body.len()
    );
    connection.write((head + &body).as_bytes()).unwrap();
    connection.finish_writing().unwrap();
    let first = connection.receive().unwrap();
    // Either it is refused, or the chunks win and the rest is a request of its own or nothing;
    // what must not be is an event that is made of both.
    assert!(first.status == 400 || first.text() == "{}", "{first:?}");
    rapid.expect_echo();
}

#[test]
fn a_head_that_trickles_in_is_served_when_it_is_complete() {
    let rapid = Rapid::serve(Options::fixture());
    for (mut connection, request, expected) in [
        (rapid.to_invoke(), Request::post(&Rapid::invoke_path("function"), "[3]"), "[3]"),
        (rapid.to_runtime(), Request::get("/2018-06-01/ping"), "pong"),
    ] {
        let head = request.head();
        for (i, byte) in head.iter().enumerate() {
            connection.write(&[*byte]).unwrap();
            if i % 16 == 0 {
                rapid.expect_echo();
            }
        }
        connection.write(&request.body()).unwrap();
        assert_eq!(connection.receive().unwrap().text(), expected);
    }
}

#[test]
fn huge_headers_are_taken_by_the_runtime_api_and_refused_by_the_other() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let cause = "c".repeat(1 << 20);
    let mut runtime = rapid.to_runtime();
    let request = Request::post("/2018-06-01/runtime/invocation/x/error", "{}")
        .header("Lambda-Runtime-Function-XRay-Error-Cause", &cause);
    assert_eq!(runtime.exchange(&request).unwrap().status, 400, "an error of the id alone");
    let path = Rapid::invoke_path("function");
    let medium = Request::post(&path, "[1]").header("X-Amzn-Trace-Id", &"t".repeat(100_000));
    assert_eq!(rapid.to_invoke().exchange(&medium).unwrap().text(), "[1]");
    let mut invoker = rapid.to_invoke();
    let huge = Request::post(&path, "[1]").header("X-Huge", &"h".repeat(3 << 20));
    // The reply may come before everything was sent, and the connection is closed then.
    match invoker.send(&huge).and_then(|()| invoker.receive()) {
        Ok(reply) => assert_eq!(reply.status, 431),
        Err(error) => {
            let kind = error.kind();
            assert!(
                matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
                "{error}"
            );
        }
    }
    rapid.expect_echo();
}

#[test]
fn a_hundred_idle_connections_on_each_port_cost_nobody_anything() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let descriptors = rapid.descriptors();
    let idle: Vec<Connection> =
        (0..100).flat_map(|_| [rapid.to_invoke(), rapid.to_runtime()]).collect();
    for _ in 0..20 {
        rapid.expect_echo();
    }
    eventually("all are accepted", || rapid.descriptors() + 1 >= descriptors + idle.len());
    drop(idle);
    eventually("all are closed", || rapid.descriptors() <= descriptors + 1);
}

#[test]
fn connections_that_come_and_go_without_a_word_leave_nothing_behind() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let descriptors = rapid.descriptors();
    for _ in 0..200 {
        drop(rapid.to_invoke());
        drop(rapid.to_runtime());
    }
    rapid.expect_echo();
    eventually("all are closed", || rapid.descriptors() <= descriptors + 1);
    assert_eq!(rapid.stderr().lines().len(), 1, "{}", rapid.stderr().text());
}

#[test]
fn an_invoker_that_hangs_up_while_it_waits_is_taken_off_the_queue() {
    let rapid = Rapid::serve(Options::fixture());
    let running = rapid.invoke_in_background(json!({"do": "sleep", "ms": 300}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let mut waiting = rapid.to_invoke();
    let request = Request::post(&Rapid::invoke_path("function"), "[\"gone\"]");
    waiting.send(&request).unwrap();
    drop(waiting);
    assert_eq!(running.join().unwrap().unwrap().text(), "\"slept\"");
    let reply = rapid.expect_echo();
    rapid.report_of(&reply);
    assert_eq!(rapid.stdout().matching("START").len(), 2, "{}", rapid.stdout().text());
}

#[test]
fn an_invocation_goes_on_when_its_invoker_hangs_up() {
    let rapid = Rapid::serve(Options::fixture());
    let mut invoker = rapid.to_invoke();
    let payload = json!({"do": "sleep", "ms": 300}).to_string();
    invoker.send(&Request::post(&Rapid::invoke_path("function"), payload)).unwrap();
    let start = rapid.wait_for_line("START RequestId", DEADLINE);
    drop(invoker);
    let id = start.split(' ').nth(2).unwrap();
    let report = rapid.wait_for_line(&format!("REPORT RequestId: {id}"), DEADLINE);
    assert!(!report.contains("Status:"), "{report}");
    let duration: f64 =
        report.split("\tDuration: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(duration >= 300.0, "{report}");
    let next = rapid.report_of(&rapid.expect_echo());
    assert!(!next.contains("Init Duration"), "{next}");
}

#[test]
fn requests_that_are_sent_without_waiting_are_answered_in_order() {
    let rapid = Rapid::serve(Options::fixture());
    let mut connection = rapid.to_invoke();
    let mut all = Vec::new();
    for i in 0..5 {
        let request = Request::post(&Rapid::invoke_path("function"), format!("[{i}]"));
        all.extend(request.head());
        all.extend(request.body());
    }
    all.extend_from_slice(b"\x01 garbage at the end\r\n\r\n");
    connection.write(&all).unwrap();
    for i in 0..5 {
        assert_eq!(connection.receive().unwrap().text(), format!("[{i}]"));
    }
    assert!(connection.closes_within(DEADLINE));
    rapid.expect_echo();
}

#[test]
fn events_asked_for_twice_on_one_connection_are_answered_in_order() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]));
    rapid.runtime();
    let invoker = rapid.invoke_in_background("[1]");
    let mut runtime = rapid.to_runtime();
    let next = Request::get(NEXT).head();
    runtime.write(&[next.clone(), next].concat()).unwrap();
    let first = runtime.receive().unwrap();
    let second = runtime.receive().unwrap();
    assert_eq!((first.text(), second.text()), ("[1]".to_owned(), "[1]".to_owned()));
    let id = first.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    assert_eq!(runtime.exchange(&Request::post(&path, "[2]")).unwrap().status, 202);
    assert_eq!(invoker.join().unwrap().unwrap().text(), "[2]");
}

#[test]
fn an_invoker_that_does_not_read_its_response_holds_nobody_up() {
    let rapid = Rapid::serve(Options::fixture());
    let mut lazy = rapid.to_invoke();
    let payload = json!({"do": "respond-big", "size": 6 << 20}).to_string();
    lazy.send(&Request::post(&Rapid::invoke_path("function"), payload)).unwrap();
    rapid.wait_for_line("REPORT RequestId", DEADLINE);
    for _ in 0..10 {
        rapid.expect_echo();
    }
    assert_eq!(lazy.receive().unwrap().body.len(), 6 << 20);
}

#[test]
fn a_response_that_stops_coming_ends_with_the_timeout() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]).timeout(1));
    rapid.runtime();
    let invoker = rapid.invoke_in_background("{}");
    let mut runtime = rapid.to_runtime();
    let event = runtime.exchange(&Request::get(NEXT)).unwrap();
    let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    runtime.write(&Request::post(&path, "\"complete\"").head()).unwrap();
    runtime.write(b"\"incomp").unwrap();
    let begin = Instant::now();
    let reply = invoker.join().unwrap().unwrap();
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(runtime.closes_within(DEADLINE));
}

#[test]
fn connections_go_on_after_what_was_refused_on_them() {
    let rapid = Rapid::serve(Options::fixture());
    let path = Rapid::invoke_path("function");
    let mut invoker = rapid.to_invoke();
    for (request, status) in [
        (Request::post("/nowhere", vec![b'x'; 7 << 20]), 404),
        (Request::post(&Rapid::invoke_path("a%20b"), vec![b' '; 100_000]), 400),
        (Request::post(&path, vec![b'x'; 100_000]), 400),
        (Request::post_chunked("/nowhere", &[b"abc"], &[]), 404),
        (Request::new("PUT", &path), 405),
        (Request::post(&path, vec![b'0'; 7 << 20]), 413),
    ] {
        let reply = invoker.exchange(&request).unwrap();
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(invoker.exchange(&Request::post(&path, "[1]")).unwrap().text(), "[1]");
    }
    let mut runtime = rapid.to_runtime();
    let base = "/2018-06-01/runtime";
    for (request, status) in [
        (Request::post("/nowhere", vec![b'x'; 7 << 20]), 404),
        (Request::post(&format!("{base}/invocation/x/response"), vec![b'x'; 8 << 20]), 400),
        (Request::post(&format!("{base}/invocation/x/error"), vec![b'x'; 100_000]), 400),
        (Request::post(&format!("{base}/init/error"), vec![b'x'; 100_000]), 403),
        (Request::post(&format!("{base}/invocation/next"), vec![b'x'; 7 << 20]), 405),
        (Request::post("/2026-01-15/metadata/execution-environment", vec![b'x'; 100_000]), 405),
    ] {
        let reply = runtime.exchange(&request).unwrap();
        assert_eq!(reply.status, status, "{reply:?}");
        let ping = runtime.exchange(&Request::get("/2018-06-01/ping")).unwrap();
        assert_eq!(ping.text(), "pong");
    }
}

#[test]
fn clients_of_the_last_century_are_answered_and_left() {
    let rapid = Rapid::serve(Options::fixture());
    let mut invoker = rapid.to_invoke();
    let path = Rapid::invoke_path("function");
    invoker
        .write(format!("POST {path} HTTP/1.0\r\nContent-Length: 3\r\n\r\n[1]").as_bytes())
        .unwrap();
    assert_eq!(invoker.receive().unwrap().text(), "[1]");
    assert!(invoker.closes_within(DEADLINE));
    let mut runtime = rapid.to_runtime();
    runtime.write(b"GET /2018-06-01/ping HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(runtime.receive().unwrap().text(), "pong");
    assert!(runtime.closes_within(DEADLINE));
}
