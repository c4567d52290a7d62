//! [`Seldom`]: a future that hardly ever has anything to say.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

/// Polls a future only when that was woken itself, not whenever its task is.
///
/// A connection's task is woken several times for each request. What ends connections would be
/// asked every time, and that costs more than a request should.
pub(crate) struct Seldom<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

struct Bell {
    rang: AtomicBool,
    /// Whom to wake.
    task: AtomicWaker,
}

impl<F> Seldom<F> {
    pub(crate) fn new(future: F) -> Self {
        // It has to be asked once before it can ring.
        let bell = Arc::new(Bell { rang: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { future: Box::pin(future), waker: Arc::clone(&bell).into(), bell }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // First who is to be woken, then the look: a ring in between wakes.
        self.bell.task.register(context.waker());
        if !self.bell.rang.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let Self { future, waker, .. } = &mut *self;
        future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn it_is_asked_at_first_and_when_it_was_woken() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = oneshot::channel();
        let counter = Arc::clone(&asked);
        let future = poll_fn(move |context| {
            counter.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut receiver).poll(context)
        });
        let mut seldom = Seldom::new(future);
        for _ in 0..10 {
            assert!(
                poll_fn(|context| Poll::Ready(Pin::new(&mut seldom).poll(context).is_pending()))
                    .await
            );
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        sender.send("news").unwrap();
        assert_eq!(seldom.await, Ok("news"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_wakes_whoever_asked_last() {
        let (sender, receiver) = oneshot::channel();
        let mut seldom = Seldom::new(receiver);
        assert!(
            poll_fn(|context| Poll::Ready(Pin::new(&mut seldom).poll(context).is_pending())).await
        );
        let waits = tokio::spawn(seldom);
        tokio::task::yield_now().await;
        sender.send(()).unwrap();
        assert_eq!(waits.await.unwrap(), Ok(()));
    }
}
