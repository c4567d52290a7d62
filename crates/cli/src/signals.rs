//! Signals, and the shutdown that they ask for.

use std::time::Duration;

use rapid::{Running, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that ends rapid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGTERM: somebody wants it gone.
    Terminate,
    /// SIGINT: whoever sits at the terminal does not want to wait.
    Interrupt,
}

/// The signals that end rapid.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not end the process any more.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves with the next signal.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => {
                tracing::info!(signal = "terminated", "Received signal");
                Asked::Terminate
            }
            _ = self.interrupt.recv() => {
                tracing::info!(signal = "interrupt", "Received signal");
                Asked::Interrupt
            }
        }
    }
}

/// Ends in order; a second signal ends it at once.
pub(crate) async fn shut_down(running: Running, budget: Duration, signals: &mut Signals) {
    tracing::info!("Shutting down...");
    let handle = running.handle().clone();
    let shutdown = running.shutdown(budget);
    tokio::pin!(shutdown);
    let done = tokio::select! {
        done = &mut shutdown => done,
        _ = signals.next() => {
            tokio::join!(shutdown, handle.shutdown(Shutdown { budget: Duration::ZERO })).0
        }
    };
    if !done.clean {
        tracing::error!("some processes could not be ended");
    }
}
