//! What ends an extension from outside.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end an extension.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not end the process by themselves any more.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves with the next signal.
    pub(crate) async fn next(&mut self) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::debug!(signal, "asked to end");
    }
}

/// What `work` comes to; `None` when `stop` is first.
///
/// Work is not begun when it is too late already. Once it has begun, its outcome counts if both
/// come at the same moment. `stop` must not be used again after `None`.
pub(crate) async fn unless<T>(
    mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    work: impl Future<Output = T> + Send,
) -> Option<T> {
    let mut work = pin!(work);
    let mut begun = false;
    poll_fn(|context| {
        if begun && let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome));
        }
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if begun {
            return Poll::Pending;
        }
        begun = true;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn work_is_not_begun_when_it_is_too_late() {
        let stop = pin!(ready(()));
        let work = async { panic!("it was begun") };
        assert_eq!(unless(stop, work).await, None::<()>);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_that_waits_is_given_up() {
        let stop = pin!(tokio::task::yield_now());
        assert_eq!(unless(stop, pending::<()>()).await, None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_outcome_counts_also_when_it_comes_with_the_end() {
        let stop = pin!(tokio::task::yield_now());
        assert_eq!(unless(stop, tokio::task::yield_now()).await, Some(()));
        assert_eq!(unless(pin!(pending()), ready(1)).await, Some(1));
    }
}
