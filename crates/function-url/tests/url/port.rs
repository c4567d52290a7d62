//! A port that does as it is told and remembers what it was given.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame};
use rapid_fatal_error::ErrorType;
use rapid_interop::mode::{FunctionResponseMode, ResponseMode};
use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal, Invoked};
use rapid_interop::{
    ErrorInvokeResponse, ErrorResponseTooLarge, FunctionError, Invoke, InvokeResponseHeaders,
    InvokeStream, Mono, StreamEnd, StreamableInvokeResponse,
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) const INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What `invoke` does.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    /// The runtime's response, with what it says about it.
    Respond(InvokeResponseHeaders, Bytes),
    /// The runtime's response as a test feeds it.
    Stream(InvokeResponseHeaders, Arc<Mutex<Option<Fed>>>),
    /// A function error with a body that is not for clients.
    Fail(Failure),
    Refuse(InvokeRefusal),
    /// Never answers.
    Hang,
}

impl Play {
    /// As runtimes respond that do not stream.
    pub(crate) fn json(output: impl AsRef<[u8]>) -> Self {
        Self::typed("application/json", output)
    }

    pub(crate) fn typed(content_type: &'static str, output: impl AsRef<[u8]>) -> Self {
        let headers = InvokeResponseHeaders {
            content_type: Some(HeaderValue::from_static(content_type)),
            ..InvokeResponseHeaders::default()
        };
        Self::Respond(headers, Bytes::copy_from_slice(output.as_ref()))
    }

    /// As runtimes respond that stream.
    pub(crate) fn streamed(content_type: &'static str, output: impl AsRef<[u8]>) -> Self {
        Self::Respond(of_stream(content_type), Bytes::copy_from_slice(output.as_ref()))
    }

    /// The same, piece by piece.
    pub(crate) fn fed(content_type: &'static str) -> (Self, Feed) {
        let (piece, pieces) = mpsc::channel(1);
        let (ended, end) = oneshot::channel();
        let fed = Arc::new(Mutex::new(Some(Fed { pieces, end })));
        (Self::Stream(of_stream(content_type), fed), Feed { pieces: piece, end: ended })
    }
}

fn of_stream(content_type: &'static str) -> InvokeResponseHeaders {
    InvokeResponseHeaders {
        content_type: Some(HeaderValue::from_static(content_type)),
        function_response_mode: FunctionResponseMode(ResponseMode::Streaming),
    }
}

/// What feeds a stream.
#[derive(Debug)]
pub(crate) struct Feed {
    pieces: mpsc::Sender<Bytes>,
    end: oneshot::Sender<StreamEnd>,
}

impl Feed {
    pub(crate) async fn piece(&self, piece: &'static str) {
        self.pieces.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
    }

    /// Nobody wants more of it.
    pub(crate) async fn is_dropped(&self) {
        self.pieces.closed().await;
    }

    pub(crate) fn end(self, failure: Option<Failure>) {
        let error = ErrorResponseTooLarge::default().as_error_response();
        let failure = failure.map(|failure| (failure, error));
        // Nobody may be there any more.
        let _ = self.end.send(StreamEnd { failure, log_tail: None });
    }
}

/// What a stream is fed with.
#[derive(Debug)]
pub(crate) struct Fed {
    pieces: mpsc::Receiver<Bytes>,
    end: oneshot::Receiver<StreamEnd>,
}

struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FakePort {
    play: Arc<Mutex<Play>>,
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
            invoked: watch::channel(Vec::new()).0,
            given_up: watch::channel(0).0,
            seconds: Arc::default(),
        }
    }

    pub(crate) fn plays(&self, play: Play) {
        *self.play.lock().unwrap() = play;
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

    /// The event of that.
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.invocation().payload).unwrap()
    }

    pub(crate) async fn is_invoked(&self) {
        self.invoked.subscribe().wait_for(|invoked| !invoked.is_empty()).await.unwrap();
    }

    pub(crate) async fn is_given_up(&self) {
        self.given_up.subscribe().wait_for(|given_up| *given_up > 0).await.unwrap();
    }
}

impl Default for FakePort {
    fn default() -> Self {
        Self::new(Play::json("\"done\""))
    }
}

impl InvokePort for FakePort {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, InvokeRefusal> {
        self.invoked.send_modify(|invoked| invoked.push(invoke));
        let play = self.play.lock().unwrap().clone();
        let answer = match play {
            Play::Respond(headers, payload) => {
                InvokeAnswer::Response(StreamableInvokeResponse { headers, payload })
            }
            Play::Stream(headers, fed) => {
                let Fed { pieces, end } = fed.lock().unwrap().take().unwrap();
                let end = Box::pin(async { end.await.unwrap() });
                InvokeAnswer::Streamed(InvokeStream {
                    headers,
                    body: Box::pin(Pieces(pieces)),
                    end,
                })
            }
            Play::Fail(failure) => {
                let error = ErrorInvokeResponse {
                    headers: InvokeResponseHeaders::default(),
                    payload: Bytes::from_static(b"{\"errorMessage\":\"secret\"}"),
                    function_error: FunctionError {
                        error_type: ErrorType::RuntimeUnknown,
                        message: "secret".to_owned(),
                    },
                };
                InvokeAnswer::Failed(failure, error)
            }
            Play::Refuse(refusal) => return Err(refusal),
            Play::Hang => {
                let _given_up = GivenUp(self.given_up.clone());
                std::future::pending().await
            }
        };
        Ok(Invoked { answer, log_tail: None })
    }

    fn health(&self) -> Health {
        Health::Ready
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
