//! The loop: which calls it makes in which order, and how it ends.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};

use rapid_extension::{
    BoxError, Call, Client, Error, Event, EventType, Events, Handler, Register, RunError, run,
    run_until, run_with,
};
use tokio::sync::oneshot;

use crate::server::{ACCEPTED, Api, Connection, GET_NEXT, INVOKE, SHUTDOWN, both};

const REGISTER: &str = "POST /2020-01-01/extension/register";
const EXIT_ERROR: &str = "POST /2020-01-01/extension/exit/error";

/// Writes down what it is called for, and fails where it is told to.
#[derive(Clone, Default)]
struct Notes {
    heard: Arc<Mutex<Vec<String>>>,
    fails_in: &'static str,
}

impl Notes {
    fn failing_in(fails_in: &'static str) -> Self {
        Self { fails_in, ..Self::default() }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn note(&self, stage: &str, what: &str) -> Result<(), String> {
        self.heard.lock().unwrap().push(format!("{stage} {what}"));
        if stage == self.fails_in { Err(format!("{stage}\nfailed")) } else { Ok(()) }
    }
}

impl Handler for Notes {
    type Error = String;

    async fn init(&mut self, register: &Register) -> Result<(), String> {
        self.note("init", &register.function_name)
    }

    async fn invoke(&mut self, event: Event) -> Result<(), String> {
        self.note("invoke", &event.request_id)
    }

    async fn shutdown(&mut self, event: Event) -> Result<(), String> {
        self.note("shutdown", event.shutdown_reason.as_ref().map_or("-", |reason| reason.as_str()))
    }
}

/// Runs the handler, without an end from outside, against a script for its connection.
async fn play<F: Future<Output = Connection>>(
    handler: &Notes,
    script: impl FnOnce(Connection) -> F,
) -> Result<(), RunError> {
    let api = Api::new();
    let running = run_until(api.client(), handler.clone(), &[], pending());
    let (ran, mut connection) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes(REGISTER).await;
        script(connection).await
    })
    .await;
    connection.ends().await;
    assert!(api.has_nobody_waiting().await);
    ran
}

async fn takes_report(connection: &mut Connection, path: &str, error_type: &str) {
    let request = connection.request().await;
    let call = format!("POST /2020-01-01/extension/{path} HTTP/1.1\n");
    assert!(request.starts_with(&call), "{request}");
    let header = format!("\nLambda-Extension-Function-Error-Type: {error_type}\n");
    assert!(request.contains(&header), "{request}");
}

#[tokio::test]
async fn an_extension_registers_initialises_handles_events_and_leaves_at_shutdown() {
    let notes = Notes::default();
    let ran = play(&notes, async |mut connection| {
        connection.registers().await;
        connection.gives(INVOKE).await;
        connection.gives(r#"{"eventType":"NEW"}"#).await;
        connection.gives(r#"{"eventType":"INVOKE","requestId":"r-2"}"#).await;
        connection.gives(SHUTDOWN).await;
        connection
    });
    ran.await.unwrap();
    assert_eq!(notes.heard(), ["init hello", "invoke r-1", "invoke r-2", "shutdown spindown"]);
}

#[tokio::test]
async fn a_refused_registration_ends_an_extension_before_it_initialises() {
    let notes = Notes::default();
    let ran = play(&notes, async |mut connection| {
        connection.answers("403 Forbidden", "", "").await;
        connection
    });
    let error = ran.await.unwrap_err();
    assert!(matches!(error, RunError::Api(Error::Refused { call: Call::Register, .. })));
    assert_eq!(notes.heard(), [""; 0]);
}

#[tokio::test]
async fn a_failed_initialisation_is_reported_and_returned_and_no_event_is_asked_for() {
    let notes = Notes::failing_in("init");
    let ran = play(&notes, async |mut connection| {
        connection.registers().await;
        takes_report(&mut connection, "init/error", "init failed").await;
        connection.answers("202 Accepted", "", ACCEPTED).await;
        connection
    });
    let error = ran.await.unwrap_err();
    assert_eq!(error.to_string(), "the extension cannot initialise: init\nfailed");
    assert!(matches!(error, RunError::Init { unreported: None, .. }));
    assert_eq!(notes.heard(), ["init hello"]);
}

#[tokio::test]
async fn a_failed_invocation_is_reported_and_returned() {
    let notes = Notes::failing_in("invoke");
    let ran = play(&notes, async |mut connection| {
        connection.registers().await;
        connection.gives(INVOKE).await;
        takes_report(&mut connection, "exit/error", "invoke failed").await;
        connection.answers("202 Accepted", "", ACCEPTED).await;
        connection
    });
    match ran.await {
        Err(RunError::Invoke { error, request_id, unreported: None }) => {
            assert_eq!(
                (error.to_string().as_str(), request_id.as_str()),
                ("invoke\nfailed", "r-1")
            );
        }
        other => panic!("it is {other:?}"),
    }
}

#[tokio::test]
async fn an_error_is_returned_although_it_could_not_be_reported() {
    let notes = Notes::failing_in("invoke");
    let ran = play(&notes, async |mut connection| {
        connection.registers().await;
        connection.gives(INVOKE).await;
        connection.takes(EXIT_ERROR).await;
        connection.answers("403 Forbidden", "", "no").await;
        connection
    });
    match ran.await {
        Err(RunError::Invoke { error, unreported: Some(unreported), .. }) => {
            assert_eq!(error.to_string(), "invoke\nfailed");
            assert!(matches!(unreported, Error::Refused { call: Call::ExitError, .. }));
        }
        other => panic!("it is {other:?}"),
    }
}

#[tokio::test]
async fn a_failed_shutdown_is_returned_and_nobody_is_told() {
    let notes = Notes::failing_in("shutdown");
    let ran = play(&notes, async |mut connection| {
        connection.registers().await;
        connection.gives(SHUTDOWN).await;
        connection
    });
    assert!(matches!(ran.await, Err(RunError::Shutdown { .. })));
}

#[tokio::test]
async fn a_connection_that_is_lost_while_an_event_is_waited_for_ends_an_extension_with_an_error() {
    let api = Api::new();
    let running = run_until(api.client(), Notes::default(), &[], pending());
    let (ran, ()) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes(REGISTER).await;
        connection.registers().await;
        connection.takes(GET_NEXT).await;
    })
    .await;
    assert!(matches!(ran, Err(RunError::Api(Error::Lost { call: Call::NextEvent, .. }))));
}

#[tokio::test]
async fn an_extension_that_waits_for_an_event_leaves_when_it_is_asked_to() {
    let api = Api::new();
    let notes = Notes::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = run_until(api.client(), notes.clone(), Events::none(), async {
        stopped.await.unwrap();
    });
    let (ran, ()) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes(REGISTER).await;
        connection.registers().await;
        connection.takes(GET_NEXT).await;
        stop.send(()).unwrap();
        connection.ends().await;
    })
    .await;
    ran.unwrap();
    assert_eq!(notes.heard(), ["init hello"]);
}

/// Is asked to end in the middle of an invocation.
struct Interrupted(Option<oneshot::Sender<()>>, Notes);

impl Handler for Interrupted {
    type Error = BoxError;

    async fn invoke(&mut self, event: Event) -> Result<(), BoxError> {
        self.0.take().ok_or("it was called again")?.send(()).map_err(|()| "nobody waits")?;
        tokio::task::yield_now().await;
        Ok(self.1.note("invoke", &event.request_id)?)
    }
}

#[tokio::test]
async fn an_extension_finishes_the_event_it_has_before_it_leaves() {
    let api = Api::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let notes = Notes::default();
    let handler = Interrupted(Some(stop), notes.clone());
    let running = run_until(api.client(), handler, &[EventType::Invoke], async {
        stopped.await.unwrap();
    });
    let (ran, ()) = both(running, async {
        let mut connection = api.accept().await;
        connection.takes(REGISTER).await;
        connection.registers().await;
        connection.gives(INVOKE).await;
        connection.ends().await;
    })
    .await;
    ran.unwrap();
    assert_eq!(notes.heard(), ["invoke r-1"]);
}

#[tokio::test]
async fn an_extension_can_be_a_task() {
    let api = Api::new();
    let running = tokio::spawn(run_until(api.client(), Notes::default(), &[], pending()));
    let mut connection = api.accept().await;
    connection.takes(REGISTER).await;
    connection.registers().await;
    connection.gives(SHUTDOWN).await;
    running.await.unwrap().unwrap();
}

#[test]
fn an_extension_with_signals_can_be_a_task_too() {
    fn can_be_a_task(_: impl Future<Output = Result<(), RunError>> + Send + 'static) {}
    let client = Client::with("logger", "127.0.0.1:1").unwrap();
    can_be_a_task(run_with(client, Notes::default(), Events::all()));
    can_be_a_task(run(Notes::default(), Events::none()));
}
