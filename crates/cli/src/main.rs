#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod args;
mod call;
mod config;
mod endpoint;
mod event;
mod exit;
mod file;
mod invoke;
mod logging;
mod misspelt;
mod printer;
mod serve;
mod settings;
mod signals;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ColorChoice;
use clap::error::ErrorKind;
use rapid::async_invoke::AsyncInvokeError;
use rapid::{Builder, Console, Guard, Persona, RapidError, Reaping};

use crate::args::{Args, Task};
use crate::config::{Config, ConfigError, ProcessVars};
use crate::exit::Exit;

/// musl's own allocator gives every large body back to the system and asks for it again: large
/// invokes took nearly twice as long with it (docs/performance.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// How long the end waits for rapid's own log to be read.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How long the end waits for what is still being written to a disk.
const LAST_WRITES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let program = words.first().map(Path::new);
    let color = if logging::colored() { ColorChoice::Auto } else { ColorChoice::Never };
    let named = config::persona_of_program(program);
    let args = match Args::parse(words.iter().cloned(), color, named) {
        Ok(args) => args,
        Err(error) => return leave(refuse(&error), persona_of(&words)),
    };
    let config = match Config::resolve(&args, &ProcessVars, program) {
        Ok(config) => config,
        Err(error) => return leave(complain(&error), persona_of(&words)),
    };
    let path = std::env::var_os("PATH");
    // The emulator serves whatever it is given.
    let mistake = misspelt::complaint(&words, &args.task, &args.command, path.as_deref());
    if let Some(mistake) = mistake.filter(|_| config.persona == Persona::Aws) {
        return leave(say(&format!("rapid: {mistake}"), Exit::Usage), config.persona);
    }
    let log = match Console::stderr() {
        Ok(log) => log,
        Err(error) => {
            return leave(say(&format!("rapid: {error}"), Exit::Internal), config.persona);
        }
    };
    logging::start(config.persona, config.log_level, config.log_json, log.clone());
    for name in config::unknown_variables() {
        tracing::warn!(
            "the environment variable {name} means nothing to rapid; see `rapid --help`"
        );
    }
    // While there is a single thread: the guard outlives rapid by the moment it takes to end the
    // function's processes.
    let guard = args
        .task
        .starts_a_function()
        .then(|| {
            Guard::start().inspect_err(|error| {
                tracing::warn!(%error, "processes would survive if rapid were killed");
            })
        })
        .and_then(Result::ok);
    let persona = match args.task {
        Task::Serve => config.persona,
        // The emulator has nothing like it, so its codes say nothing here.
        Task::Invoke(_) | Task::Call(..) => Persona::Aws,
    };
    let exit = match runtime(config.threads) {
        Ok(runtime) => to_the_end(runtime, async {
            let exit = run(args, config, guard, log.clone()).await;
            // A reader that has stopped reading is not waited for.
            log.close(LAST_LINES).await;
            exit
        }),
        Err(error) => {
            say(&format!("rapid: the async runtime cannot be started: {error}"), Exit::Internal)
        }
    };
    leave(exit, persona)
}

/// The exit code, in the manner of the persona.
fn leave(exit: Exit, persona: Persona) -> ExitCode {
    match persona {
        Persona::Aws => exit.into(),
        Persona::Rie => exit.as_the_emulator().into(),
    }
}

/// Whose manners a command line asks for that could not be understood as a whole.
fn persona_of(words: &[OsString]) -> Persona {
    let asked = words.windows(2).any(|pair| pair[0] == "--compat" && pair[1] == "rie")
        || words.iter().any(|word| word == "--compat=rie");
    if asked { Persona::Rie } else { config::persona_of_program(words.first().map(Path::new)) }
}

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    if threads > 1 {
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }
}

/// Runs everything there is to do, and then waits a moment for threads that write to a disk, but not
/// for those that hang.
fn to_the_end<T>(runtime: tokio::runtime::Runtime, all: impl Future<Output = T>) -> T {
    let done = runtime.block_on(all);
    runtime.shutdown_timeout(LAST_WRITES);
    done
}

async fn run(args: Args, config: Config, guard: Option<Guard>, log: Console) -> Exit {
    if config.enable_init_caching {
        tracing::warn!("--enable-init-caching has no effect yet: every initialisation runs");
    }
    match args.task {
        Task::Serve => serve::run(args.command, config, guard).await,
        Task::Invoke(invoke) => invoke::run(invoke, args.command, config, guard, log).await,
        Task::Call(invoke, target) => call::run(invoke, target, config, log).await,
    }
}

/// What every execution environment of this binary has in common.
fn builder(
    command: Vec<OsString>,
    config: &Config,
    guard: Option<Guard>,
    console: Console,
) -> Builder {
    // What configures rapid is none of the function's business.
    let own =
        std::env::vars_os().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"RAPID_"));
    let mut builder = Builder::new()
        .persona(config.persona)
        .command(command)
        .env(own)
        .timeout(config.timeout)
        .init_timeout(config.init_timeout)
        .queue_limit(config.queue)
        .memory_mb(config.memory_mb)
        .function_version(&config.function_version)
        .region(&config.region)
        .reaping(Reaping::All)
        .console(console);
    if let Some(init) = config.init {
        builder = builder.init(init);
    }
    if let Some(name) = &config.function_name {
        builder = builder.function_name(name);
    }
    if let Some(handler) = &config.handler {
        builder = builder.handler(handler);
    }
    if let Some(directories) = &config.extension_dirs {
        builder = builder.extension_dirs(directories);
    }
    if let Some(telemetry) = config.telemetry {
        builder = builder.telemetry(telemetry);
    }
    builder = builder.origins(config.origins.clone());
    if let Some(file) = &config.hosts_file {
        builder = builder.hosts_file(file);
    }
    if let Some(tracing) = config.tracing {
        builder = builder.tracing(tracing);
    }
    if let Some(bandwidth) = config.stream_bandwidth {
        builder = builder.stream_bandwidth(bandwidth);
    }
    if let Some(account) = &config.account {
        builder = builder.account(account);
    }
    if let Some(log_group) = &config.log_group {
        builder = builder.log_group(log_group);
    }
    if let Some(log_stream) = &config.log_stream {
        builder = builder.log_stream(log_stream);
    }
    if let Some(guard) = guard {
        builder = builder.guard(guard);
    }
    builder
}

/// Says why an execution environment could not be set up, and what to do about it.
fn cannot_start(error: &RapidError) -> Exit {
    let (advice, exit) = match error {
        RapidError::Listen { api, reason, .. } => {
            let flag = match *api {
                "Runtime API" => "--runtime-api-address",
                "function URL" => "--function-url",
                _ => "--address",
            };
            let advice = if reason.kind() == std::io::ErrorKind::AddrInUse {
                format!(
                    "Stop what listens there, or choose another address with {flag}; port 0 picks \
                     a free port."
                )
            } else {
                format!("Choose an address of this machine with {flag}.")
            };
            (advice, Exit::Listen)
        }
        RapidError::NotLoopback { .. } => {
            ("Choose an address of loopback with --runtime-api-address.".to_owned(), Exit::Usage)
        }
        RapidError::Tracing { .. } => (
            "Correct it, or let rapid itself report nothing with --tracing off.".to_owned(),
            Exit::Usage,
        ),
        // It says what is wrong; the command line was checked before.
        RapidError::AsyncInvoke(AsyncInvokeError::Target { .. }) => (String::new(), Exit::Usage),
        RapidError::AsyncInvoke(_) => {
            ("Choose another directory with --async-dir.".to_owned(), Exit::Usage)
        }
        RapidError::BadName { .. } => ("See `rapid --help`.".to_owned(), Exit::Usage),
        RapidError::Supervisor(_) | RapidError::Output(_) | RapidError::CurrentDirectory(_) => {
            (String::new(), Exit::Internal)
        }
    };
    say(format!("rapid: {error}. {advice}").trim_end(), exit)
}

/// Shows what clap has to say: help and version on standard output, the rest as an error.
fn refuse(error: &clap::Error) -> Exit {
    // Nothing is left to be told when the terminal has gone.
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        Exit::Ok
    } else {
        Exit::Usage
    }
}

fn complain(error: &ConfigError) -> Exit {
    for problem in &error.0 {
        say(&format!("rapid: {problem}"), Exit::Usage);
    }
    say("rapid: see `rapid --help`", Exit::Usage)
}

/// Writes a line to standard error and hands the exit code on.
fn say(line: &str, exit: Exit) -> Exit {
    // Nothing is left to be told when standard error has gone.
    let _ = writeln!(std::io::stderr(), "{line}");
    exit
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_hangs_is_not_waited_for() {
        let (ended, end) = mpsc::channel();
        let (_never, hangs) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            to_the_end(runtime(1).unwrap(), async {
                let (begun, begin) = tokio::sync::oneshot::channel();
                tokio::task::spawn_blocking(move || {
                    begun.send(()).unwrap();
                    hangs.recv()
                });
                begin.await.unwrap();
            });
            ended.send(()).unwrap();
        });
        end.recv_timeout(Duration::from_secs(60)).expect("it ends");
    }
}
