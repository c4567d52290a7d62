//! Signals, and the shutdown that they ask for.

use std::time::Duration;

use rapid::Running;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that ends rapid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGTERM: somebody wants it gone. SIGHUP (the terminal has gone) and SIGQUIT mean the same.
    Terminate,
    /// SIGINT: whoever sits at the terminal does not want to wait.
    Interrupt,
}

/// The signals that end rapid.
pub(crate) struct Signals {
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not end the process any more.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves with the next signal.
    pub(crate) async fn next(&mut self) -> Asked {
        let (signal, asked) = tokio::select! {
            _ = self.terminate.recv() => ("terminated", Asked::Terminate),
            _ = self.hang_up.recv() => ("hangup", Asked::Terminate),
            _ = self.quit.recv() => ("quit", Asked::Terminate),
            _ = self.interrupt.recv() => ("interrupt", Asked::Interrupt),
        };
        tracing::info!(signal, "Received signal");
        asked
    }
}

/// Ends in order: the running invocation may go on for `budget`, then the processes have their
/// time. A second signal kills them all at once.
pub(crate) async fn shut_down(running: Running, budget: Duration, signals: &mut Signals) {
    tracing::info!("Shutting down...");
    let handle = running.handle().clone();
    let shutdown = running.shutdown(budget);
    tokio::pin!(shutdown);
    let done = tokio::select! {
        done = &mut shutdown => done,
        _ = signals.next() => {
            handle.end();
            shutdown.await
        }
    };
    if !done.clean {
        tracing::error!("some processes could not be ended");
    }
}
