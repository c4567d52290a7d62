//! From the command line to a function that can be invoked, and the ways in which that fails.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rapid_e2e::{DEADLINE, Finished, Options, Rapid, error_body, event, fixture_runtime, run};

/// Fails to start, and what invokers of either persona are told.
#[track_caller]
fn expect_launch_failure(options: &Options, error_type: &str, message: &str) {
    let rapid = Rapid::serve(options.clone());
    for _ in 0..2 {
        let reply = rapid.invoke("{}");
        Rapid::expect_failure(&reply, error_type, message);
        let report = rapid.report_of(&reply);
        assert!(report.contains(&format!("Status: error\tError Type: {error_type}")), "{report}");
    }
    rapid.stderr().wait_for(message, DEADLINE);
    rapid.expect_family(0);

    let emulator = Rapid::serve(options.clone().rie());
    let reply = emulator.invoke("{}");
    assert_eq!(reply.status, 502);
    assert_eq!(reply.text(), error_body(error_type, &reply.request_id(), message));
    emulator.term();
    assert_eq!(emulator.exit_code(DEADLINE), Some(0));
}

#[test]
fn a_command_that_is_missing_is_told_to_every_invoker() {
    let message = "fork/exec /nowhere/bootstrap: no such file or directory";
    let options = Options::new().command(["/nowhere/bootstrap"]);
    expect_launch_failure(&options, "Runtime.InvalidEntrypoint", message);
}

#[test]
fn a_word_that_is_on_no_path_is_told_to_every_invoker() {
    let message = "fork/exec no-such-word-anywhere: no such file or directory";
    let options = Options::new().command(["no-such-word-anywhere", "handler"]);
    expect_launch_failure(&options, "Runtime.InvalidEntrypoint", message);
}

#[test]
fn a_command_that_may_not_be_executed_is_told_to_every_invoker() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bootstrap");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let message = format!("fork/exec {}: permission denied", path.display());
    expect_launch_failure(&Options::new().command([&path]), "Runtime.InvalidEntrypoint", &message);
}

#[test]
fn a_command_that_is_a_directory_is_told_to_every_invoker() {
    let scratch = tempfile::tempdir().unwrap();
    let message = format!("fork/exec {}: permission denied", scratch.path().display());
    let options = Options::new().command([scratch.path()]);
    expect_launch_failure(&options, "Runtime.InvalidEntrypoint", &message);
}

#[test]
fn usual_places_without_a_bootstrap_are_named() {
    let message = "Couldn't find valid bootstrap(s): \
                   [/var/task/bootstrap /opt/bootstrap /var/runtime/bootstrap]";
    expect_launch_failure(&Options::new(), "Runtime.InvalidEntrypoint", message);
}

#[test]
fn a_working_directory_that_has_gone_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let gone = scratch.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let rapid = Rapid::serve(Options::fixture().flags(["--init", "lazy"]).current_dir(&gone));
    fs::remove_dir(&gone).unwrap();
    let message = format!("the working directory doesn't exist: {}", gone.display());
    Rapid::expect_failure(&rapid.invoke("{}"), "Runtime.InvalidWorkingDir", &message);
    fs::create_dir(&gone).unwrap();
    rapid.expect_echo();
}

#[test]
fn a_bootstrap_that_is_repaired_serves_the_next_invocation() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bootstrap");
    let rapid = Rapid::serve(Options::new().command([&path]));
    assert_eq!(rapid.invoke("{}").function_error(), Some("Unhandled"));
    std::os::unix::fs::symlink(fixture_runtime(), &path).unwrap();
    rapid.expect_echo();
}

#[test]
fn the_runtime_starts_before_the_first_invocation_unless_that_is_not_wanted() {
    let eager = Rapid::serve(Options::fixture());
    eager.runtime();
    let lazy = Rapid::serve(Options::fixture().flags(["--init=lazy"]));
    lazy.expect_family(0);
    assert_eq!(lazy.health(), "idle");
    lazy.expect_echo();
    lazy.expect_family(1);
}

#[test]
fn the_function_sees_its_settings_and_none_of_rapids_own() {
    let rapid = Rapid::serve(
        Options::fixture_that(["app.handler"])
            .flags(["--function-name", "hello", "--memory", "256", "--region", "eu-west-1"])
            .env("RAPID_QUEUE", "7")
            .env("MINE", "mine"),
    );
    let env = rapid.invoke(event("report-env").to_string()).json();
    let api = rapid.runtime_address().to_string();
    for (name, value) in [
        ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("_HANDLER", "app.handler"),
        ("MINE", "mine"),
    ] {
        assert_eq!(env[name], value, "{name}: {env}");
    }
    assert!(env["LAMBDA_TASK_ROOT"].is_string(), "{env}");
    assert!(env["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap().contains("/[$LATEST]"), "{env}");
    let own: Vec<_> = env.as_object().unwrap().keys().filter(|n| n.starts_with("RAPID_")).collect();
    assert!(own.is_empty(), "{own:?}");
    for absent in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(env[absent].is_null(), "{absent} was not set and must not be exported");
    }
}

// --- The command line ------------------------------------------------------------------------

#[track_caller]
fn expect_complaint(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    let line = finished.stderr.lines().next().expect("it complains");
    for word in words {
        assert!(line.contains(word), "'{word}' is missing in: {line}");
    }
}

#[test]
fn an_invoke_port_in_use_ends_it_with_one_helpful_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--address", &address, "--runtime-api-address", "127.0.0.1:0"];
    let finished = run(&[], &Options::fixture().flags(flags), b"");
    expect_complaint(&finished, 11, &["rapid: ", &address, "Invoke API", "--address", "port 0"]);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
}

#[test]
fn a_runtime_port_in_use_ends_it_with_one_helpful_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--address", "127.0.0.1:0", "--runtime-api-address", &address];
    let finished = run(&[], &Options::fixture().flags(flags), b"");
    let words = ["rapid: ", &address, "Runtime API", "--runtime-api-address", "port 0"];
    expect_complaint(&finished, 11, &words);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
}

#[test]
fn a_runtime_api_that_others_could_reach_is_refused() {
    let flags = ["--address", "127.0.0.1:0", "--runtime-api-address", "0.0.0.0:0"];
    let finished = run(&[], &Options::fixture().flags(flags), b"");
    expect_complaint(&finished, 2, &["0.0.0.0:0", "loopback", "--runtime-api-address"]);
}

#[test]
fn a_wrong_flag_is_told_with_its_value_and_what_is_allowed() {
    let cases: [(&[&str], &[&str]); 7] = [
        (&["--timeout", "soon"], &["--timeout", "'soon'", "whole number of seconds from 1"]),
        (&["--timeout", "0"], &["--timeout", "'0'", "whole number of seconds from 1"]),
        (&["--compat", "azure"], &["--compat", "'azure'", "aws or rie"]),
        (&["--address", "8080"], &["--address", "'8080'", "127.0.0.1:8080"]),
        (&["--runtime-api-address", "x:1"], &["--runtime-api-address", "'x:1'"]),
        (&["--log-level", "loud"], &["--log-level", "'loud'", "debug"]),
        (&["--threads", "65"], &["--threads", "'65'", "1 to 64"]),
    ];
    for (flags, words) in cases {
        expect_complaint(&run(flags, &Options::fixture(), b""), 2, words);
    }
    expect_complaint(&run(&["--nonsense"], &Options::fixture(), b""), 2, &["--nonsense"]);
    expect_complaint(
        &run(&["invoke", "--repeat", "0"], &Options::fixture(), b""),
        2,
        &["--repeat"],
    );
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    let options =
        Options::fixture().env("AWS_LAMBDA_FUNCTION_TIMEOUT", "-1").env("RAPID_MEMORY", "much");
    let finished = run(&[], &options, b"");
    expect_complaint(&finished, 2, &["AWS_LAMBDA_FUNCTION_TIMEOUT", "'-1'", "from 1"]);
    assert!(finished.stderr.contains("RAPID_MEMORY: 'much'"), "all at once: {}", finished.stderr);
}

#[test]
fn a_configuration_file_counts_and_flags_and_variables_beat_it() {
    let scratch = tempfile::tempdir().unwrap();
    let file = "function-name = \"from-file\"\nmemory = 512\nregion = \"eu-central-1\"\n";
    fs::write(scratch.path().join("rapid.toml"), file).unwrap();
    let rapid = Rapid::serve(
        Options::fixture()
            .current_dir(scratch.path())
            .env("RAPID_MEMORY", "1024")
            .flags(["--region", "eu-west-2"]),
    );
    let env = rapid.invoke(event("report-env").to_string()).json();
    assert_eq!(env["AWS_LAMBDA_FUNCTION_NAME"], "from-file");
    assert_eq!(env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "1024");
    assert_eq!(env["AWS_REGION"], "eu-west-2");
}

#[test]
fn a_configuration_file_that_makes_no_sense_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("some.toml");
    let name = path.to_str().unwrap();
    let with = |text: &str| {
        fs::write(&path, text).unwrap();
        run(&["--config", name], &Options::fixture(), b"")
    };
    expect_complaint(&with("tiemout = 3"), 2, &[name, "tiemout", "timeout"]);
    expect_complaint(&with("timeout = 'x'"), 2, &[name, "timeout", "'x'"]);
    expect_complaint(&with("timeout ="), 2, &[name]);
    fs::remove_file(&path).unwrap();
    expect_complaint(&run(&["--config", name], &Options::fixture(), b""), 2, &[name]);
}

#[test]
fn version_and_help_go_to_standard_output() {
    let version = run(&["--version"], &Options::new(), b"");
    assert_eq!((version.code, version.stderr.as_str()), (Some(0), ""));
    assert!(version.stdout.starts_with("rapid 0."), "{version:?}");
    for words in [&["--help"][..], &["invoke", "--help"], &["serve", "--help"]] {
        let help = run(words, &Options::new(), b"");
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        assert!(help.stdout.contains("--timeout <SECONDS>"), "{}", help.stdout);
    }
}

#[test]
fn the_announcement_names_the_addresses_that_port_0_has_become() {
    let rapid = Rapid::serve(Options::fixture());
    assert_ne!(rapid.invoke_address().port(), 0);
    assert_ne!(rapid.runtime_address().port(), 0);
    let reply = rapid.to_runtime().exchange(&rapid_e2e::Request::get("/2018-06-01/ping")).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "pong"));
}
