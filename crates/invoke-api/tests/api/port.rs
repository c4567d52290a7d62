//! A port that does as it is told and remembers what it was given.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderValue;
use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal, Invoked};
use rapid_interop::{
    ErrorInvokeResponse, FunctionError, Invoke, InvokeResponseHeaders, InvokeStream, Mono,
    StreamableInvokeResponse,
};
use tokio::sync::watch;

/// What `invoke` does.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    /// The runtime's response, with a content type of its own.
    Respond(Bytes),
    /// A function error with this body.
    Fail(Failure, &'static str),
    Refuse(InvokeRefusal),
    /// The runtime's response while it comes, once.
    Stream(Arc<Mutex<Option<InvokeStream>>>),
    /// Never answers.
    Hang,
    Panic,
}

#[derive(Clone, Debug)]
pub(crate) struct FakePort {
    play: Arc<Mutex<Play>>,
    health: Arc<Mutex<Health>>,
    invoked: watch::Sender<Vec<Invoke>>,
    /// How many invocations were given up before they were answered.
    given_up: watch::Sender<usize>,
    /// Each look at the clock finds it a second later.
    seconds: Arc<Mutex<u64>>,
}

impl FakePort {
    pub(crate) fn new(play: Play) -> Self {
        Self {
            play: Arc::new(Mutex::new(play)),
            health: Arc::new(Mutex::new(Health::Ready)),
            invoked: watch::channel(Vec::new()).0,
            given_up: watch::channel(0).0,
            seconds: Arc::default(),
        }
    }

    pub(crate) fn plays(&self, play: Play) {
        *self.play.lock().unwrap() = play;
    }

    pub(crate) fn is(&self, health: Health) {
        *self.health.lock().unwrap() = health;
    }

    pub(crate) fn invocations(&self) -> usize {
        self.invoked.borrow().len()
    }

    /// The one invocation it was given.
    pub(crate) fn invocation(&self) -> Invoke {
        let invoked = self.invoked.borrow();
        assert_eq!(invoked.len(), 1);
        invoked[0].clone()
    }

    pub(crate) async fn is_invoked(&self) {
        self.invoked.subscribe().wait_for(|invoked| !invoked.is_empty()).await.unwrap();
    }

    pub(crate) fn given_up(&self) -> usize {
        *self.given_up.borrow()
    }

    pub(crate) async fn is_given_up(&self) {
        self.given_up.subscribe().wait_for(|given_up| *given_up > 0).await.unwrap();
    }
}

impl Default for FakePort {
    fn default() -> Self {
        Self::new(Play::Respond(Bytes::from_static(b"\"done\"")))
    }
}

impl InvokePort for FakePort {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, InvokeRefusal> {
        let log_tail = invoke.log_tail.then_some(Bytes::from_static(b"START\nEND\n"));
        self.invoked.send_modify(|invoked| invoked.push(invoke));
        let play = self.play.lock().unwrap().clone();
        let headers = InvokeResponseHeaders {
            content_type: Some(HeaderValue::from_static("image/png")),
            ..InvokeResponseHeaders::default()
        };
        match play {
            Play::Respond(payload) => {
                let response = StreamableInvokeResponse { headers, payload };
                Ok(Invoked { answer: InvokeAnswer::Response(response), log_tail })
            }
            Play::Fail(failure, body) => {
                let error = ErrorInvokeResponse {
                    headers,
                    payload: Bytes::from_static(body.as_bytes()),
                    function_error: FunctionError {
                        error_type: ErrorType::RuntimeUnknown,
                        message: "not for the invoker".to_owned(),
                    },
                };
                Ok(Invoked { answer: InvokeAnswer::Failed(failure, error), log_tail })
            }
            Play::Refuse(refusal) => Err(refusal),
            Play::Stream(stream) => {
                let stream = stream.lock().unwrap().take().unwrap();
                Ok(Invoked { answer: InvokeAnswer::Streamed(stream), log_tail: None })
            }
            Play::Hang => {
                let _given_up = GivenUp(self.given_up.clone());
                std::future::pending().await
            }
            Play::Panic => panic!("the port was told to panic"),
        }
    }

    fn health(&self) -> Health {
        *self.health.lock().unwrap()
    }

    fn now(&self) -> Mono {
        let mut seconds = self.seconds.lock().unwrap();
        *seconds += 1;
        Mono::from_nanos(*seconds * 1_000_000_000)
    }
}

/// Counts when it is dropped.
struct GivenUp(watch::Sender<usize>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}
