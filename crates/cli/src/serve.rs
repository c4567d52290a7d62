//! `rapid serve`: serves until a signal comes.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rapid::{Console, Guard, Persona};

use crate::config::Config;
use crate::exit::Exit;
use crate::signals::{Asked, Signals, shut_down};
use crate::{builder, cannot_start, say};

/// Where the Runtime API listens when nothing was said.
const RUNTIME_API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

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
    let mut builder = builder(command, &config, guard, console)
        .invoke_api_address(config.address)
        .runtime_api_address(config.runtime_api_address.unwrap_or(RUNTIME_API));
    // Here alone: `rapid invoke` leaves what is in the directory to who serves.
    if let Some(async_invokes) = &config.async_invokes {
        builder = builder.async_invokes(async_invokes.clone());
    }
    if let Some(url) = &config.function_url {
        builder = builder.function_url(url.clone());
    }
    let bound = match builder.bind().await {
        Ok(bound) => bound,
        Err(error) => return cannot_start(&error),
    };
    announce(&config, bound.invoke_api_address(), bound.runtime_api_address());
    if let Some(address) = bound.function_url_address() {
        say(&format!("rapid: open http://{}/ (function URL)", reachable(address)), Exit::Ok);
    }
    let running = bound.start().await;
    let asked = tokio::select! {
        asked = signals.next() => asked,
        () = running.ended() => {
            return say("rapid: the execution environment ended by itself; please report this", Exit::Internal);
        }
    };
    shut_down(running, config.shutdown_timeout, &mut signals).await;
    match asked {
        Asked::Terminate => Exit::Ok,
        Asked::Interrupt => Exit::Interrupted,
    }
}

/// Says where invocations are taken; one line, because whoever chose port 0 has to read it.
fn announce(config: &Config, invoke: Option<SocketAddr>, runtime: SocketAddr) {
    let Some(invoke) = invoke else { return };
    if config.persona == Persona::Rie && config.address.port() != 0 {
        tracing::info!(address = %invoke, runtime_api = %runtime, "listening");
        return;
    }
    say(
        &format!(
            "rapid: invoke at http://{}/2015-03-31/functions/function/invocations \
             (Runtime API at {runtime})",
            reachable(invoke)
        ),
        Exit::Ok,
    );
}

/// What a client on this machine connects to.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}
