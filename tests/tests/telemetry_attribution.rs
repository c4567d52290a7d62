//! Whose every line is, while the runtime, its children and its extensions all write at once.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/peers.rs"]
mod peers;

use std::ffi::OsStr;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use rapid_e2e::{Agent, Extensions, Options, Rapid, Request, Subscriber, eventually_some};
use serde_json::Value;

use crate::peers::installed;

const FUNCTION: &str = include_str!("telemetry_attribution/function.py");
const EXTENSION: &str = include_str!("telemetry_attribution/extension.sh");
const INVOKES: usize = 6;

/// The extensions that write, and the letter of which their long lines are.
const NAMES: [(&str, char); 3] = [("extension-a", 'a'), ("extension-b", 'b'), ("extension-c", 'c')];

/// What the function and the extensions write to each of their outputs, as they say it themselves.
const LINES: usize = 300;
const LONG: usize = 600 * 1024;

/// A longer line comes in pieces of this length.
const PIECE: usize = 256 * 1024;

/// How many more pieces than one a long line has.
const FURTHER_PIECES: usize = LONG / PIECE;

const SUBSCRIPTION: &str = r#"{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"buffering":{"maxBytes":1048576,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:PORT/batch"}}"#;

/// A function that runs beside three extensions that write as well, and everything that a
/// subscriber is told.
struct Stage {
    batches: Arc<Mutex<Vec<String>>>,
    rapid: Rapid,
    _kept: Box<dyn Send>,
}

impl Stage {
    fn open() -> Self {
        let batches: Arc<Mutex<Vec<String>>> = Arc::default();
        let taken = Arc::clone(&batches);
        let subscriber = Subscriber::start(move |batch| {
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(batch.body.clone());
        });
        let extensions = NAMES
            .iter()
            .fold(Extensions::none().mute("agent"), |all, (name, _)| all.bash(name, EXTENSION));
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::write(directory.path().join("app.py"), FUNCTION).expect("it can be written");
        let python = installed("python/bin/python");
        let words = [python.as_os_str(), OsStr::new("-m"), OsStr::new("awslambdaric")];
        let words = [&words[..], &[OsStr::new("app.handler")]].concat();
        let options = Options::new().command(words).current_dir(directory.path()).timeout(60);
        let rapid = Rapid::serve(options.extensions(&extensions).stdout_discarded());
        let agent = Agent::register(&rapid, "agent", &[]);
        let body = SUBSCRIPTION.replace("PORT", &subscriber.port().to_string());
        let request = Request::post("/2022-07-01/telemetry", body).method("PUT");
        assert_eq!(rapid.call(&agent.signed(request)).text(), "\"OK\"");
        let parked = agent.ask(&rapid);
        Self { batches, rapid, _kept: Box::new((extensions, directory, parked)) }
    }

    /// All events so far.
    fn events(&self) -> Vec<Event> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let parsed = batches.iter().flat_map(|batch| {
            serde_json::from_str::<Vec<Value>>(batch).expect("a batch is an array")
        });
        parsed.map(|event| Event::new(&event)).collect()
    }

    /// Waits until there have been so many events of a kind.
    #[track_caller]
    fn wait_for(&self, what: &str, count: usize, is_one: impl Fn(&Event) -> bool) -> Vec<Event> {
        eventually_some(what, || {
            let events = self.events();
            let found = events.iter().filter(|event| is_one(event)).count();
            (found >= count).then_some(events)
        })
    }
}

/// An event: its type, and its line or what request it is about.
#[derive(Debug)]
struct Event {
    kind: String,
    text: String,
}

impl Event {
    fn new(event: &Value) -> Self {
        let record = &event["record"];
        let text = record.as_str().or_else(|| record["requestId"].as_str()).unwrap_or_default();
        let kind = event["type"].as_str().expect("it has a type");
        Self { kind: kind.to_owned(), text: text.to_owned() }
    }

    fn is_the_daemons(&self) -> bool {
        self.text.starts_with("daemon ")
    }
}

// --- What is expected ------------------------------------------------------------------------

/// The lines of one type that have this beginning. Pieces of a long line, which have another one
/// and consist of nothing but `filling`, are put together.
fn lines(events: &[Event], kind: &str, beginning: &str, filling: char) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for Event { text, .. } in events.iter().filter(|event| event.kind == kind) {
        assert!(text.ends_with('\n') || text.len() == PIECE, "{} bytes: {text:.40}", text.len());
        if text.starts_with(beginning) {
            lines.push(text.clone());
        } else if text.trim_end_matches('\n').chars().all(|one| one == filling) {
            lines.last_mut().expect("something was cut").push_str(text);
        }
    }
    lines
}

/// Expects these lines of every invocation, in that order, and shows the first that is another.
#[track_caller]
fn expect(lines: &[String], each: impl Fn(usize) -> Vec<String>) {
    let expected: Vec<String> = (0..INVOKES).flat_map(each).collect();
    for (at, (line, expected)) in lines.iter().zip(&expected).enumerate() {
        assert!(line == expected, "line {at}: {line:.80?} instead of {expected:.80?}");
    }
    assert_eq!(lines.len(), expected.len(), "after {:?}", lines.last());
}

fn numbered(beginning: &str, n: usize) -> Vec<String> {
    (0..LINES).map(|i| format!("{beginning} {n} {i}\n")).collect()
}

/// What the function writes to standard error.
fn on_stderr(n: usize) -> Vec<String> {
    let head = match n.checked_sub(1) {
        // What the last one has not finished, this one has.
        Some(last) => format!("stderr tail {last} then stderr head {n}\n"),
        None => "stderr head 0\n".to_owned(),
    };
    let mut lines = [vec![head], numbered("stderr", n)].concat();
    if n.is_multiple_of(3) {
        lines.push(format!("stderr {n} long {}\n", "R".repeat(LONG)));
    }
    lines.push(format!("stderr {n} bad \u{FFFD}\u{FFFD} and cut \u{FFFD}\n"));
    lines
}

/// What an extension writes to standard output.
fn on_stdout_of(name: &str, n: usize) -> Vec<String> {
    let mut lines = numbered(&format!("{name} out"), n);
    lines.push(format!("{name} out {n} bad \u{FFFD} and cut \u{FFFD}\n"));
    lines
}

/// What an extension writes to standard error.
fn on_stderr_of(name: &str, letter: char, n: usize) -> Vec<String> {
    let mut lines = numbered(&format!("{name} err"), n);
    if n == 1 {
        lines.push(format!("{name} err {n} long {}\n", letter.to_string().repeat(LONG)));
    }
    lines
}

/// What the function logs, but for the time and the request in front of it.
fn in_the_log(n: usize) -> Vec<String> {
    (0..LINES).map(|i| format!("log {n} {i}\nsecond line\n  third line\n")).collect()
}

/// Expects what an invocation has written between its start and its end, the daemon's aside.
#[track_caller]
fn expect_within(events: &[Event], n: usize, id: &str) {
    let about = |kind: &str| {
        let found = events.iter().position(|event| event.kind == kind && event.text == id);
        found.expect("the invocation has a start and an end")
    };
    let (start, done) = (about("platform.start"), about("platform.runtimeDone"));
    let within = events[start..done].iter().filter(|event| event.kind == "function");
    let count = within.filter(|event| !event.is_the_daemons()).count();
    let further = if n.is_multiple_of(3) { FURTHER_PIECES } else { 0 };
    assert_eq!(count, 3 * LINES + on_stderr(n).len() + further, "invocation {n}");
}

#[test]
fn every_line_is_whole_and_its_writers_while_all_write_at_once() {
    let stage = Stage::open();
    let mut ids = Vec::new();
    for n in 0..INVOKES {
        let reply = stage.rapid.invoke(format!(r#"{{"n":{n}}}"#));
        assert_eq!(reply.text(), n.to_string(), "{}", stage.rapid.stderr().text());
        ids.push(reply.request_id());
        // Between two invocations the child that was left behind writes on.
        let events = stage.wait_for("the end", n + 1, |event| event.kind == "platform.report");
        let count = events.iter().filter(|event| event.is_the_daemons()).count();
        stage.wait_for("another line", count + 1, Event::is_the_daemons);
    }
    let last = format!(" out {} bad \u{FFFD} and cut \u{FFFD}\n", INVOKES - 1);
    let events = stage.wait_for("the last lines", 3, |event| event.text.ends_with(&last));

    let function = |beginning, filling| lines(&events, "function", beginning, filling);
    expect(&function("stdout ", '\0'), |n| numbered("stdout", n));
    expect(&function("child ", '\0'), |n| numbered("child", n));
    expect(&function("stderr ", 'R'), on_stderr);
    let logged = function("[INFO]\t", '\0');
    let messages = logged.iter().map(|record| record.rsplit('\t').next().unwrap_or_default());
    expect(&messages.map(str::to_owned).collect::<Vec<_>>(), in_the_log);
    for (number, line) in function("daemon ", '\0').iter().enumerate() {
        assert_eq!(*line, format!("daemon {number}\n"));
    }
    for (name, letter) in NAMES {
        let [out, err] = ["out", "err"].map(|output| format!("{name} {output} "));
        let extension = |beginning, filling| lines(&events, "extension", beginning, filling);
        expect(&extension(&out, '\0'), |n| on_stdout_of(name, n));
        expect(&extension(&err, letter), |n| on_stderr_of(name, letter, n));
    }
    // Nobody else has written anything.
    let of_extensions = events.iter().filter(|event| event.kind == "extension").count();
    assert_eq!(of_extensions, 3 * (INVOKES * (2 * LINES + 1) + 1 + FURTHER_PIECES));
    for (n, id) in ids.iter().enumerate() {
        expect_within(&events, n, id);
    }
    // What has no end when the runtime ends comes as it is.
    let unfinished = format!("stderr tail {} then ", INVOKES - 1);
    stage.rapid.term();
    stage.wait_for("what was not finished", 1, |event| event.text == unfinished);
}
