//! Extensions that fail while the function is initialised, in every way, and what the log, the
//! invoker and the next invocation get.

use std::fs;
use std::os::unix::fs::symlink;

use rapid_e2e::{DEADLINE, Extensions, Options, Rapid, error_body, run};

/// What an extension does from the third time on, after it has failed on its own and again inside
/// an invocation.
const THEN: &str = "register INVOKE; serve";

/// Fails twice: the invoker is told, and the next one does not notice anything.
#[track_caller]
fn expect_init_failure(extensions: &Extensions, error_type: &str, message: &str) {
    let rapid = Rapid::serve(Options::fixture().extensions(extensions));
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, error_type, message);
    let report = rapid.report_of(&reply);
    assert!(report.ends_with(&format!("Status: error\tError Type: {error_type}")), "{report}");
    let again = rapid.report_of(&rapid.expect_echo());
    assert!(again.contains("\tInit Duration: ") && !again.contains("Status:"), "{again}");
}

/// As [`expect_init_failure`], for one in Bash that does this the first two times.
#[track_caller]
fn expect_failing_agent(body: &str, error_type: &str, message: &str) {
    let body = format!("if ((run < 3)); then\n{body}\nfi\n{THEN}");
    expect_init_failure(&Extensions::agent(&body), error_type, message);
}

// --- Those that end ----------------------------------------------------------------------------

#[test]
fn an_exit_before_it_has_registered_is_a_crash() {
    expect_failing_agent("exit 1", "Extension.Crash", "exit status 1");
    expect_failing_agent("exit 0", "Extension.Crash", "exit code 0");
    expect_failing_agent("kill -KILL $$", "Extension.Crash", "signal: killed");
}

#[test]
fn an_exit_after_it_has_registered_is_a_crash() {
    expect_failing_agent("register INVOKE; exit 3", "Extension.Crash", "exit status 3");
    expect_failing_agent("register INVOKE; exit 0", "Extension.Crash", "exit code 0");
    let body = "register INVOKE SHUTDOWN; kill -SEGV $$";
    expect_failing_agent(body, "Extension.Crash", "signal: segmentation fault");
}

#[test]
fn an_exit_while_the_runtime_initialises_is_a_crash() {
    let body = "register INVOKE; next & pass exit; exit 7";
    let extensions = Extensions::agent(body);
    let options = Options::fixture_that(["print", "runtime is up", "never-next"]);
    let rapid = Rapid::serve(options.extensions(&extensions));
    let waiting = rapid.invoke_in_background("{}");
    rapid.wait_for_line("runtime is up", DEADLINE);
    extensions.open("exit");
    rapid.stdout().wait_for_nth("runtime is up", 2, DEADLINE);
    extensions.open("exit");
    let reply = waiting.join().unwrap().unwrap();
    Rapid::expect_failure(&reply, "Extension.Crash", "exit status 7");
    let line = "the extension agent exited while the function was initialised: exit status 7";
    rapid.stderr().wait_for(line, DEADLINE);
}

#[test]
fn one_that_fails_once_is_tried_again_and_nobody_notices() {
    let extensions = Extensions::agent(&format!("if ((run < 2)); then exit 1; fi\n{THEN}"));
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let report = rapid.report_of(&rapid.expect_echo());
    assert!(!report.contains("Status:"), "{report}");
    let failed = rapid.wait_for_line("INIT_REPORT", DEADLINE);
    assert!(failed.ends_with("Status: error\tError Type: Extension.Crash"), "{failed}");
    let states = rapid.stdout().matching("EXTENSION\t");
    let expected = ["State: Started\tEvents: []", "State: Ready\tEvents: [INVOKE]"];
    assert_eq!(states, expected.map(|state| format!("EXTENSION\tName: agent\t{state}")));
}

#[test]
fn the_emulators_invokers_are_told_too() {
    let extensions = Extensions::agent("exit 1");
    let rapid = Rapid::serve(Options::fixture().rie().extensions(&extensions));
    let reply = rapid.invoke("{}");
    assert_eq!(reply.status, 502);
    assert_eq!(reply.text(), error_body("Extension.Crash", &reply.request_id(), "exit status 1"));
    rapid.report_of(&reply);
    assert_eq!(rapid.stdout().matching("EXTENSION"), [""; 0]);
}

#[test]
fn the_exit_code_of_an_invocation_tells_of_a_failed_initialisation() {
    let extensions = Extensions::agent("exit 1");
    let finished = run(&["invoke"], &Options::fixture().extensions(&extensions), b"");
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stdout.starts_with(r#"{"errorType":"Extension.Crash","#), "{finished:?}");
}

// --- Those that report -------------------------------------------------------------------------

#[test]
fn an_init_error_and_an_exit_give_the_invoker_the_kind_of_the_one_and_the_words_of_the_other() {
    let body = "register INVOKE; report init Extension.Odd; exit 1";
    expect_failing_agent(body, "Extension.InitError", "exit status 1");
    let body = "register; report init Extension.Odd; exit 0";
    expect_failing_agent(body, "Extension.InitError", "exit code 0");
}

#[test]
fn an_exit_error_before_the_first_event_counts_as_one() {
    let body = "register INVOKE; report exit Extension.Odd; exit 2";
    expect_failing_agent(body, "Extension.ExitError", "exit status 2");
}

#[test]
fn an_init_error_of_one_that_stays_is_not_waited_for_for_ever() {
    let body = "register INVOKE; report init Extension.Odd; sleep 3600";
    let message = "the extension reported an error and did not exit";
    expect_failing_agent(body, "Extension.InitError", message);
}

#[test]
fn an_exit_error_before_the_first_event_of_one_that_stays_is_not_waited_for_for_ever() {
    let body = "register INVOKE; report exit Extension.Odd; sleep 3600";
    let message = "the extension reported an error and did not exit";
    expect_failing_agent(body, "Extension.ExitError", message);
}

#[test]
fn what_it_called_its_error_is_logged() {
    let extensions = Extensions::agent("register; report init Extension.Odd; exit 1");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    rapid.stderr().wait_for("extension agent could not initialise: Extension.Odd", DEADLINE);
    let line = rapid.wait_for_line("EXTENSION\tName: agent", DEADLINE);
    assert!(line.ends_with("State: InitError\tEvents: []\tError Type: Extension.Odd"), "{line}");
}

#[test]
fn the_first_fatal_error_wins_over_the_exit_of_the_runtime() {
    let body = "register INVOKE; report init Extension.Odd; open exit; pass forever";
    let extensions = Extensions::agent(body);
    // It exits once the extension has reported.
    let runtime = extensions.runtime("pass exit; exit 4");
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    let reply = rapid.invoke("{}");
    let message = "Runtime exited with error: exit status 4";
    Rapid::expect_failure(&reply, "Extension.InitError", message);
}

#[test]
fn an_init_error_of_an_internal_extension_counts_as_one() {
    let extensions = Extensions::none();
    let runtime = extensions.runtime("register_as inner INVOKE; report init Odd; exit 5");
    let rapid = Rapid::serve(Options::new().command([runtime]).extensions(&extensions));
    let message = "Runtime exited with error: exit status 5";
    Rapid::expect_failure(&rapid.invoke("{}"), "Extension.InitError", message);
    let line = rapid.wait_for_line("EXTENSION\tName: inner", DEADLINE);
    assert!(line.ends_with("State: InitError\tEvents: [INVOKE]\tError Type: Odd"), "{line}");
}

// --- Those that do not come --------------------------------------------------------------------

#[test]
fn one_that_never_registers_is_named_and_holds_the_invocation_up_until_its_timeout() {
    let extensions = Extensions::none()
        .bash("lazy", "echo lazy is up; sleep 3600")
        .bash("prompt", "register; serve");
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "2"]);
    let rapid = Rapid::serve(options.timeout(1));
    let first = rapid.stderr().wait_for("have not registered yet: lazy;", DEADLINE);
    let last = rapid.stderr().wait_for("have not registered in time: lazy;", DEADLINE);
    for (line, level) in [(first, " WARN "), (last, " ERROR ")] {
        assert!(line.contains(level), "{line}");
        assert!(
            line.contains("/2020-01-01/extension/register under the name of its file"),
            "{line}"
        );
    }
    let line = rapid.wait_for_line("INIT_REPORT", DEADLINE);
    assert!(line.ends_with("Phase: init\tStatus: timeout"), "{line}");

    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    assert!(rapid.report_of(&reply).ends_with("Status: timeout"));
    assert_eq!(rapid.stdout().matching("lazy is up").len(), 2);
    let states = rapid.stdout().matching("EXTENSION\tName: lazy\t");
    assert_eq!(states, ["EXTENSION\tName: lazy\tState: Started\tEvents: []"; 2]);
}

#[test]
fn one_that_registers_only_when_it_is_tried_again_is_waited_for_inside_the_invocation() {
    let extensions = Extensions::agent(&format!("if ((run < 2)); then sleep 3600; fi\n{THEN}"));
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "1"]);
    let rapid = Rapid::serve(options);
    let report = rapid.report_of(&rapid.expect_echo());
    assert!(!report.contains("Status:"), "{report}");
    rapid.wait_for_line("Phase: init\tStatus: timeout", DEADLINE);
}

#[test]
fn one_that_never_asks_for_an_event_is_named() {
    let extensions = Extensions::agent("register INVOKE; sleep 3600");
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "2"]);
    let rapid = Rapid::serve(options.timeout(1));
    rapid.stderr().wait_for("have not asked for an event yet: agent;", DEADLINE);
    let last = rapid.stderr().wait_for("have not asked for an event in time: agent;", DEADLINE);
    assert!(
        last.contains(" ERROR ") && last.contains("/2020-01-01/extension/event/next"),
        "{last}"
    );
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
}

#[test]
fn one_that_registers_under_another_name_is_told_of_with_both_names() {
    let extensions = Extensions::agent("register_as agnet INVOKE; echo \"as $id\"; serve");
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "2"]);
    let rapid = Rapid::serve(options.timeout(1));
    let warning = rapid.stderr().wait_for("'agnet' registered", DEADLINE);
    assert!(warning.contains(" WARN "), "{warning}");
    assert!(warning.contains("agent has not registered"), "{warning}");
    assert!(warning.contains("has to use the name of its file"), "{warning}");
    // It was accepted all the same.
    assert_eq!(rapid.wait_for_line("as ", DEADLINE).len(), "as ".len() + 36);
    rapid.stderr().wait_for("have not registered in time: agent;", DEADLINE);
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
}

// --- Those that cannot be started --------------------------------------------------------------

/// Fails every time, with the OS's words for the file `agent`.
#[track_caller]
fn expect_launch_failure(extensions: &Extensions, message: &str, kind: &str) {
    let rapid = Rapid::serve(Options::fixture().extensions(extensions));
    let message = format!("fork/exec {}: {message}", extensions.path("agent").display());
    for _ in 0..2 {
        let reply = rapid.invoke("{}");
        Rapid::expect_failure(&reply, "Extension.LaunchError", &message);
        let report = rapid.report_of(&reply);
        assert!(report.ends_with("Status: error\tError Type: Extension.LaunchError"), "{report}");
    }
    rapid.stderr().wait_for(&format!("extension agent could not be started: {message}"), DEADLINE);
    let line = rapid.wait_for_line("EXTENSION\tName: agent\t", DEADLINE);
    let expected = format!("\tState: LaunchError\tEvents: []\tError Type: {kind}");
    assert!(line.ends_with(&expected), "{line}");
    rapid.expect_family(0);
}

#[test]
fn a_file_that_may_not_be_executed_is_a_launch_error() {
    let extensions = Extensions::none().file("agent", "#!/bin/sh\n", 0o644);
    expect_launch_failure(&extensions, "permission denied", "PermissionDenied");
}

#[test]
fn a_file_with_a_broken_interpreter_is_a_launch_error() {
    let extensions = Extensions::none().file("agent", "#!/nowhere/bash\n", 0o755);
    let message = "no such file or directory (is its interpreter, /nowhere/bash, there?)";
    expect_launch_failure(&extensions, message, "UnknownError");
}

#[test]
fn an_empty_file_is_a_launch_error() {
    let extensions = Extensions::none().file("agent", "", 0o755);
    expect_launch_failure(&extensions, "exec format error", "UnknownError");
}

#[test]
fn a_link_that_leads_nowhere_is_a_launch_error() {
    let extensions = Extensions::none();
    symlink("/nowhere/at/all", extensions.path("agent")).unwrap();
    expect_launch_failure(&extensions, "no such file or directory", "UnknownError");
}

#[test]
fn a_launch_error_ends_those_that_were_started_before() {
    let extensions = Extensions::none()
        .bash("a good one", "register INVOKE SHUTDOWN; serve")
        .file("agent", "", 0o644)
        .bash("later", "echo later runs; register; serve");
    expect_launch_failure(&extensions, "permission denied", "PermissionDenied");
}

#[test]
fn a_directory_among_the_files_is_passed_over() {
    let extensions = Extensions::agent("register; serve");
    let library = extensions.path("lib");
    fs::create_dir(&library).unwrap();
    fs::copy(extensions.path("agent"), library.join("agent2")).expect("a file can be copied");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    rapid.report_of(&rapid.expect_echo());
    let started = rapid.stdout().matching("EXTENSION\t");
    assert_eq!(started, ["EXTENSION\tName: agent\tState: Ready\tEvents: []"]);
}

#[test]
fn ten_extensions_are_started_in_the_order_of_their_names() {
    let names: Vec<String> = (0..10).map(|i| format!("agent {i}")).collect();
    let write = |all: Extensions, name: &String| all.bash(name, "register INVOKE; serve");
    let extensions = names.iter().rev().fold(Extensions::none(), write);
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    rapid.report_of(&rapid.expect_echo());
    let expected: Vec<String> = names
        .iter()
        .map(|name| format!("EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE]"))
        .collect();
    assert_eq!(rapid.stdout().matching("EXTENSION\t"), expected);
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    rapid.expect_family(0);
}

#[test]
fn an_eleventh_file_is_one_too_many_for_all_of_them() {
    let write = |all: Extensions, i: usize| all.mute(&format!("agent {i:02}"));
    let extensions = (0..11).fold(Extensions::none(), write);
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let reply = rapid.invoke("{}");
    Rapid::expect_failure(&reply, "Extension.LaunchError", "ErrTooManyExtensions");
    rapid.report_of(&reply);
    rapid.stderr().wait_for("the extension agent 10 is one too many: there may be 10", DEADLINE);
    let states = rapid.stdout().matching("EXTENSION\t");
    let (last, ten) = states[..11].split_last().expect("eleven of them");
    assert!(ten.iter().all(|line| line.contains("\tState: Started\t")), "{states:#?}");
    let expected = "agent 10\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions";
    assert!(last.ends_with(expected), "{last}");
    rapid.expect_family(0);
    // Without the files, the next one is served.
    fs::remove_dir_all(extensions.directory()).unwrap();
    rapid.expect_echo();
}
