//! `rapid invoke`: starts the function, invokes it, prints its response and leaves.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rapid::{Console, Guard, InvokeAnswer, Running};

use crate::args::InvokeArgs;
use crate::config::Config;
use crate::exit::Exit;
use crate::serve::{Signals, shut_down};
use crate::{builder, cannot_start, say};

pub(crate) async fn run(
    args: InvokeArgs,
    command: Vec<OsString>,
    config: Config,
    guard: Option<Guard>,
) -> Exit {
    let payload = match payload(&args) {
        Ok(payload) => payload,
        Err(problem) => return say(&format!("rapid: {problem}"), Exit::Usage),
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!("rapid: signals cannot be watched: {error}"), Exit::Internal);
        }
    };
    // Standard output is for the response alone.
    let console = match Console::stderr() {
        Ok(console) => console,
        Err(error) => return say(&format!("rapid: {error}"), Exit::Internal),
    };
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = builder(command, &config, guard, console)
        .runtime_api_address(config.runtime_api_address.unwrap_or(free_port))
        .bind()
        .await;
    let running = match bound {
        Ok(bound) => bound.start().await,
        Err(error) => return cannot_start(&error),
    };
    let exit = tokio::select! {
        exit = invoke_all(&running, payload, args.repeat) => exit,
        exit = signals.next() => if exit == Exit::Ok { Exit::Internal } else { exit },
    };
    // The runtime gets the time to come back for its next event, so that the report is true.
    shut_down(running, config.shutdown_timeout, &mut signals).await;
    exit
}

async fn invoke_all(running: &Running, payload: Vec<u8>, repeat: u32) -> Exit {
    let payload = bytes(payload);
    for _ in 0..repeat {
        let exit = invoke_once(running, payload.clone()).await;
        if exit != Exit::Ok {
            return exit;
        }
    }
    Exit::Ok
}

async fn invoke_once(running: &Running, payload: rapid::Bytes) -> Exit {
    let (body, exit) = match running.invoke(payload).await {
        Ok(InvokeAnswer::Response(response)) => (response.payload, Exit::Ok),
        Ok(InvokeAnswer::Failed(failure, error)) => (error.payload, Exit::of_failure(&failure)),
        Err(refusal) => return say(&format!("rapid: {refusal}"), Exit::of_refusal(refusal)),
    };
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(&body)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    match printed {
        Ok(()) => exit,
        Err(error) => {
            say(&format!("rapid: the response cannot be printed: {error}"), Exit::Internal)
        }
    }
}

/// The event: `{}` when none was given.
fn payload(args: &InvokeArgs) -> Result<Vec<u8>, String> {
    match (&args.payload, &args.payload_file) {
        (Some(payload), _) => Ok(payload.clone().into_bytes()),
        (None, Some(file)) if file == Path::new("-") => {
            let mut payload = Vec::new();
            io::stdin().read_to_end(&mut payload).map_err(|error| {
                format!("the event cannot be read from standard input: {error}")
            })?;
            Ok(payload)
        }
        (None, Some(file)) => std::fs::read(file)
            .map_err(|error| format!("the event cannot be read from {}: {error}", file.display())),
        (None, None) => Ok(b"{}".to_vec()),
    }
}

fn bytes(payload: Vec<u8>) -> rapid::Bytes {
    rapid::Bytes::from(payload)
}
