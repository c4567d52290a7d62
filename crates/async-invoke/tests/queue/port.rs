//! A port that does as it is told and remembers what it was given, and when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal, Invoked};
use rapid_interop::{
    ErrorInvokeResponse, Invoke, InvokeResponseHeaders, Mono, StreamableInvokeResponse,
};
use tokio::sync::watch;
use tokio::time::Instant;

/// What an attempt does.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    Respond(&'static str),
    Fail,
    Throttle,
    /// Never answers.
    Hang,
    /// Answers when it is let go on.
    Wait,
    Panic,
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Seconds since the port was made.
    pub(crate) second: u64,
    pub(crate) invoke: Invoke,
}

#[derive(Clone, Debug)]
pub(crate) struct FakePort {
    origin: Instant,
    /// One after the other; the last again and again.
    plays: Arc<Mutex<VecDeque<Play>>>,
    attempts: watch::Sender<Vec<Attempt>>,
    goes_on: watch::Sender<bool>,
    /// How many run, and how many ever ran at the same time.
    running: Arc<Mutex<(usize, usize)>>,
}

impl FakePort {
    pub(crate) fn new(plays: impl IntoIterator<Item = Play>) -> Self {
        Self {
            origin: Instant::now(),
            plays: Arc::new(Mutex::new(plays.into_iter().collect())),
            attempts: watch::channel(Vec::new()).0,
            goes_on: watch::channel(false).0,
            running: Arc::default(),
        }
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.borrow().clone()
    }

    /// When each attempt was made.
    pub(crate) fn seconds(&self) -> Vec<u64> {
        self.attempts.borrow().iter().map(|attempt| attempt.second).collect()
    }

    pub(crate) async fn has_made(&self, attempts: usize) {
        self.attempts.subscribe().wait_for(|made| made.len() >= attempts).await.unwrap();
    }

    pub(crate) fn go_on(&self) {
        self.goes_on.send_replace(true);
    }

    pub(crate) fn most_at_the_same_time(&self) -> usize {
        self.running.lock().unwrap().1
    }

    fn next_play(&self) -> Play {
        let mut plays = self.plays.lock().unwrap();
        if plays.len() > 1 { plays.pop_front().unwrap() } else { plays.front().unwrap().clone() }
    }
}

fn respond(payload: &'static str) -> Invoked {
    let headers = InvokeResponseHeaders::default();
    let payload = Bytes::from_static(payload.as_bytes());
    InvokeAnswer::Response(StreamableInvokeResponse { headers, payload }).into()
}

impl InvokePort for FakePort {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, InvokeRefusal> {
        let second = self.origin.elapsed().as_secs();
        let id = invoke.id.clone();
        let _running = Running::new(&self.running);
        self.attempts.send_modify(|made| made.push(Attempt { second, invoke }));
        match self.next_play() {
            Play::Respond(payload) => Ok(respond(payload)),
            Play::Fail => {
                let error =
                    ErrorInvokeResponse::formatted(ErrorType::RuntimeUnknown, &"no", Some(&id));
                Ok(InvokeAnswer::Failed(Failure::Reported, error).into())
            }
            Play::Throttle => Err(InvokeRefusal::TooManyRequests),
            Play::Hang => std::future::pending().await,
            Play::Wait => {
                self.goes_on.subscribe().wait_for(|goes_on| *goes_on).await.unwrap();
                Ok(respond("\"waited\""))
            }
            Play::Panic => panic!("the port was told to panic"),
        }
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn now(&self) -> Mono {
        Mono::from_nanos(7)
    }
}

struct Running<'a>(&'a Mutex<(usize, usize)>);

impl<'a> Running<'a> {
    fn new(running: &'a Mutex<(usize, usize)>) -> Self {
        let mut counts = running.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}
