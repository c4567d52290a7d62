//! The end of an environment with extensions: who is told what, in which order, and who is killed.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use rapid_e2e::processes::Process;
use rapid_e2e::{DEADLINE, Extensions, Options, Rapid, epoch_ms, event, eventually};
use serde_json::Value;

/// What rapid says when extensions took all the time they had.
const OVERRAN: &str = "extensions did not exit within 2000 ms of the end and were killed";

/// A runtime in Bash that echoes, and writes down that it is asked to end.
const RUNTIME: &str = r#"
trap 'echo TERM >>"$notes/order"; kill "$curl"; exit 0' TERM
while :; do
    curl -sS -D "$notes/head" -o "$notes/event" "$runtime_api/invocation/next" & curl=$!
    wait "$curl"
    invocation=$(tr -d '\r' <"$notes/head" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
    curl -sS -o /dev/null -d "@$notes/event" "$runtime_api/invocation/$invocation/response"
done"#;

fn serve(extensions: &Extensions) -> Rapid {
    Rapid::serve(Options::fixture().extensions(extensions).flags(["--log-level", "debug"]))
}

/// Everything is gone, and that is what the exit code says.
#[track_caller]
fn expect_end(rapid: &Rapid, code: i32) {
    assert_eq!(rapid.exit_code(DEADLINE), Some(code), "{}", rapid.stderr().text());
    rapid.expect_family(0);
    rapid.stderr().wait_for_end(DEADLINE);
}

/// Whether extensions used up their time.
fn overran(rapid: &Rapid) -> bool {
    !rapid.stderr().matching(OVERRAN).is_empty()
}

// --- What they are told ------------------------------------------------------------------------

/// The end has this reason, and a deadline two seconds after something that was between the two.
#[track_caller]
fn expect_told(extensions: &Extensions, reason: &str, begun: u64) {
    let text = extensions.wait_for_note("agent");
    let now = epoch_ms();
    let told: Value = serde_json::from_str(&text).expect("an event is JSON");
    let deadline = told["deadlineMs"].as_u64().expect("an event has a deadline");
    assert!((begun + 2000..=now + 2000).contains(&deadline), "{begun} {told} {now}");
    let expected = format!(
        r#"{{"eventType":"SHUTDOWN","deadlineMs":{deadline},"shutdownReason":"{reason}"}}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn a_signal_is_told_as_spindown() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let rapid = serve(&extensions);
    rapid.expect_echo();
    let begun = epoch_ms();
    rapid.term();
    expect_told(&extensions, "spindown", begun);
    expect_end(&rapid, 0);
    assert!(!overran(&rapid), "it left by itself");
}

#[test]
fn a_timeout_is_told_as_timeout() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).timeout(1));
    let begun = epoch_ms();
    let reply = rapid.invoke(event("hang").to_string());
    assert_eq!(reply.function_error(), Some("Unhandled"));
    expect_told(&extensions, "timeout", begun + 1000);
}

#[test]
fn a_timeout_of_the_initialisation_is_told_as_timeout() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let options = Options::fixture_that(["never-next"]).extensions(&extensions);
    let begun = epoch_ms();
    let _rapid = Rapid::serve(options.flags(["--init-timeout", "2"]));
    expect_told(&extensions, "timeout", begun + 2000);
}

#[test]
fn an_exit_of_the_runtime_is_told_as_failure() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let rapid = serve(&extensions);
    let begun = epoch_ms();
    let reply = rapid.invoke(r#"{"do":"exit","code":1}"#);
    let message = "Runtime exited with error: exit status 1";
    Rapid::expect_failure(&reply, "Runtime.ExitError", message);
    expect_told(&extensions, "failure", begun);
    rapid.expect_echo();
}

#[test]
fn a_failed_initialisation_is_told_as_failure() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let begun = epoch_ms();
    let options = Options::fixture_that(["init-exit", "1"]).extensions(&extensions);
    let _rapid = Rapid::serve(options);
    expect_told(&extensions, "failure", begun);
}

#[test]
fn one_that_is_busy_is_told_when_it_asks_next() {
    let extensions = Extensions::agent("register INVOKE SHUTDOWN; next; pass work; serve");
    let runtime = extensions.runtime(RUNTIME);
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    let reply = rapid.invoke("[1]");
    assert_eq!(reply.text(), "[1]");
    let begun = epoch_ms();
    rapid.term();
    // The invocation is given up after the budget, and only then the runtime is asked to end.
    extensions.wait_for_note("order");
    extensions.open("work");
    expect_told(&extensions, "spindown", begun);
    expect_end(&rapid, 0);
    let report = rapid.report_of(&reply);
    assert!(!report.contains("Status:"), "it did its work: {report}");
}

#[test]
fn every_extension_is_told_at_the_same_time() {
    // Each waits for the other one before it leaves.
    let body = |own: &str, other: &str| {
        format!(
            "register SHUTDOWN; next; note \"$event\"; echo told >\"$notes/{own}.told\"
             until [[ -s $notes/{other}.told ]]; do sleep 0.01; done"
        )
    };
    let extensions =
        Extensions::none().bash("one", &body("one", "two")).bash("two", &body("two", "one"));
    let rapid = serve(&extensions);
    rapid.expect_echo();
    rapid.term();
    expect_end(&rapid, 0);
    assert!(!overran(&rapid), "nobody waited in vain");
    assert_eq!(extensions.notes("one"), extensions.notes("two"));
}

// --- In which order ----------------------------------------------------------------------------

#[test]
fn the_runtime_is_asked_to_end_before_the_extensions_are_told() {
    let extensions = Extensions::agent(
        "register INVOKE SHUTDOWN
         while next; do
             if [[ $event == *SHUTDOWN* ]]; then echo SHUTDOWN >>\"$notes/order\"; exit 0; fi
         done",
    );
    let runtime = extensions.runtime(RUNTIME);
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    assert_eq!(rapid.invoke("[1]").text(), "[1]");
    rapid.term();
    expect_end(&rapid, 0);
    assert_eq!(extensions.notes("order"), ["TERM", "SHUTDOWN"]);
}

#[test]
fn a_runtime_that_ignores_sigterm_is_gone_before_the_extensions_are_told() {
    let extensions = Extensions::agent(
        "register SHUTDOWN; next; if [[ -e /proc/$(<\"$notes/runtime\") ]]; then note there; \
         else note gone; fi; exit 0",
    );
    let runtime = extensions
        .runtime(&format!("trap '' TERM; echo $$ >\"$notes/runtime\"\n{}", loop_of_runtime()));
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    assert_eq!(rapid.invoke("[1]").text(), "[1]");
    rapid.term();
    expect_end(&rapid, 0);
    assert_eq!(extensions.notes("agent"), ["gone"]);
}

/// [`RUNTIME`] without its trap.
fn loop_of_runtime() -> &'static str {
    RUNTIME.trim_start().split_once('\n').map_or("", |(_trap, rest)| rest)
}

#[test]
fn a_runtime_beside_an_internal_extension_alone_is_asked_to_end_too() {
    let extensions = Extensions::none();
    let internal = "register_as inner INVOKE; (while next; do note \"$event\"; done) &";
    let runtime = extensions.runtime(&format!("{internal}\n{RUNTIME}"));
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    let reply = rapid.invoke("[1]");
    assert_eq!(reply.text(), "[1]");
    rapid.report_of(&reply);
    rapid.wait_for_line("EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]", DEADLINE);
    let told: Value = serde_json::from_str(&extensions.notes("bootstrap")[0]).unwrap();
    assert_eq!(
        (&told["eventType"], &told["requestId"]),
        (&"INVOKE".into(), &reply.request_id().into())
    );
    rapid.term();
    expect_end(&rapid, 0);
    assert_eq!(extensions.notes("order"), ["TERM"]);
    assert_eq!(extensions.notes("bootstrap").len(), 1, "it was told of the invocation alone");
}

// --- Who is killed -----------------------------------------------------------------------------

#[test]
fn one_that_is_told_and_stays_is_killed_at_the_deadline() {
    let extensions = Extensions::agent("register SHUTDOWN; next; note told; pass forever");
    let rapid = serve(&extensions);
    rapid.expect_echo();
    rapid.term();
    extensions.wait_for_note("agent");
    expect_end(&rapid, 0);
    assert!(overran(&rapid), "{}", rapid.stderr().text());
}

#[test]
fn one_that_never_asks_again_is_killed_at_the_deadline() {
    let extensions = Extensions::agent("register INVOKE SHUTDOWN; next; next & pass forever");
    let rapid = serve(&extensions);
    rapid.report_of(&rapid.expect_echo());
    rapid.term();
    expect_end(&rapid, 0);
    assert!(overran(&rapid), "{}", rapid.stderr().text());
}

#[test]
fn those_who_have_not_registered_for_the_end_are_killed_at_once() {
    // The one that is told leaves when the other one has gone.
    let extensions =
        Extensions::none().bash("killed", "echo $$ >\"$notes/pid\"; register INVOKE; serve").bash(
            "told",
            "register SHUTDOWN; next; while [[ -e /proc/$(<\"$notes/pid\") ]]; do sleep 0.01; \
             done; note alone",
        );
    let rapid = serve(&extensions);
    rapid.expect_echo();
    rapid.term();
    expect_end(&rapid, 0);
    assert_eq!(extensions.notes("told"), ["alone"]);
    assert_eq!(extensions.notes("killed"), [""; 0]);
    assert!(!overran(&rapid), "{}", rapid.stderr().text());
}

#[test]
fn a_second_signal_does_not_wait_for_the_deadline() {
    let extensions = Extensions::agent("register SHUTDOWN; next; note told; pass forever");
    let rapid = serve(&extensions);
    rapid.expect_echo();
    rapid.term();
    extensions.wait_for_note("agent");
    rapid.int();
    expect_end(&rapid, 0);
    assert!(!overran(&rapid), "{}", rapid.stderr().text());
}

#[test]
fn an_interrupt_tells_the_extensions_and_has_its_own_exit_code() {
    let extensions = Extensions::agent("register SHUTDOWN; serve");
    let rapid = serve(&extensions);
    rapid.expect_echo();
    let begun = epoch_ms();
    rapid.int();
    expect_told(&extensions, "spindown", begun);
    expect_end(&rapid, 130);
}

#[test]
fn a_signal_while_extensions_register_ends_it_too() {
    let extensions = Extensions::agent("echo up; pass forever");
    let rapid = serve(&extensions);
    rapid.wait_for_line("up", DEADLINE);
    rapid.term();
    expect_end(&rapid, 0);
}

// --- What is left ------------------------------------------------------------------------------

#[test]
fn children_of_extensions_are_gone_after_their_end() {
    let children = "sleep 3600 & setsid sleep 3600 & register INVOKE SHUTDOWN";
    for end in ["serve", "pass end; exit 0", "pass end; kill -KILL $$", "next & pass forever"] {
        let extensions = Extensions::agent(&format!("{children}; next; {end}"));
        let rapid = serve(&extensions);
        let reply = rapid.expect_echo();
        if end.starts_with("pass end") {
            extensions.open("end");
            rapid.report_of(&reply);
            rapid.expect_family(0);
        }
        rapid.term();
        expect_end(&rapid, 0);
    }
}

#[test]
fn nothing_of_an_extensions_group_survives_a_killed_rapid() {
    let extensions = Extensions::agent("sleep 3600 & note $!; register SHUTDOWN; serve");
    let rapid = serve(&extensions);
    let child = Process::read(extensions.wait_for_note("agent").parse().unwrap()).unwrap();
    rapid.expect_echo();
    let agent = rapid.child_called("agent");
    assert!(agent.is_alive() && child.is_alive());
    rapid.kill9();
    assert_eq!(rapid.exit_code(DEADLINE), None, "SIGKILL is no exit");
    eventually("the extension has gone", || !agent.is_alive());
    eventually("its child has gone", || !child.is_alive());
    rapid.expect_family(0);
}
