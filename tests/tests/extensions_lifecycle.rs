//! Extensions beside invocations: those that behave, those that are slow, and those that fail.

use rapid_e2e::{
    DEADLINE, Extensions, Options, Rapid, Reply, epoch_ms, error_body, event, eventually,
    fixture_runtime, run,
};
use serde_json::{Value, json};

/// An extension of which only the first process does this, after it has registered for both
/// events; the next one serves.
fn at_first(body: &str) -> Extensions {
    let body = format!("register INVOKE SHUTDOWN\nif ((run < 2)); then\n{body}\nfi\nserve");
    Extensions::agent(&body)
}

fn serve(extensions: &Extensions) -> Rapid {
    Rapid::serve(Options::fixture().extensions(extensions))
}

/// What the `REPORT` line ends with.
#[track_caller]
fn expect_report(rapid: &Rapid, reply: &Reply, end: &str) {
    let report = rapid.report_of(reply);
    assert!(report.ends_with(end), "{report}");
}

/// The next invocation is served by a new environment, and says so.
#[track_caller]
fn expect_fresh_environment(rapid: &Rapid, extensions: &Extensions) {
    let report = rapid.report_of(&rapid.expect_echo());
    assert!(report.contains("\tInit Duration: ") && !report.contains("Status:"), "{report}");
    assert_eq!(extensions.runs("agent"), 2);
    // The extension, its `curl`, and the runtime.
    rapid.expect_family(3);
}

/// Where the line stands among those of standard output.
#[track_caller]
fn place(rapid: &Rapid, pattern: &str) -> usize {
    let lines = rapid.stdout().lines();
    let found = lines.iter().position(|line| line.contains(pattern));
    assert!(found.is_some(), "no {pattern} in {lines:#?}");
    found.unwrap_or_default()
}

// --- Those that behave -------------------------------------------------------------------------

#[test]
fn every_invocation_is_told_to_those_who_have_registered_for_it() {
    let watching = "while next; do note \"$event\"; done";
    let extensions = Extensions::none()
        .bash("both", &format!("register INVOKE SHUTDOWN; {watching}"))
        .bash("end", &format!("register SHUTDOWN; {watching}"))
        .bash("none", &format!("register; {watching}"));
    let rapid = serve(&extensions);
    let begun = epoch_ms();
    let replies = [(); 3].map(|()| rapid.expect_echo());
    rapid.report_of(&replies[2]);
    let now = epoch_ms();
    let told = extensions.notes("both");
    assert_eq!(told.len(), replies.len(), "{told:#?}");
    for (told, reply) in told.iter().zip(&replies) {
        let told: Value = serde_json::from_str(told).unwrap();
        assert_eq!(told["eventType"], "INVOKE");
        assert_eq!(told["requestId"], reply.request_id());
        let deadline = told["deadlineMs"].as_u64().unwrap();
        assert!((begun + 300_000..=now + 300_000).contains(&deadline), "{begun} {told} {now}");
    }
    assert_eq!([extensions.notes("end"), extensions.notes("none")], [[""; 0]; 2]);
}

#[test]
fn what_extensions_print_goes_to_standard_output_in_whole_lines() {
    let body = "echo one; echo two >&2; register INVOKE SHUTDOWN; next; echo three; next; \
                printf four; exit 0";
    let extensions = Extensions::agent(body);
    let rapid = serve(&extensions);
    let reply = rapid.expect_echo();
    rapid.report_of(&reply);
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    rapid.stdout().wait_for_end(DEADLINE);
    let mut lines = rapid.stdout().lines();
    assert_eq!(lines.len(), 8, "{lines:#?}");
    for (line, start) in
        lines.iter_mut().zip(["one", "two", "EXTENSION", "START", "three", "END", "REPORT", "four"])
    {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn one_invocation_from_the_command_line_prints_the_response_alone_on_standard_output() {
    let extensions = Extensions::agent("echo hello; register INVOKE SHUTDOWN; serve");
    let options = Options::fixture().extensions(&extensions).flags(["--payload", "[1]"]);
    let finished = run(&["invoke"], &options, b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "[1]\n"), "{finished:?}");
    assert!(finished.stderr.contains("hello\n"), "{finished:?}");
    assert_eq!(extensions.notes("agent").len(), 1, "it was told of the end");
}

#[test]
fn an_extension_sees_the_settings_but_nothing_that_is_meant_for_the_runtime() {
    let extensions = Extensions::agent(
        "tr '\\0' '\\n' </proc/$$/environ >\"$notes/environment\"; register; serve",
    );
    let mine = [("MINE", "mine"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let hidden = [
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "RAPID_QUEUE",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
        "_LAMBDA_TELEMETRY_LOG_FD",
        "_X_AMZN_TRACE_ID",
    ];
    let mut options = Options::fixture_that(["app.handler"]).extensions(&extensions);
    options = mine.into_iter().fold(options, |options, (name, value)| options.env(name, value));
    options = hidden.into_iter().fold(options, |options, name| options.env(name, "7"));
    let options = options.flags(["--function-name", "hello", "--memory", "256"]);
    let rapid = Rapid::serve(options.flags(["--region", "eu-west-1", "--tracing", "off"]));
    rapid.expect_echo();
    let environment = extensions.notes("environment");
    let value = |name: &str| {
        let found = environment.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned)
    };
    let api = rapid.runtime_address().to_string();
    let told = [
        ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    for (name, expected) in told.into_iter().chain(mine) {
        assert_eq!(value(name).as_deref(), Some(expected), "{name}: {environment:#?}");
    }
    assert!(value("PATH").is_some() && value("TZ").is_some(), "{environment:#?}");
    for name in hidden {
        assert_eq!(value(name), None, "{name}");
    }
    let underscored: Vec<_> = environment.iter().filter(|line| line.starts_with('_')).collect();
    assert!(underscored.is_empty(), "{underscored:?}");
}

#[test]
fn an_extension_runs_where_rapid_does() {
    let extensions = Extensions::agent("echo \"at $PWD\"; register; serve");
    let rapid = serve(&extensions);
    let here = rapid.scratch().canonicalize().unwrap();
    assert_eq!(rapid.wait_for_line("at ", DEADLINE), format!("at {}", here.display()));
}

// --- Those that are slow -----------------------------------------------------------------------

#[test]
fn a_response_does_not_wait_for_a_slow_extension_but_the_next_invocation_does() {
    let body = "register INVOKE; while next; do pass work; echo worked; done";
    let extensions = Extensions::agent(body);
    let options = Options::fixture().extensions(&extensions).flags(["--queue", "1"]);
    let rapid = Rapid::serve(options);
    let first = rapid.expect_echo();
    assert_eq!(rapid.health(), "invoking");
    // There is room for one of them; the other one tells when that is taken.
    let (one, other) = (rapid.invoke_in_background("[2]"), rapid.invoke_in_background("[2]"));
    eventually("one of them is refused", || one.is_finished() || other.is_finished());
    let (refused, second) = if one.is_finished() { (one, other) } else { (other, one) };
    assert_eq!(refused.join().unwrap().unwrap().status, 429);
    extensions.open("work");
    let second = second.join().unwrap().unwrap();
    assert_eq!((second.text().as_str(), second.function_error()), ("[2]", None));
    extensions.open("work");
    rapid.report_of(&second);
    let first = first.request_id();
    let worked = place(&rapid, "worked");
    assert!(worked < place(&rapid, &format!("END RequestId: {first}")));
    assert!(worked < place(&rapid, &format!("START RequestId: {}", second.request_id())));
}

#[test]
fn an_extension_that_hangs_leaves_the_response_alone_and_is_ended_with_the_timeout() {
    let extensions = at_first("next; pass forever");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).timeout(2));
    let reply = rapid.expect_echo();
    expect_report(&rapid, &reply, "Status: timeout");
    rapid.stderr().wait_for("have not come back from the invocation in time: agent;", DEADLINE);
    expect_fresh_environment(&rapid, &extensions);
}

#[test]
fn an_invocation_that_runs_into_its_timeout_ends_the_extensions_too() {
    let extensions = at_first("serve");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).timeout(2));
    let reply = rapid.invoke(event("hang").to_string());
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 2.00 seconds");
    expect_report(&rapid, &reply, "Status: timeout");
    expect_fresh_environment(&rapid, &extensions);
    assert_eq!(extensions.notes("agent").len(), 1, "it was told of the end");
}

// --- Those that fail ---------------------------------------------------------------------------

/// Ends while the runtime works: the invoker is told.
#[track_caller]
fn expect_crash(body: &str, error_type: &str, message: &str) {
    let extensions = at_first(body);
    let rapid = serve(&extensions);
    let reply = rapid.invoke(event("hang").to_string());
    Rapid::expect_failure(&reply, error_type, message);
    expect_report(&rapid, &reply, &format!("Status: error\tError Type: {error_type}"));
    expect_fresh_environment(&rapid, &extensions);
}

#[test]
fn an_exit_before_the_answer_is_told_to_the_invoker() {
    expect_crash("next; exit 1", "Extension.Crash", "exit status 1");
    expect_crash("next; exit 0", "Extension.Crash", "exit code 0");
}

#[test]
fn a_signal_before_the_answer_is_told_to_the_invoker() {
    expect_crash("next; kill -KILL $$", "Extension.Crash", "signal: killed");
    expect_crash("next; kill -TERM $$", "Extension.Crash", "signal: terminated");
}

#[test]
fn an_exit_error_and_an_exit_before_the_answer_are_told_to_the_invoker() {
    let body = "next; report exit Extension.Odd; exit 1";
    expect_crash(body, "Extension.ExitError", "exit status 1");
}

#[test]
fn an_exit_error_before_the_answer_of_one_that_stays_is_not_waited_for_for_ever() {
    let message = "the extension reported an error and did not exit";
    expect_crash("next; report exit Extension.Odd; pass forever", "Extension.ExitError", message);
}

#[test]
fn the_first_fatal_error_wins_over_a_later_exit_of_the_runtime() {
    let extensions = at_first("next; report exit Extension.Odd; open end; pass forever");
    // The first one ends once the extension has reported.
    let runtime = extensions.runtime(&format!(
        "if ((run < 2)); then
             curl -sS -o /dev/null \"$runtime_api/invocation/next\"; pass end; kill -KILL $$
         fi
         exec {}",
        fixture_runtime().display()
    ));
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    let reply = rapid.invoke("{}");
    let message = "Runtime exited with error: signal: killed";
    Rapid::expect_failure(&reply, "Extension.ExitError", message);
    expect_report(&rapid, &reply, "Status: error\tError Type: Extension.ExitError");
    expect_fresh_environment(&rapid, &extensions);
}

/// Ends after the runtime has answered: the answer stays as it is, and the report tells.
#[track_caller]
fn expect_crash_after_the_answer(body: &str, error_type: &str) {
    let extensions = at_first(&format!("next; pass end; {body}"));
    let rapid = serve(&extensions);
    let reply = rapid.expect_echo();
    extensions.open("end");
    expect_report(&rapid, &reply, &format!("Status: error\tError Type: {error_type}"));
    expect_fresh_environment(&rapid, &extensions);
}

#[test]
fn an_exit_after_the_answer_leaves_the_answer_alone() {
    expect_crash_after_the_answer("exit 1", "Extension.Crash");
    expect_crash_after_the_answer("exit 0", "Extension.Crash");
    expect_crash_after_the_answer("kill -KILL $$", "Extension.Crash");
}

#[test]
fn an_exit_error_after_the_answer_leaves_the_answer_alone() {
    expect_crash_after_the_answer("report exit Extension.Odd; exit 1", "Extension.ExitError");
    let body = "report exit Extension.Odd; pass forever";
    expect_crash_after_the_answer(body, "Extension.ExitError");
}

#[test]
fn one_that_ends_between_invocations_is_replaced_before_the_next_one() {
    for (body, words) in [("exit 0", "exit status 0"), ("kill -KILL $$", "signal: killed")] {
        let extensions = at_first(&format!("next; next & pass end; {body}"));
        let rapid = serve(&extensions);
        rapid.report_of(&rapid.expect_echo());
        extensions.open("end");
        let line = format!("the extension agent exited: {words}");
        rapid.stderr().wait_for(&line, DEADLINE);
        eventually("its end is dealt with", || rapid.health() == "idle");
        rapid.expect_family(0);
        expect_fresh_environment(&rapid, &extensions);
    }
}

#[test]
fn one_that_reports_an_exit_error_between_invocations_is_replaced_before_the_next_one() {
    for then in ["exit 1", "pass forever"] {
        let body = format!("next; next & pass end; report exit Odd; note reported; {then}");
        let extensions = at_first(&body);
        let rapid = serve(&extensions);
        rapid.report_of(&rapid.expect_echo());
        extensions.open("end");
        extensions.wait_for_note("agent");
        // It comes before the extension has gone, and does not meet it any more.
        expect_fresh_environment(&rapid, &extensions);
    }
}

#[test]
fn the_other_extensions_get_a_new_environment_too() {
    let body =
        |then: &str| format!("register INVOKE SHUTDOWN\nif ((run < 2)); then {then}; fi\nserve");
    let extensions =
        Extensions::none().bash("bad", &body("next; exit 9")).bash("good", &body("serve"));
    let rapid = serve(&extensions);
    let reply = rapid.invoke(event("hang").to_string());
    Rapid::expect_failure(&reply, "Extension.Crash", "exit status 9");
    rapid.expect_echo();
    assert_eq!((extensions.runs("bad"), extensions.runs("good")), (2, 2));
    let told: Value = serde_json::from_str(&extensions.wait_for_note("good")).unwrap();
    assert_eq!(told["shutdownReason"], "failure");
}

#[test]
fn twenty_crashes_of_an_extension_leave_nothing_behind() {
    let extensions = Extensions::agent("register INVOKE; next; exit 1");
    let rapid = serve(&extensions);
    let run = |count: usize| {
        for _ in 0..count {
            let reply = rapid.invoke(event("hang").to_string());
            Rapid::expect_failure(&reply, "Extension.Crash", "exit status 1");
        }
        rapid.expect_family(0);
    };
    let look = || (rapid.descriptors(), rapid.threads());
    run(3);
    let before = look();
    run(20);
    eventually("everything is as before", || look() == before);
}

#[test]
fn the_emulators_invokers_are_told_of_a_crash_too() {
    let extensions = at_first("next; exit 1");
    let rapid = Rapid::serve(Options::fixture().rie().extensions(&extensions));
    let reply = rapid.invoke(event("hang").to_string());
    assert_eq!(reply.status, 502);
    assert_eq!(reply.text(), error_body("Extension.Crash", &reply.request_id(), "exit status 1"));
    expect_fresh_environment(&rapid, &extensions);
}

#[test]
fn the_exit_code_of_an_invocation_tells_of_a_crash() {
    let extensions = Extensions::agent("register INVOKE; next; exit 1");
    let payload = json!({"do": "hang"}).to_string();
    let options = Options::fixture().extensions(&extensions).flags(["--payload", &payload]);
    let finished = run(&["invoke"], &options, b"");
    assert_eq!(finished.code, Some(5), "{finished:?}");
    assert!(finished.stdout.starts_with(r#"{"errorType":"Extension.Crash","#), "{finished:?}");
}
