//! `rapid invoke`: starts the function, invokes it, prints its response and leaves.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rapid::{Bytes, Console, Guard, InvokeAnswer, Persona, Running};
use serde::de::IgnoredAny;

use crate::args::InvokeArgs;
use crate::config::Config;
use crate::exit::Exit;
use crate::signals::{Asked, Signals, shut_down};
use crate::{builder, cannot_start, say};

pub(crate) async fn run(
    args: InvokeArgs,
    command: Vec<OsString>,
    config: Config,
    guard: Option<Guard>,
    stderr: Console,
) -> Exit {
    let payload = match payload(&args, config.persona) {
        Ok(payload) => payload,
        Err(problem) => return say(&format!("rapid: {problem}"), Exit::Usage),
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!("rapid: signals cannot be watched: {error}"), Exit::Internal);
        }
    };
    let stdout = match Console::stdout() {
        Ok(stdout) => stdout,
        Err(error) => return say(&format!("rapid: {error}"), Exit::Internal),
    };
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // Standard output is for the response alone.
    let bound = builder(command, &config, guard, stderr)
        .runtime_api_address(config.runtime_api_address.unwrap_or(free_port))
        .bind()
        .await;
    let running = match bound {
        Ok(bound) => bound.start().await,
        Err(error) => return cannot_start(&error),
    };
    let (exit, budget) = tokio::select! {
        // The runtime gets the time to come back for its next event, so that the report is true.
        exit = invoke_all(&running, payload, args.repeat, &stdout) => (exit, config.shutdown_timeout),
        // Nobody waits for the response any more.
        asked = signals.next() => match asked {
            Asked::Terminate => (Exit::Terminated, Duration::ZERO),
            Asked::Interrupt => (Exit::Interrupted, Duration::ZERO),
        },
    };
    shut_down(running, budget, &mut signals).await;
    exit
}

async fn invoke_all(running: &Running, payload: Bytes, repeat: u32, stdout: &Console) -> Exit {
    for _ in 0..repeat {
        let exit = invoke_once(running, payload.clone(), stdout).await;
        if exit != Exit::Ok {
            return exit;
        }
    }
    Exit::Ok
}

async fn invoke_once(running: &Running, payload: Bytes, stdout: &Console) -> Exit {
    let (body, exit) = match running.invoke(payload).await {
        Ok(InvokeAnswer::Response(response)) => (response.payload, Exit::Ok),
        Ok(InvokeAnswer::Failed(failure, error)) => (error.payload, Exit::of_failure(&failure)),
        Err(refusal) => return say(&format!("rapid: {refusal}"), Exit::of_refusal(refusal)),
    };
    // Never on this thread, which serves the function: a reader may take its time.
    stdout.write(&body);
    stdout.write(b"\n");
    stdout.flush().await;
    if stdout.is_open() {
        exit
    } else {
        let problem = "rapid: the response cannot be printed: standard output is full or closed";
        say(problem, Exit::Internal)
    }
}

/// The event: `{}` when none was given. It has to be JSON, as for the served Invoke API.
fn payload(args: &InvokeArgs, persona: Persona) -> Result<Bytes, String> {
    let (event, source) = match (&args.payload, &args.payload_file) {
        (Some(payload), _) => (payload.clone().into_bytes(), "--payload".to_owned()),
        (None, Some(file)) if file == Path::new("-") => {
            let mut event = Vec::new();
            io::stdin().read_to_end(&mut event).map_err(|error| {
                format!("the event cannot be read from standard input: {error}")
            })?;
            (event, "standard input".to_owned())
        }
        (None, Some(file)) => {
            let event = std::fs::read(file).map_err(|error| {
                format!("the event cannot be read from {}: {error}", file.display())
            })?;
            (event, file.display().to_string())
        }
        (None, None) => (b"{}".to_vec(), "the default".to_owned()),
    };
    if persona == Persona::Aws && event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let limit = persona.request_limit();
    if event.len() > limit {
        let size = event.len();
        return Err(format!("the event from {source} has {size} bytes, more than {limit}"));
    }
    if persona == Persona::Aws
        && let Err(error) = serde_json::from_slice::<IgnoredAny>(&event)
    {
        return Err(format!("the event from {source} is not JSON: {error}"));
    }
    Ok(Bytes::from(event))
}
