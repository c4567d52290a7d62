//! Many invokers at once, one function.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rapid_e2e::{Connection, DEADLINE, Options, Rapid, Request, event, eventually};
use serde_json::json;

#[test]
fn a_second_invocation_waits_for_the_first() {
    let rapid = Rapid::serve(Options::fixture());
    let first = rapid.invoke_in_background(json!({"do": "sleep", "ms": 300}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let begin = Instant::now();
    let second = rapid.expect_echo();
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
    let first = first.join().unwrap().unwrap();
    assert_eq!(first.text(), "\"slept\"");
    rapid.report_of(&second);
    let lines = rapid.stdout().lines();
    let at = |start: String| lines.iter().position(|line| line.starts_with(&start)).unwrap();
    let report = at(format!("REPORT RequestId: {}", first.request_id()));
    let start = at(format!("START RequestId: {}", second.request_id()));
    assert!(report < start, "{lines:#?}");
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    let rapid = Rapid::serve(Options::fixture());
    let first = rapid.invoke_in_background(json!({"do": "sleep", "ms": 300}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let mut waiting = Vec::new();
    let ids: Vec<String> =
        (0..8).map(|i| format!("0a1b2c3d-1111-4222-8333-44445555{i:04}")).collect();
    for id in &ids {
        // One event loop reads one connection after the other in the order of their events.
        let mut connection = rapid.to_invoke();
        let request =
            Request::post(&Rapid::invoke_path("function"), "{}").header("X-Amzn-RequestId", id);
        connection.send(&request).unwrap();
        rapid.health();
        waiting.push(connection);
    }
    first.join().unwrap().unwrap();
    for mut connection in waiting {
        assert_eq!(connection.receive().unwrap().text(), "{}");
    }
    // The answers may be quicker than the reading of the log.
    eventually("every START line is there", || rapid.stdout().matching("START").len() > ids.len());
    let starts = rapid.stdout().matching("START");
    let order: Vec<&str> = starts.iter().skip(1).map(|l| l.split(' ').nth(2).unwrap()).collect();
    assert_eq!(order, ids);
}

#[test]
fn more_than_may_wait_are_throttled() {
    let rapid = Rapid::serve(Options::fixture().flags(["--queue", "2"]));
    let running = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let (tell, told) = mpsc::channel();
    for i in 0..6 {
        let (tell, address) = (tell.clone(), rapid.invoke_address());
        thread::spawn(move || {
            let request = Request::post(&Rapid::invoke_path("function"), format!("[{i}]"));
            let reply = Connection::open(address).unwrap().exchange(&request).unwrap();
            tell.send((i, reply)).unwrap();
        });
    }
    // Two wait, whichever they are, so that four are answered at once.
    for _ in 0..4 {
        let (_, reply) = told.recv_timeout(DEADLINE).unwrap();
        let body = "{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\
                    \"message\":\"Rate Exceeded.\"}";
        assert_eq!((reply.status, reply.text().as_str()), (429, body));
        assert_eq!(reply.header("X-Amzn-ErrorType"), Some("TooManyRequestsException"));
    }
    rapid.runtime().kill();
    assert_eq!(running.join().unwrap().unwrap().function_error(), Some("Unhandled"));
    for _ in 0..2 {
        let (i, reply) = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!((reply.status, reply.text()), (200, format!("[{i}]")));
    }
    rapid.expect_echo();
}

#[test]
fn with_no_room_to_wait_one_at_a_time_is_served() {
    let rapid = Rapid::serve(Options::fixture().flags(["--queue", "0"]));
    for _ in 0..2 {
        // The runtime has to be back before there is room again.
        rapid.report_of(&rapid.expect_echo());
    }
    let running = rapid.invoke_in_background(event("hang").to_string());
    rapid.stdout().wait_for_nth("START RequestId", 3, DEADLINE);
    assert_eq!(rapid.invoke("{}").status, 429);
    rapid.runtime().kill();
    assert_eq!(running.join().unwrap().unwrap().function_error(), Some("Unhandled"));
}

#[test]
fn thirty_two_at_once_get_their_own_answer_each_exactly_once() {
    for flags in [&[][..], &["--threads", "4"]] {
        let rapid = Rapid::serve(Options::fixture().flags(flags));
        let address = rapid.invoke_address();
        let threads: Vec<_> = (0..32)
            .map(|invoker| {
                thread::spawn(move || {
                    let mut connection = Connection::open(address).unwrap();
                    for round in 0..5 {
                        let own = json!({"invoker": invoker, "round": round});
                        let path = Rapid::invoke_path("function");
                        let reply =
                            connection.exchange(&Request::post(&path, own.to_string())).unwrap();
                        assert_eq!((reply.status, reply.json()), (200, own));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        rapid.stdout().wait_for_nth("REPORT RequestId", 160, DEADLINE);
        assert_eq!(rapid.stdout().matching("START").len(), 160);
        rapid.expect_family(1);
    }
}
