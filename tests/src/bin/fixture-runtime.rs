//! A Lambda runtime that does what it is told: by its arguments while it initialises, by events
//! (`{"do": …}`) afterwards. It speaks the Runtime API over a raw socket, and keeps what the API
//! answered to its odd calls; `{"do": "recall"}` gives that back.
//!
//! Arguments, read in order; `--first N FILE` before them makes only the first N processes that
//! share FILE behave so:
//! `print TEXT`, `init-exit CODE`, `init-signal NUMBER`, `init-error-exit`, `init-error-linger`,
//! `never-next`, `respond-before-next`, `ignore-term`, `slow MS`, `internal NAME EVENT` (an internal
//! extension that registers for EVENT); `linger` and `linger-setsid` are
//! what its own children do.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a fixture that cannot go on has to end, and says why")]

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

use nix::sys::signal::{SigSet, Signal, raise};
use rapid_e2e::extension::Extension;
use rapid_e2e::{Connection, DEADLINE, Reply, Request};
use serde_json::{Map, Value, json};

const NEXT: &str = "/2018-06-01/runtime/invocation/next";
const INIT_ERROR: &str = "/2018-06-01/runtime/init/error";

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["--first", count, file, rest @ ..] = words.as_slice() {
        let misbehave = run_number(Path::new(file)) <= count.parse().expect("a count");
        words = if misbehave { rest.to_vec() } else { Vec::new() };
    }
    let mut runtime = Runtime { api: None, connection: None, heard: Vec::new(), previous: None };
    runtime.initialise(&words);
    loop {
        runtime.serve_one();
    }
}

/// The how-manieth process this is of those that share `file`, from 1.
fn run_number(file: &Path) -> u64 {
    let mut shared =
        OpenOptions::new().create(true).append(true).open(file).expect("the file can be opened");
    shared.write_all(b".").expect("the file can be written");
    fs::metadata(file).expect("the file is there").len()
}

struct Runtime {
    api: Option<SocketAddr>,
    connection: Option<Connection>,
    /// What odd calls were answered with.
    heard: Vec<Value>,
    /// The request id before this one.
    previous: Option<String>,
}

/// An event as it was handed over.
struct Event {
    id: String,
    head: Reply,
    payload: Value,
}

impl Runtime {
    fn initialise(&mut self, mut words: &[&str]) {
        while let [word, rest @ ..] = words {
            words = match (*word, rest) {
                ("print", [text, rest @ ..]) => {
                    print(text);
                    rest
                }
                ("slow", [ms, rest @ ..]) => {
                    thread::sleep(Duration::from_millis(ms.parse().expect("milliseconds")));
                    rest
                }
                ("init-exit", [code, ..]) => process::exit(code.parse().expect("a code")),
                ("init-signal", [number, ..]) => die(number.parse().expect("a number")),
                ("init-error-exit", _) => {
                    self.init_error();
                    process::exit(1);
                }
                ("init-error-linger", _) => {
                    self.init_error();
                    linger();
                }
                ("never-next" | "linger", _) => linger(),
                ("linger-setsid", _) => {
                    nix::unistd::setsid().expect("a new process can lead a session");
                    say_ready();
                    linger();
                }
                ("linger-group", _) => {
                    say_ready();
                    linger();
                }
                ("respond-before-next", rest) => {
                    let path = response_path("11111111-2222-4333-8444-555555555555");
                    self.odd(&Request::post(&path, "early"));
                    rest
                }
                ("internal", [name, event, rest @ ..]) => {
                    let events = [*event];
                    let events = if *event == "none" { &[] } else { &events[..] };
                    let mut extension = Extension::register(name, events);
                    thread::spawn(move || {
                        loop {
                            extension.hear();
                        }
                    });
                    rest
                }
                ("ignore-term", rest) => {
                    // A blocked signal stays pending: it does nothing to this single thread.
                    SigSet::from(Signal::SIGTERM).thread_block().expect("signals can be blocked");
                    rest
                }
                // The handler's name, or a word for somebody else.
                (_, rest) => rest,
            };
        }
    }

    fn serve_one(&mut self) {
        let event = self.next();
        let payload = &event.payload;
        let number = |key: &str| payload[key].as_u64().unwrap_or(0);
        let text = |key: &str| payload[key].as_str().unwrap_or("");
        match text("do") {
            "error" => self.error(&event),
            "exit" => process::exit(i32::try_from(number("code")).expect("a code")),
            "signal" => die(i32::try_from(number("signal")).expect("a number")),
            "sleep" => {
                thread::sleep(Duration::from_millis(number("ms")));
                self.respond(&event, "\"slept\"");
            }
            "hang" => linger(),
            "print-and-exit" => {
                print_unterminated(text("text"));
                process::exit(i32::try_from(number("code")).expect("a code"));
            }
            "print-lines" => {
                print_lines(number("count"));
                self.respond(&event, "\"printed\"");
            }
            "number-lines" => {
                number_lines(number("from"), number("count"));
                self.respond(&event, "\"numbered\"");
            }
            "print" => {
                print_unterminated(text("text"));
                self.respond(&event, "\"printed\"");
            }
            "allocate" => {
                // Not zero, so that every page is really there.
                let memory = vec![1_u8; usize::try_from(number("mb")).expect("fits") << 20];
                let sum: u64 = memory.iter().step_by(4096).map(|byte| u64::from(*byte)).sum();
                drop(memory);
                thread::sleep(Duration::from_millis(number("ms")));
                self.respond(&event, sum.to_string());
            }
            "spawn-grandchild" => self.spawn(&event, "linger-group"),
            "spawn-setsid-grandchild" => self.spawn(&event, "linger-setsid"),
            "exit-after-response" => {
                self.respond(&event, "\"last words\"");
                process::exit(i32::try_from(number("code")).expect("a code"));
            }
            "report-env" => self.report(&event, env::vars().map(|(n, v)| (n, v.into())).collect()),
            "report-event" => self.report_event(&event),
            "report-pid" => self.respond(&event, process::id().to_string()),
            "recall" => {
                let heard = std::mem::take(&mut self.heard);
                self.respond(&event, Value::from(heard).to_string());
            }
            "next-again" => self.next_again(&event),
            "request" => {
                let mut request = Request::new(text("method"), text("path"));
                for (name, value) in payload["headers"].as_object().into_iter().flatten() {
                    request = request.header(name, value.as_str().unwrap_or(""));
                }
                self.odd(&request);
                self.respond_with_what_was_heard(&event);
            }
            "respond-before-next" | "" | "echo" => {
                let body = event.head.body.clone();
                self.respond(&event, body);
            }
            odd => self.respond_oddly(&event, odd),
        }
        self.previous = Some(event.id);
    }

    /// The ways of answering that a runtime should not have.
    fn respond_oddly(&mut self, event: &Event, how: &str) {
        let payload = &event.payload;
        let own = response_path(&event.id);
        match how {
            "respond-wrong-id" => {
                let wrong = "99999999-2222-4333-8444-555555555555";
                self.odd(&Request::post(&response_path(wrong), "wrong"));
                self.odd(&Request::post(&error_path(wrong), "wrong"));
                self.odd(&Request::post(&response_path(""), "none"));
                self.respond_with_what_was_heard(event);
            }
            "respond-old-id" => {
                let old = self.previous.clone().unwrap_or_default();
                self.odd(&Request::post(&response_path(&old), "old"));
                self.respond_with_what_was_heard(event);
            }
            "respond-twice" => {
                self.odd(&Request::post(&own, "\"first\""));
                self.odd(&Request::post(&own, "\"second\""));
            }
            "respond-then-error" => {
                self.odd(&Request::post(&own, "\"good\""));
                self.odd(&Request::post(&error_path(&event.id), "\"bad\""));
            }
            "error-then-respond" => {
                self.odd(&Request::post(&error_path(&event.id), "\"bad\""));
                self.odd(&Request::post(&own, "\"good\""));
            }
            "bad-mode" => {
                let mode = payload["mode"].as_str().unwrap_or("nonsense");
                let request = Request::post(&own, "\"body\"")
                    .header("Lambda-Runtime-Function-Response-Mode", mode);
                self.odd(&request);
            }
            "respond-chunked" => {
                let mut trailers = Vec::new();
                if payload["trailers"] == true {
                    trailers.push(("Lambda-Runtime-Function-Error-Type", "Runtime.StreamError"));
                    trailers.push(("Lambda-Runtime-Function-Error-Body", "e30="));
                }
                let chunks: [&[u8]; 3] = [b"\"one ", b"two ", b"three\""];
                let mut request = Request::post_chunked(&own, &chunks, &trailers);
                if payload["streaming"] == true {
                    request = request.header("Lambda-Runtime-Function-Response-Mode", "streaming");
                }
                if payload["trailers"] == true {
                    let names =
                        "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body";
                    request = request.header("Trailer", names);
                }
                self.odd(&request);
            }
            "respond-expect" => {
                let answer = self.respond_after_continue(event);
                self.heard.push(answer);
            }
            "respond-big" => {
                let size = usize::try_from(payload["size"].as_u64().unwrap_or(2)).expect("fits");
                let mut body = vec![b'x'; size];
                if let [first, .., last] = body.as_mut_slice() {
                    (*first, *last) = (b'"', b'"');
                }
                self.odd(&Request::post(&own, body));
            }
            "respond-truncated" => {
                let answer = self.truncate(event, payload["how"].as_str().unwrap_or("close"));
                self.heard.push(answer);
            }
            other => self.respond(event, format!("\"there is no {other}\"")),
        }
    }

    // --- Calls -------------------------------------------------------------------------------

    fn next(&mut self) -> Event {
        let connection = self.connection();
        connection.patience(None).expect("a limit can be lifted");
        let mut head = connection.exchange(&Request::get(NEXT)).expect("the Runtime API answers");
        let begin = Instant::now();
        // An answer that was broken off may not have been noticed yet.
        while head.status == 403 && begin.elapsed() < DEADLINE {
            thread::sleep(Duration::from_millis(5));
            head = connection.exchange(&Request::get(NEXT)).expect("the Runtime API answers");
        }
        if head.status != 200 {
            complain(&format!("next was answered with {}: {}", head.status, head.text()));
            process::exit(90);
        }
        let id = head.header("Lambda-Runtime-Aws-Request-Id").expect("every event has an id");
        let payload = serde_json::from_slice(&head.body).unwrap_or(Value::Null);
        Event { id: id.to_owned(), payload, head }
    }

    /// The connection that is kept alive.
    fn connection(&mut self) -> &mut Connection {
        let api = self.api();
        self.connection.get_or_insert_with(|| Connection::open(api).expect("the API listens"))
    }

    fn api(&mut self) -> SocketAddr {
        *self.api.get_or_insert_with(|| {
            let api = env::var("AWS_LAMBDA_RUNTIME_API").expect("the API's address is told");
            api.parse().expect("the API's address is numeric")
        })
    }

    fn respond(&mut self, event: &Event, body: impl Into<Vec<u8>>) {
        self.call(&Request::post(&response_path(&event.id), body));
    }

    fn respond_with_what_was_heard(&mut self, event: &Event) {
        let heard = std::mem::take(&mut self.heard);
        self.respond(event, Value::from(heard).to_string());
    }

    /// A call that has to be taken.
    fn call(&mut self, request: &Request) {
        let reply = self.connection().exchange(request).expect("the Runtime API answers");
        if reply.status != 202 {
            complain(&format!("a call was answered with {}: {}", reply.status, reply.text()));
        }
    }

    /// A call whose answer matters to the test, on the connection that is kept alive.
    fn odd(&mut self, request: &Request) {
        let answer = answer(self.connection().exchange(request));
        if answer.get("status").is_none() {
            self.connection = None;
        }
        self.heard.push(answer);
    }

    fn error(&mut self, event: &Event) {
        let payload = &event.payload;
        let body = payload["body"].as_str().unwrap_or(r#"{"errorMessage":"m","errorType":"T"}"#);
        let mut request = Request::post(&error_path(&event.id), body);
        let headers = [
            ("content-type", "Content-Type"),
            ("type", "Lambda-Runtime-Function-Error-Type"),
            ("cause", "Lambda-Runtime-Function-XRay-Error-Cause"),
        ];
        for (key, name) in headers {
            if let Some(value) = payload[key].as_str() {
                request = request.header(name, value);
            }
        }
        self.call(&request);
    }

    fn init_error(&mut self) {
        let body = r#"{"errorMessage":"no handler","errorType":"Runtime.NoSuchHandler"}"#;
        let request = Request::post(INIT_ERROR, body)
            .header("Lambda-Runtime-Function-Error-Type", "Runtime.NoSuchHandler");
        self.call(&request);
    }

    fn next_again(&mut self, event: &Event) {
        let api = self.api();
        let mut other = Connection::open(api).expect("the API listens");
        let again = other.exchange(&Request::get(NEXT)).expect("it is answered");
        let same = again.headers.iter().filter(|(name, _)| name != "Date").eq(event
            .head
            .headers
            .iter()
            .filter(|(name, _)| name != "Date"))
            && again.body == event.head.body;
        self.respond(event, json!({ "status": again.status, "same": same }).to_string());
    }

    fn report_event(&mut self, event: &Event) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let headers: Vec<Value> =
            event.head.headers.iter().map(|(name, value)| json!([name, value])).collect();
        let report = json!({
            "status": event.head.status,
            "headers": headers,
            "body": event.head.text(),
            "now-ms": u64::try_from(now.as_millis()).unwrap_or(0),
        });
        self.respond(event, report.to_string());
    }

    fn report(&mut self, event: &Event, report: Map<String, Value>) {
        self.respond(event, Value::from(report).to_string());
    }

    /// Sends part of a response and breaks off.
    fn truncate(&mut self, event: &Event, how: &str) -> Value {
        let api = self.api();
        let mut connection = Connection::open(api).expect("the API listens");
        let head = |framing: &str| {
            format!(
                "POST {} HTTP/1.1\r\nHost: rapid\r\n{framing}\r\n\r\n",
                response_path(&event.id)
            )
        };
        let (framing, body) = match how {
            "bad-chunk" => ("Transfer-Encoding: chunked", "5\r\nhello\r\nnonsense\r\n"),
            "chunked" => ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
            _ => ("Content-Length: 100", "hello"),
        };
        connection.write((head(framing) + body).as_bytes()).expect("the API reads");
        match how {
            "close" => json!({ "closed": true }),
            "bad-chunk" => answer(connection.receive()),
            _ => {
                connection.finish_writing().expect("half of a connection can be closed");
                answer(connection.receive())
            }
        }
    }

    /// Waits for `100 Continue` before it sends the body.
    fn respond_after_continue(&mut self, event: &Event) -> Value {
        let api = self.api();
        let mut connection = Connection::open(api).expect("the API listens");
        let request = Request::post(&response_path(&event.id), "\"continued\"")
            .header("Expect", "100-continue");
        connection.write(&request.head()).expect("the API reads");
        let status = connection.receive_interim().expect("the API says to go on");
        connection.write(&request.body()).expect("the API reads");
        let mut answer = answer(connection.receive());
        answer["interim"] = status.into();
        answer
    }

    /// Starts a copy of itself that stays, and answers with its id once it is set up.
    #[expect(clippy::zombie_processes, reason = "rapid has to cope with children left alone")]
    fn spawn(&mut self, event: &Event, what: &str) {
        let own = env::current_exe().expect("a process knows its executable");
        // It holds this process's standard output, as daemons do that nobody thought about.
        let mut child = Command::new(own)
            .arg(what)
            .stderr(Stdio::piped())
            .spawn()
            .expect("a copy can be started");
        let mut ready = [0];
        let mut stderr = child.stderr.take().expect("its errors are piped");
        io::Read::read_exact(&mut stderr, &mut ready).expect("it says that it is ready");
        self.respond(event, child.id().to_string());
        if event.payload["then"] == "exit" {
            process::exit(7);
        }
    }
}

fn response_path(id: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{id}/response")
}

fn error_path(id: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{id}/error")
}

fn answer(reply: io::Result<Reply>) -> Value {
    match reply {
        Ok(reply) => {
            json!({ "status": reply.status, "body": reply.text(), "interim": reply.interim })
        }
        Err(error) => json!({ "error": error.kind().to_string() }),
    }
}

fn die(number: i32) -> ! {
    let signal = Signal::try_from(number).expect("a signal");
    loop {
        // The first one may only take away the handler that Rust has for stack overflows.
        raise(signal).expect("a process may signal itself");
    }
}

fn linger() -> ! {
    loop {
        thread::park();
    }
}

fn say_ready() {
    complain("ready");
}

fn complain(line: &str) {
    // Nobody is left to be told when it is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

fn print(line: &str) {
    print_unterminated(&format!("{line}\n"));
}

fn print_unterminated(text: &str) {
    let mut stdout = io::stdout().lock();
    // Nobody is left to be told when it is closed.
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

/// Prints numbered lines of different lengths on both outputs at once.
fn print_lines(count: u64) {
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..count {
                print(&line("out", i));
            }
        });
        scope.spawn(|| {
            for i in 0..count {
                complain(&line("err", i));
            }
        });
    });
}

/// Prints as many numbered lines on both outputs, in turn, each with one call.
fn number_lines(from: u64, count: u64) {
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    for number in from..from + count {
        // Nobody is left to be told when they are closed.
        let _ = stdout.write_all(format!("out {number:010}\n").as_bytes());
        let _ = stderr.write_all(format!("err {number:010}\n").as_bytes());
    }
}

fn line(name: &str, number: u64) -> String {
    let length = usize::try_from(number % 97).unwrap_or(0);
    format!("{name} {number:05} {}.", "-".repeat(length))
}
