//! `rapid serve`: serves until a signal comes.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rapid::{Console, Guard, Persona, Running, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::exit::Exit;
use crate::{builder, cannot_start, say};

/// Where the Runtime API listens when nothing was said.
const RUNTIME_API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

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

    /// Resolves with the exit code of the next signal.
    pub(crate) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.terminate.recv() => {
                tracing::info!(signal = "terminated", "Received signal");
                Exit::Ok
            }
            _ = self.interrupt.recv() => {
                tracing::info!(signal = "interrupt", "Received signal");
                Exit::Interrupted
            }
        }
    }
}

pub(crate) async fn run(command: Vec<OsString>, config: Config, guard: Option<Guard>) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!("rapid: signals cannot be watched: {error}"), Exit::Internal);
        }
    };
    let console = match Console::stdout() {
        Ok(console) => console,
        Err(error) => return say(&format!("rapid: {error}"), Exit::Internal),
    };
    let bound = builder(command, &config, guard, console)
        .invoke_api_address(config.address)
        .runtime_api_address(config.runtime_api_address.unwrap_or(RUNTIME_API))
        .bind()
        .await;
    let bound = match bound {
        Ok(bound) => bound,
        Err(error) => return cannot_start(&error),
    };
    announce(&config, bound.invoke_api_address(), bound.runtime_api_address());
    let running = bound.start().await;
    let exit = signals.next().await;
    shut_down(running, config.shutdown_timeout, &mut signals).await;
    exit
}

/// Says where invocations are taken; one line, because whoever chose port 0 has to read it.
fn announce(config: &Config, invoke: Option<SocketAddr>, runtime: SocketAddr) {
    let Some(invoke) = invoke else { return };
    if config.persona == Persona::Rie && config.address.port() != 0 {
        tracing::info!(address = %invoke, runtime_api = %runtime, "listening");
        return;
    }
    let host = if invoke.ip().is_unspecified() {
        format!("localhost:{}", invoke.port())
    } else {
        invoke.to_string()
    };
    say(
        &format!(
            "rapid: invoke at http://{host}/2015-03-31/functions/function/invocations \
             (Runtime API at {runtime})"
        ),
        Exit::Ok,
    );
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
