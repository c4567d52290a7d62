//! What is left of a function, and of thousands of invocations.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use rapid_e2e::processes::Process;
use rapid_e2e::{Connection, Options, Rapid, Request, event, eventually};
use serde_json::json;

/// Invokes the fixture so that it starts a child, and finds that.
#[track_caller]
fn grandchild(rapid: &Rapid, what: &str) -> Process {
    let reply = rapid.invoke(event(what).to_string());
    let pid = reply.text().parse().expect("the fixture answers with an id");
    Process::read(pid).expect("the child runs")
}

#[test]
fn children_of_the_runtime_are_gone_after_a_timeout() {
    for what in ["spawn-grandchild", "spawn-setsid-grandchild"] {
        let rapid = Rapid::serve(Options::fixture().timeout(1));
        let grandchild = grandchild(&rapid, what);
        rapid.expect_family(2);
        let reply = rapid.invoke(event("hang").to_string());
        assert_eq!(reply.function_error(), Some("Unhandled"));
        rapid.expect_echo();
        assert!(!grandchild.is_alive(), "{what}");
        rapid.expect_family(1);
    }
}

#[test]
fn children_of_the_runtime_are_gone_after_its_own_exit() {
    for what in ["spawn-grandchild", "spawn-setsid-grandchild"] {
        let rapid = Rapid::serve(Options::fixture());
        rapid.expect_echo();
        let reply = rapid.invoke(json!({"do": what, "then": "exit"}).to_string());
        assert_eq!(reply.function_error(), None, "{}", reply.text());
        rapid.report_of(&reply);
        rapid.expect_family(0);
        rapid.expect_echo();
        rapid.expect_family(1);
    }
}

#[test]
fn children_of_the_runtime_are_gone_after_it_was_killed_while_it_waited() {
    for what in ["spawn-grandchild", "spawn-setsid-grandchild"] {
        let rapid = Rapid::serve(Options::fixture());
        let grandchild = grandchild(&rapid, what);
        rapid.runtime().kill();
        eventually("its child has gone", || !grandchild.is_alive());
        rapid.expect_echo();
        rapid.expect_family(1);
    }
}

#[test]
fn a_child_stays_for_as_long_as_its_runtime() {
    let rapid = Rapid::serve(Options::fixture());
    let grandchild = grandchild(&rapid, "spawn-grandchild");
    for _ in 0..20 {
        rapid.expect_echo();
    }
    assert!(grandchild.is_alive());
}

#[test]
fn two_thousand_invocations_leave_nothing_behind() {
    let rapid = Rapid::serve(Options::fixture());
    let mut connection = rapid.to_invoke();
    let payload = json!({"do": "echo", "padding": "p".repeat(1000)}).to_string();
    let request = Request::post(&Rapid::invoke_path("function"), payload);
    let run = |connection: &mut Connection, count: usize| {
        for _ in 0..count {
            let reply = connection.exchange(&request).unwrap();
            assert_eq!((reply.status, reply.function_error()), (200, None));
        }
    };
    let look = || (rapid.descriptors(), rapid.threads(), rapid.family().len());
    run(&mut connection, 200);
    let (before, resident) = (look(), rapid.resident_kib());
    run(&mut connection, 2000);
    let grown = rapid.resident_kib().saturating_sub(resident);
    assert_eq!(look(), before);
    assert!(grown <= 2048, "{grown} KiB more for 2000 invocations");
}

#[test]
fn twenty_crashes_leave_nothing_behind() {
    let rapid = Rapid::serve(Options::fixture());
    let run = |count: usize| {
        for _ in 0..count {
            let reply = rapid.invoke(json!({"do": "exit", "code": 1}).to_string());
            assert_eq!(reply.function_error(), Some("Unhandled"));
            rapid.expect_echo();
        }
    };
    let look = || (rapid.descriptors(), rapid.threads(), rapid.family().len());
    run(3);
    rapid.expect_family(1);
    let before = look();
    run(20);
    eventually("everything is as before", || look() == before);
}
