//! What the function prints, and what the platform prints between it.

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, event, figure};
use serde_json::json;

/// The lines of the fixture's `print-lines` on one of its outputs.
fn printed(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{name} {i:05} {}.", "-".repeat(i % 97))).collect()
}

/// The lines that begin with `name`, in the order in which they came.
fn lines_of(rapid: &Rapid, name: &str) -> Vec<String> {
    let start = format!("{name} ");
    let mut lines = rapid.stdout().lines();
    lines.retain(|line| line.starts_with(&start));
    lines
}

fn is_platforms(line: &str) -> bool {
    ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "]
        .iter()
        .any(|start| line.starts_with(start))
}

#[test]
fn ten_thousand_lines_on_both_outputs_come_whole_and_before_the_report() {
    let rapid = Rapid::serve(Options::fixture());
    let reply = rapid.invoke(json!({"do": "print-lines", "count": 5000}).to_string());
    assert_eq!(reply.text(), "\"printed\"");
    rapid.report_of(&reply);
    assert!(lines_of(&rapid, "out") == printed("out", 5000), "lines are lost or torn");
    assert!(lines_of(&rapid, "err") == printed("err", 5000), "lines are lost or torn");
    let lines = rapid.stdout().lines();
    assert_eq!(lines.len(), 10_003);
    assert!(lines[0].starts_with("START "), "{}", lines[0]);
    assert!(lines[10_001].starts_with("END "), "{}", lines[10_001]);
    assert!(lines[10_002].starts_with("REPORT "), "{}", lines[10_002]);
}

#[test]
fn the_last_line_counts_even_without_its_end() {
    let rapid = Rapid::serve(Options::fixture());
    let event = json!({"do": "print-and-exit", "text": "one\ntwo", "code": 1});
    let reply = rapid.invoke(event.to_string());
    rapid.report_of(&reply);
    let lines = rapid.stdout().lines();
    let (start, rest) = lines.split_first().unwrap();
    assert!(start.starts_with("START "), "{start}");
    assert_eq!(rest[..2], ["one", "two"]);
    assert!(rest[2..].iter().all(|line| is_platforms(line)), "{rest:?}");
}

#[test]
fn a_line_that_is_not_complete_yet_is_not_torn_by_the_platforms() {
    let rapid = Rapid::serve(Options::fixture());
    let first = rapid.invoke(json!({"do": "print", "text": "begun "}).to_string());
    rapid.report_of(&first);
    let second = rapid.invoke(json!({"do": "print", "text": "and ended\n"}).to_string());
    rapid.report_of(&second);
    let mut lines = rapid.stdout().lines();
    lines.retain(|line| !is_platforms(line));
    assert_eq!(lines, ["begun and ended"]);
}

#[test]
fn output_of_a_function_that_just_stops_is_printed_at_the_end() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.invoke(json!({"do": "print", "text": "no end"}).to_string());
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    rapid.stdout().wait_for_end(DEADLINE);
    assert!(rapid.stdout().lines().contains(&"no end".to_owned()), "{}", rapid.stdout().text());
}

#[test]
fn output_before_the_first_invocation_comes_first() {
    let rapid = Rapid::serve(Options::fixture_that(["print", "hello from init"]));
    let reply = rapid.expect_echo();
    rapid.report_of(&reply);
    let lines = rapid.stdout().lines();
    assert_eq!(lines[0], "hello from init");
    assert!(lines[1].starts_with("START "), "{lines:?}");
}

#[test]
fn long_lines_and_strange_characters_pass_untouched() {
    let rapid = Rapid::serve(Options::fixture());
    let long = format!("long {}", "x".repeat(100_000));
    let strange = "strange \u{0}\t\u{1b}[31m\r ü 🎈";
    let reply =
        rapid.invoke(json!({"do": "print", "text": format!("{long}\n{strange}\n")}).to_string());
    rapid.report_of(&reply);
    let lines = rapid.stdout().lines();
    assert!(lines.contains(&long), "{} lines", lines.len());
    assert!(lines.contains(&strange.to_owned()), "{:?}", lines.last());
}

#[test]
fn a_reader_that_pauses_loses_nothing_and_holds_no_invocation_up() {
    let rapid = Rapid::serve(Options::fixture().stdout_paused());
    let replies: Vec<Reply> = (0..20)
        .map(|_| rapid.invoke(json!({"do": "print-lines", "count": 200}).to_string()))
        .collect();
    assert!(replies.iter().all(|reply| reply.text() == "\"printed\""));
    // That was more than a pipe holds.
    assert!(rapid.stdout().bytes().len() < 200 << 10);
    rapid.stdout().resume();
    rapid.report_of(&replies[19]);
    let all = |name| vec![printed(name, 200); 20].concat();
    assert!(lines_of(&rapid, "out") == all("out"), "lines are lost or torn");
    assert!(lines_of(&rapid, "err") == all("err"), "lines are lost or torn");
    assert_eq!(rapid.stdout().lines().len(), 20 * 403);
}

#[test]
fn a_reader_that_has_gone_holds_no_invocation_up() {
    let rapid = Rapid::serve(Options::fixture().stdout_closed());
    for _ in 0..5 {
        let reply = rapid.invoke(json!({"do": "print-lines", "count": 500}).to_string());
        assert_eq!(reply.text(), "\"printed\"");
    }
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    rapid.stderr().wait_for_end(DEADLINE);
    assert_eq!(rapid.stderr().lines().len(), 1, "{}", rapid.stderr().text());
}

#[test]
fn rapids_own_log_does_not_mix_with_the_functions_output() {
    let rapid = Rapid::serve(Options::fixture().flags(["--log-level", "debug"]));
    let reply = rapid.expect_echo();
    rapid.report_of(&reply);
    let lines = rapid.stdout().lines();
    assert!(lines.iter().all(|line| is_platforms(line)), "{lines:#?}");
    assert!(rapid.stderr().lines().len() > 3);
    assert!(!rapid.stderr().text().contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn a_log_that_nobody_reads_holds_no_invocation_up() {
    let rapid = Rapid::serve(Options::fixture().flags(["--log-level", "debug"]));
    rapid.stderr().pause();
    for _ in 0..400 {
        rapid.expect_echo();
    }
    rapid.stderr().resume();
    rapid.stderr().wait_for_nth("the invocation ended", 400, DEADLINE);
}

#[test]
fn json_logs_are_json() {
    let options = Options::fixture().flags(["--log-level", "debug", "--log-format", "json"]);
    let rapid = Rapid::serve(options);
    rapid.report_of(&rapid.expect_echo());
    let lines = rapid.stderr().lines();
    let log: Vec<_> = lines.iter().filter(|line| !line.starts_with("rapid: ")).collect();
    assert!(log.len() > 3, "{lines:?}");
    for line in log {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

// --- Figures ---------------------------------------------------------------------------------

/// Whole milliseconds, rounded up; the parts were rounded before they were printed.
#[track_caller]
fn expect_billed(report: &str, of: f64) {
    let billed = figure(report, "Billed Duration");
    assert!(billed >= (of - 0.02).ceil() && billed <= (of + 0.02).ceil(), "{of} in {report}");
}

#[test]
fn the_first_report_tells_the_initialisation_and_the_others_do_not() {
    let rapid = Rapid::serve(Options::fixture_that(["slow", "150"]).flags(["--memory", "256"]));
    let first = rapid.report_of(&rapid.expect_echo());
    let init = figure(&first, "Init Duration");
    assert!((150.0..5_000.0).contains(&init), "{first}");
    let duration = figure(&first, "Duration");
    assert!(duration < 150.0, "the initialisation is no part of it: {first}");
    expect_billed(&first, duration + init);
    assert!((figure(&first, "Memory Size") - 256.0).abs() < 0.1, "{first}");
    assert!(first.ends_with("ms\t"), "as the service prints it: {first:?}");

    let second = rapid.report_of(&rapid.invoke(json!({"do": "sleep", "ms": 120}).to_string()));
    assert!(!second.contains("Init Duration"), "{second}");
    let duration = figure(&second, "Duration");
    assert!((120.0..1_000.0).contains(&duration), "{second}");
    expect_billed(&second, duration);
}

#[test]
fn memory_that_was_used_shows_up_in_the_report() {
    let rapid = Rapid::serve(Options::fixture());
    let before = figure(&rapid.report_of(&rapid.expect_echo()), "Max Memory Used");
    assert!((1.0..60.0).contains(&before), "{before}");
    // The peak counts, not what is used at the end; it is looked at ten times a second at most.
    let event = json!({"do": "allocate", "mb": 64, "ms": 150});
    let after = figure(&rapid.report_of(&rapid.invoke(event.to_string())), "Max Memory Used");
    assert!((64.0..64.0 + before + 32.0).contains(&after), "{before} and then {after}");
}

#[test]
fn start_end_and_report_come_once_for_each_invocation_in_order() {
    let rapid = Rapid::serve(Options::fixture());
    let mut expected = Vec::new();
    for what in ["echo", "error", "echo"] {
        let reply = rapid.invoke(event(what).to_string());
        rapid.report_of(&reply);
        let id = reply.request_id();
        expected.extend(["START", "END", "REPORT"].map(|word| format!("{word} RequestId: {id}")));
    }
    let lines = rapid.stdout().lines();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
}
