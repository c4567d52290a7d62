//! `rapid invoke`: starts the function, invokes it, prints its response and leaves.

use std::ffi::OsString;
use std::fs::File;
use std::future::ready;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::BodyExt as _;
use rapid::{Console, Guard, InvokeAnswer, InvokePort as _, Persona, Running};
use rapid_interop::mode::{InvokeResponseMode, ResponseMode};
use rapid_interop::{InvokeStream, StreamEnd};

use crate::args::InvokeArgs;
use crate::config::Config;
use crate::event::Event;
use crate::exit::Exit;
use crate::printer::{Printer, Unprintable, cut_off};
use crate::signals::{Signals, shut_down};
use crate::{builder, cannot_start, say};

pub(crate) async fn run(
    args: InvokeArgs,
    command: Vec<OsString>,
    config: Config,
    guard: Option<Guard>,
    stderr: Console,
) -> Exit {
    if args.tail && config.persona == Persona::Rie {
        let problem = "rapid: --tail: with --compat rie no log is kept; leave one of them out, and \
                       the whole log is shown";
        return say(problem, Exit::Usage);
    }
    let event = match Event::read(&args, config.persona) {
        Ok(event) => event,
        Err(problem) => return say(&format!("rapid: {problem}"), Exit::Usage),
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!("rapid: signals cannot be watched: {error}"), Exit::Internal);
        }
    };
    let printer = match Printer::new(stderr.clone()) {
        Ok(printer) => printer,
        Err(exit) => return exit,
    };
    // Standard output is for the response alone. Whoever wants the last of the log wants it alone.
    let log = match args.tail.then(nowhere) {
        None => stderr,
        Some(Ok(nowhere)) => nowhere,
        Some(Err(exit)) => return exit,
    };
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = builder(command, &config, guard, log)
        .runtime_api_address(config.runtime_api_address.unwrap_or(free_port))
        .bind()
        .await;
    let running = match bound {
        Ok(bound) => bound.start().await,
        Err(error) => return cannot_start(&error),
    };
    let (exit, budget) = tokio::select! {
        // The runtime gets the time to come back for its next event, so that the report is true.
        exit = invoke_all(&running, &event, &args, &printer) => (exit, config.shutdown_timeout),
        // Nobody waits for the response any more.
        asked = signals.next() => (Exit::of_signal(asked), Duration::ZERO),
    };
    shut_down(running, budget, &mut signals).await;
    exit
}

fn nowhere() -> Result<Console, Exit> {
    let opened = File::options().write(true).open("/dev/null");
    match opened.map(|file| Console::to(file.into())) {
        Ok(Ok(console)) => Ok(console),
        Ok(Err(error)) => Err(say(&format!("rapid: {error}"), Exit::Internal)),
        Err(error) => Err(say(&format!("rapid: /dev/null: {error}"), Exit::Internal)),
    }
}

async fn invoke_all(
    running: &Running,
    event: &Event,
    args: &InvokeArgs,
    printer: &Printer,
) -> Exit {
    for _ in 0..args.repeat {
        let exit = match invoke_once(running, event, args, printer).await {
            Ok(exit) => exit,
            Err(unprintable) => unprintable.say(),
        };
        if exit != Exit::Ok {
            return exit;
        }
    }
    Exit::Ok
}

async fn invoke_once(
    running: &Running,
    event: &Event,
    args: &InvokeArgs,
    printer: &Printer,
) -> Result<Exit, Unprintable> {
    let mut invoke = running.invocation(event.payload.clone());
    invoke.client_context.clone_from(&event.client_context);
    invoke.log_tail = args.tail;
    if args.stream {
        invoke.response_mode = InvokeResponseMode(ResponseMode::Streaming);
    }
    let invoked = match running.handle().invoke(invoke).await {
        Ok(invoked) => invoked,
        Err(refusal) => {
            return Ok(say(&format!("rapid: {refusal}"), Exit::of_refusal(refusal)));
        }
    };
    let (body, exit) = match invoked.answer {
        InvokeAnswer::Response(response) => (response.payload, Exit::Ok),
        InvokeAnswer::Failed(failure, error) => (error.payload, Exit::of_failure(&failure)),
        InvokeAnswer::Streamed(stream) => return print_stream(stream, printer).await,
    };
    if args.stream {
        printer.piece(&body).await?;
    } else {
        printer.line(&body).await?;
    }
    if let Some(log) = invoked.log_tail {
        printer.tail(&log);
    }
    Ok(exit)
}

/// Prints a response as it comes. An error before the first byte is the response, as it is of one
/// that comes whole; a later one is said on standard error.
async fn print_stream(stream: InvokeStream, printer: &Printer) -> Result<Exit, Unprintable> {
    let InvokeStream { mut body, mut end, .. } = stream;
    let mut ended: Option<StreamEnd> = None;
    let mut has_begun = false;
    loop {
        // Nobody may be left to end the body of an invocation that has failed: what had come before
        // is printed, and no more is waited for.
        let has_failed = ended.as_ref().is_some_and(|end| end.failure.is_some());
        tokio::select! {
            biased;
            frame = body.frame() => match frame {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        has_begun |= !piece.is_empty();
                        printer.piece(&piece).await?;
                    }
                }
                Some(Err(never)) => match never {},
                None => break,
            },
            told = &mut end, if ended.is_none() => ended = Some(told),
            () = ready(()), if has_failed => break,
        }
    }
    let ended = match ended {
        Some(ended) => ended,
        None => end.await,
    };
    let exit = match &ended.failure {
        None => Exit::Ok,
        Some((failure, _)) => Exit::of_failure(failure),
    };
    let error = ended.failure.map(|(_, error)| error.payload);
    if let Some(error) = error.as_deref().filter(|_| !has_begun) {
        printer.piece(error).await?;
    }
    if let Some(log) = ended.log_tail {
        printer.tail(&log);
    }
    Ok(match error.filter(|_| has_begun) {
        None => exit,
        Some(error) => cut_off(&error, exit),
    })
}
