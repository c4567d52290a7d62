//! The loop with telemetry: what is handed over when, and what it waits for.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rapid_extension::telemetry::{
    Category, Destination, Received, Receiver, Schema, Subscribed, Subscription,
};
use rapid_extension::{BoxError, Error, Event, Handler, RunError, run_until};

use crate::receiving::{Platform, line};
use crate::server::{ACCEPTED, Api, Connection, GET_NEXT, both};

const SUBSCRIBE: &str = "PUT /2022-07-01/telemetry";
const OFF: &str = r#"{"errorType":"Telemetry.NotSupported","errorMessage":"x"}"#;

/// Writes down what it is called for, and fails with the telemetry that it is told to.
#[derive(Clone)]
struct Notes {
    subscription: Subscription,
    heard: Arc<Mutex<Vec<String>>>,
    fails_with: &'static str,
}

impl Notes {
    fn wanting(subscription: Subscription) -> Self {
        Self { subscription, heard: Arc::default(), fails_with: "nothing" }
    }

    fn note(&self, what: String) {
        self.heard.lock().unwrap().push(what);
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Handler for Notes {
    type Error = BoxError;

    fn subscription(&self) -> Option<Subscription> {
        Some(self.subscription.clone())
    }

    fn subscribed(&mut self, answer: Subscribed) {
        self.note(format!("{answer:?}"));
    }

    async fn telemetry(&mut self, events: Vec<Received>) -> Result<(), BoxError> {
        for event in events {
            let Received::Known(event) = event else { return Err("it is not known".into()) };
            let json = event.encode(Schema::LATEST).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&json)?;
            let record = json["record"].as_str().unwrap_or(json["type"].as_str().unwrap());
            self.note(record.to_owned());
            if record == self.fails_with {
                return Err("out of paper".into());
            }
        }
        Ok(())
    }

    async fn invoke(&mut self, event: Event) -> Result<(), BoxError> {
        self.note(format!("invoke {}", event.request_id));
        Ok(())
    }

    async fn shutdown(&mut self, _: Event) -> Result<(), BoxError> {
        self.note("shutdown".to_owned());
        Ok(())
    }
}

/// A port that nobody listens on.
async fn free_port() -> u16 {
    Receiver::bind(0).await.unwrap().port()
}

async fn everything() -> (Subscription, u16) {
    let port = free_port().await;
    (Subscription::new(&Category::ALL, Destination::http(port)), port)
}

fn invoke(id: &str, time: Duration) -> String {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
    let deadline = deadline.as_millis();
    format!(r#"{{"eventType":"INVOKE","requestId":"{id}","deadlineMs":{deadline}}}"#)
}

fn shutdown(time: Duration) -> String {
    invoke("", time).replace("INVOKE", "SHUTDOWN")
}

const MINUTE: Duration = Duration::from_secs(60);

fn platform_event(name: &str, id: &str) -> String {
    let rest = match name {
        "report" => {
            r#""metrics":{"durationMs":1.0,"billedDurationMs":1,"memorySizeMB":128,"maxMemoryUsedMB":1},"#
        }
        _ => "",
    };
    let record = format!(r#"{{"requestId":"{id}",{rest}"status":"success"}}"#);
    format!(r#"[{{"time":"2026-09-15T07:13:10.674Z","type":"platform.{name}","record":{record}}}]"#)
}

/// Delivers a batch, which is taken.
async fn delivers(platform: &mut Platform, batch: &str) {
    platform.delivers(batch).await;
    let answer = platform.answer().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Runs the handler against a script, from its registration on.
async fn play<T>(
    notes: &Notes,
    script: impl AsyncFnOnce(&mut Connection) -> T,
) -> (Result<(), RunError>, T) {
    let api = Api::new();
    let running = run_until(api.client(), notes.clone(), &[], pending());
    let (ran, (mut connection, outcome)) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes("POST /2020-01-01/extension/register").await;
        connection.registers().await;
        let outcome = script(&mut connection).await;
        (connection, outcome)
    })
    .await;
    connection.ends().await;
    (ran, outcome)
}

#[tokio::test]
async fn telemetry_is_handed_over_as_it_comes_also_while_an_event_is_waited_for() {
    let (subscription, port) = everything().await;
    let notes = Notes::wanting(subscription);
    let (ran, ()) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        // It is listened for before the platform knows.
        let mut platform = Platform::connect(port).await;
        platform.delivers(&line("early")).await;
        connection.answers("200 OK", "", "\"OK\"").await;
        platform.answer().await;
        connection.takes(GET_NEXT).await;
        delivers(&mut platform, &line("between")).await;
        connection.answers("200 OK", "", &invoke("r-1", MINUTE)).await;
        connection.takes(GET_NEXT).await;
        delivers(&mut platform, &platform_event("report", "r-1")).await;
        connection.answers("200 OK", "", &shutdown(MINUTE)).await;
    })
    .await;
    ran.unwrap();
    let expected = ["New", "early", "between", "invoke r-1", "platform.report", "shutdown"];
    assert_eq!(notes.heard(), expected);
}

#[tokio::test]
async fn the_next_event_waits_for_the_end_of_the_functions_part() {
    let (subscription, port) = everything().await;
    let notes = Notes::wanting(subscription.wait_for_runtime_done());
    let (ran, ()) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        connection.answers("200 OK", "", "\"AlreadySubscribed\"").await;
        let mut platform = Platform::connect(port).await;
        connection.gives(&invoke("r-1", MINUTE)).await;
        delivers(&mut platform, &line("written")).await;
        delivers(&mut platform, &platform_event("runtimeDone", "r-0")).await;
        assert!(connection.is_quiet().await);
        delivers(&mut platform, &platform_event("runtimeDone", "r-1")).await;
        connection.takes(GET_NEXT).await;
        // It may also come before the invocation is told.
        delivers(&mut platform, &platform_event("runtimeDone", "r-2")).await;
        connection.answers("200 OK", "", &invoke("r-2", MINUTE)).await;
        connection.takes(GET_NEXT).await;
        delivers(&mut platform, &platform_event("report", "r-2")).await;
        connection.answers("200 OK", "", &shutdown(MINUTE)).await;
    })
    .await;
    ran.unwrap();
    let done = "platform.runtimeDone";
    let expected = [
        "Already",
        "invoke r-1",
        "written",
        done,
        done,
        done,
        "invoke r-2",
        "platform.report",
        "shutdown",
    ];
    assert_eq!(notes.heard(), expected);
}

#[tokio::test]
async fn an_end_that_never_comes_is_waited_for_until_the_deadline() {
    let (subscription, _) = everything().await;
    let notes = Notes::wanting(subscription.wait_for_runtime_done());
    let (ran, ()) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        connection.answers("200 OK", "", "\"OK\"").await;
        connection.gives(&invoke("r-1", Duration::from_millis(50))).await;
        connection.gives(&shutdown(Duration::ZERO)).await;
    })
    .await;
    ran.unwrap();
    assert_eq!(notes.heard(), ["New", "invoke r-1", "shutdown"]);
}

#[tokio::test]
async fn without_telemetry_nothing_is_waited_for() {
    let (subscription, port) = everything().await;
    let notes = Notes::wanting(subscription.wait_for_runtime_done().linger(MINUTE));
    let (ran, ()) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        connection.answers("202 Accepted", "", OFF).await;
        connection.gives(&invoke("r-1", MINUTE)).await;
        connection.gives(&shutdown(MINUTE)).await;
    })
    .await;
    ran.unwrap();
    assert_eq!(notes.heard(), ["NotSupported", "invoke r-1", "shutdown"]);
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn a_destination_of_lines_is_somebody_elses_business() {
    let notes = Notes::wanting(Subscription::new(&[Category::Function], Destination::tcp(1)));
    let (ran, request) = play(&notes, async |connection| {
        let request = connection.request().await;
        connection.answers("200 OK", "", "\"OK\"").await;
        connection.gives(&shutdown(MINUTE)).await;
        request
    })
    .await;
    ran.unwrap();
    assert!(request.ends_with(r#""destination":{"protocol":"TCP","port":1}}"#), "{request}");
    assert_eq!(notes.heard(), ["New", "shutdown"]);
}

#[tokio::test]
async fn shutdown_waits_for_the_last_report_and_hands_it_over_first() {
    let (subscription, port) = everything().await;
    let notes = Notes::wanting(subscription.linger(MINUTE));
    let (ran, mut platform) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        connection.answers("200 OK", "", "\"OK\"").await;
        let mut platform = Platform::connect(port).await;
        connection.gives(&invoke("r-1", MINUTE)).await;
        connection.gives(&shutdown(4 * MINUTE)).await;
        delivers(&mut platform, &line("late")).await;
        // The answer to the last one comes, although nobody goes on.
        platform.delivers(&platform_event("report", "r-1")).await;
        platform
    })
    .await;
    ran.unwrap();
    assert!(platform.answer().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(notes.heard(), ["New", "invoke r-1", "late", "platform.report", "shutdown"]);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    for time in [Duration::ZERO, MINUTE] {
        let (subscription, _) = everything().await;
        let linger = if time.is_zero() { MINUTE } else { Duration::ZERO };
        let notes = Notes::wanting(subscription.linger(linger));
        let (ran, ()) = play(&notes, async |connection| {
            connection.takes(SUBSCRIBE).await;
            connection.answers("200 OK", "", "\"OK\"").await;
            connection.gives(&invoke("r-1", MINUTE)).await;
            connection.gives(&shutdown(time)).await;
        })
        .await;
        ran.unwrap();
        assert_eq!(notes.heard(), ["New", "invoke r-1", "shutdown"]);
    }
}

async fn takes_report(connection: &mut Connection, path: &str) -> String {
    let request = connection.request().await;
    assert!(request.starts_with(&format!("POST /2020-01-01/extension/{path} ")), "{request}");
    connection.answers("202 Accepted", "", ACCEPTED).await;
    request
}

#[tokio::test]
async fn a_refused_subscription_is_reported_and_returned() {
    let (subscription, _) = everything().await;
    let notes = Notes::wanting(subscription);
    let (ran, report) = play(&notes, async |connection| {
        connection.takes(SUBSCRIBE).await;
        let body = r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"no"}"#;
        connection.answers("400 Bad Request", "", body).await;
        takes_report(connection, "init/error").await
    })
    .await;
    assert!(report.contains("400 Bad Request: Telemetry.AccessDenied: no\n"), "{report}");
    let error = ran.unwrap_err();
    let start = "the extension cannot have its telemetry: PUT /2022-07-01/telemetry was";
    assert!(error.to_string().starts_with(start), "{error}");
    assert!(matches!(error, RunError::Subscribe { unreported: None, .. }));
}

#[tokio::test]
async fn a_port_that_is_taken_is_reported_and_returned() {
    let taken = Receiver::bind(0).await.unwrap();
    let port = taken.port();
    let notes = Notes::wanting(Subscription::new(&Category::ALL, Destination::http(port)));
    let (ran, report) =
        play(&notes, async |connection| takes_report(connection, "init/error").await).await;
    assert!(report.contains(&format!("cannot listen for telemetry on port {port}: ")), "{report}");
    match ran {
        Err(RunError::Subscribe { error: Error::Listen { port: of, .. }, .. }) => {
            assert_eq!(of, port);
        }
        other => panic!("it is {other:?}"),
    }
}

#[tokio::test]
async fn a_handler_that_fails_with_telemetry_is_reported_and_returned() {
    // In the wait after an invocation, and in the one at the end.
    for is_the_end in [false, true] {
        let (subscription, port) = everything().await;
        let mut notes = Notes::wanting(subscription.wait_for_runtime_done().linger(MINUTE));
        notes.fails_with = "bad";
        let (ran, report) = play(&notes, async |connection| {
            connection.takes(SUBSCRIBE).await;
            connection.answers("200 OK", "", "\"OK\"").await;
            let mut platform = Platform::connect(port).await;
            connection.gives(&invoke("r-1", MINUTE)).await;
            if is_the_end {
                delivers(&mut platform, &platform_event("runtimeDone", "r-1")).await;
                connection.gives(&shutdown(4 * MINUTE)).await;
            }
            platform.delivers(&line("bad")).await;
            takes_report(connection, "exit/error").await
        })
        .await;
        expect_failure(ran, &report);
        assert!(!notes.heard().contains(&"shutdown".to_owned()));
    }
}

#[tokio::test]
async fn a_handler_that_fails_while_an_event_is_waited_for_is_reported_beside_it() {
    let (subscription, port) = everything().await;
    let notes = Notes { fails_with: "bad", ..Notes::wanting(subscription) };
    let api = Api::new();
    let running = run_until(api.client(), notes.clone(), &[], pending());
    let (ran, report) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes("POST /2020-01-01/extension/register").await;
        connection.registers().await;
        connection.takes(SUBSCRIBE).await;
        connection.answers("200 OK", "", "\"OK\"").await;
        connection.takes(GET_NEXT).await;
        let mut platform = Platform::connect(port).await;
        platform.delivers(&line("bad")).await;
        let mut second = api.accept().await;
        takes_report(&mut second, "exit/error").await
    })
    .await;
    expect_failure(ran, &report);
}

#[track_caller]
fn expect_failure(ran: Result<(), RunError>, report: &str) {
    assert!(report.contains("-Error-Type: out of paper\n"), "{report}");
    let error = ran.unwrap_err();
    assert_eq!(error.to_string(), "the extension failed with telemetry: out of paper");
    assert!(matches!(error, RunError::Telemetry { unreported: None, .. }));
}
