//! The end of rapid: asked for, interrupted, in the middle of something, by force.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rapid_e2e::processes::Process;
use rapid_e2e::{Connection, DEADLINE, Options, Rapid, Request, event, eventually};
use serde_json::json;

/// Ends it and says how long that took.
#[track_caller]
fn end(rapid: &Rapid, signal: fn(&Rapid), code: i32) -> Duration {
    let begin = Instant::now();
    signal(rapid);
    assert_eq!(rapid.exit_code(DEADLINE), Some(code), "{}", rapid.stderr().text());
    let took = begin.elapsed();
    rapid.expect_family(0);
    took
}

#[test]
fn sigterm_ends_it_at_once_when_it_is_idle() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let took = end(&rapid, Rapid::term, 0);
    assert!(took < Duration::from_millis(1500), "{took:?}");
    eventually("the guard has gone", || rapid.guard().is_none());
    assert!(Connection::open(rapid.invoke_address()).is_err());
}

#[test]
fn sigint_ends_it_with_the_code_of_an_interrupt() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    end(&rapid, Rapid::int, 130);
}

#[test]
fn a_terminal_that_goes_away_leaves_nothing_behind() {
    for signal in [Signal::SIGHUP, Signal::SIGQUIT] {
        let rapid = Rapid::serve(Options::fixture());
        let child: i32 = rapid
            .invoke(event("spawn-setsid-grandchild").to_string())
            .json()
            .as_i64()
            .and_then(|pid| pid.try_into().ok())
            .unwrap();
        rapid.signal(signal);
        assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{signal}");
        eventually("its child has gone", || {
            Process::read(child).is_none_or(|process| process.name != "fixture-runtime")
        });
    }
}

#[test]
fn a_signal_before_the_runtime_is_ready_ends_it_too() {
    for options in [Options::fixture_that(["never-next"]), Options::new()] {
        let rapid = Rapid::serve(options);
        let took = end(&rapid, Rapid::term, 0);
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}

#[test]
fn an_invocation_that_ends_within_the_budget_is_answered() {
    let rapid = Rapid::serve(Options::fixture());
    let waiting = rapid.invoke_in_background(json!({"do": "sleep", "ms": 700}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let took = end(&rapid, Rapid::term, 0);
    let reply = waiting.join().unwrap().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"slept\""));
    assert_eq!(reply.function_error(), None);
    assert!(took < Duration::from_millis(1900), "it does not wait for the rest: {took:?}");
    let report = rapid.report_of(&reply);
    assert!(!report.contains("Status:"), "{report}");
}

#[test]
fn an_invocation_that_takes_longer_than_the_budget_is_answered_with_an_error() {
    let rapid = Rapid::serve(Options::fixture().flags(["--shutdown-timeout", "1"]));
    let waiting = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let took = end(&rapid, Rapid::term, 0);
    let reply = waiting.join().unwrap().unwrap();
    let message = "the execution environment was shut down before the function answered";
    Rapid::expect_failure(&reply, "Sandbox.Failure", message);
    assert!(took >= Duration::from_millis(950), "the budget was given: {took:?}");
    assert!(took < Duration::from_millis(2500), "and no more: {took:?}");
    rapid.report_of(&reply);
}

#[test]
fn those_who_wait_their_turn_are_turned_away() {
    let rapid = Rapid::serve(Options::fixture());
    let running = rapid.invoke_in_background(json!({"do": "sleep", "ms": 500}).to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let mut waiting = rapid.to_invoke();
    waiting.send(&Request::post(&Rapid::invoke_path("function"), "{}")).unwrap();
    // Whoever is answered after it was read after it.
    rapid.health();
    end(&rapid, Rapid::term, 0);
    assert_eq!(running.join().unwrap().unwrap().text(), "\"slept\"");
    let turned_away = waiting.receive().unwrap();
    assert_eq!(turned_away.status, 500);
    assert_eq!(turned_away.header("X-Amzn-ErrorType"), Some("ServiceException"));
    assert!(turned_away.text().contains("shutting down"), "{}", turned_away.text());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let rapid = Rapid::serve(Options::fixture().flags(["--shutdown-timeout", "60"]));
    let waiting = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    rapid.term();
    eventually("it has begun to end", || Connection::open(rapid.invoke_address()).is_err());
    assert!(rapid.is_running());
    let took = end(&rapid, Rapid::int, 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(waiting.join().unwrap().unwrap().function_error(), Some("Unhandled"));
}

#[test]
fn a_budget_of_nothing_is_nothing() {
    let rapid = Rapid::serve(Options::fixture().flags(["--shutdown-timeout", "0"]));
    let waiting = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    let took = end(&rapid, Rapid::term, 0);
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(waiting.join().unwrap().unwrap().function_error(), Some("Unhandled"));
}

#[test]
fn open_connections_do_not_hold_the_end_up() {
    let rapid = Rapid::serve(Options::fixture());
    let mut connections = Vec::new();
    for _ in 0..5 {
        let mut used = rapid.to_invoke();
        let echo = Request::post(&Rapid::invoke_path("function"), "[1]");
        assert_eq!(used.exchange(&echo).unwrap().text(), "[1]");
        let mut half = rapid.to_invoke();
        half.write(b"POST /2015-03-31/func").unwrap();
        let mut body = rapid.to_invoke();
        let stalled = Request::post(&Rapid::invoke_path("function"), "{}");
        body.write(&stalled.head()).unwrap();
        connections.extend([used, half, body, rapid.to_runtime()]);
    }
    for _ in 0..5 {
        let mut parked = rapid.to_runtime();
        parked.send(&Request::get("/2018-06-01/runtime/invocation/next")).unwrap();
        connections.push(parked);
    }
    rapid.health();
    let took = end(&rapid, Rapid::term, 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_function_with_children_of_all_kinds_is_ended_with_them() {
    let rapid = Rapid::serve(Options::fixture_that(["ignore-term"]));
    rapid.invoke(event("spawn-grandchild").to_string());
    rapid.invoke(event("spawn-setsid-grandchild").to_string());
    rapid.expect_family(3);
    end(&rapid, Rapid::term, 0);
}

#[test]
fn nothing_of_the_functions_group_survives_a_killed_rapid() {
    let rapid = Rapid::serve(Options::fixture_that(["ignore-term"]));
    let grandchild: i32 =
        rapid.invoke(event("spawn-grandchild").to_string()).text().parse().unwrap();
    let grandchild = Process::read(grandchild).unwrap();
    let runtime = rapid.runtime();
    assert!(grandchild.is_alive() && runtime.is_alive());
    rapid.kill9();
    assert_eq!(rapid.exit_code(DEADLINE), None, "SIGKILL is no exit");
    eventually("the runtime has gone", || !runtime.is_alive());
    eventually("its child has gone", || !grandchild.is_alive());
    eventually("the guard has gone", || rapid.guard().is_none());
    rapid.expect_family(0);
}

#[test]
fn nothing_survives_a_rapid_that_is_killed_during_an_invocation() {
    let rapid = Rapid::serve(Options::fixture());
    let waiting = rapid.invoke_in_background(event("hang").to_string());
    rapid.wait_for_line("START RequestId", DEADLINE);
    rapid.kill9();
    assert!(waiting.join().unwrap().is_err(), "nobody is left to answer");
    rapid.expect_family(0);
}
