//! The project's chores, run with `cargo xtask`; `cargo xtask help` lists them.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it talks to people in a terminal")]

mod bench;
mod cargo;
mod ci;
mod conformance;
mod dist;
mod fnv;
mod peers;
mod port;
mod tidy;
mod tool;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

/// A chore: what it is called, what it does, and how.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&Path, &[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "ci",
        about: "everything a change has to pass, in order, until something fails",
        run: |root, args| without_arguments(args, || ci::run(root)),
    },
    Task {
        name: "test",
        about: "install the test clients, then `cargo test --workspace --locked`; takes its arguments",
        run: ci::test,
    },
    Task {
        name: "peers",
        about: "install the real Lambda clients that the tests use into target/peers",
        run: |root, args| without_arguments(args, || peers::provision(root)),
    },
    Task {
        name: "tidy",
        about: "review layers, manifests, sources and documents",
        run: |root, args| without_arguments(args, || tidy::run(root)),
    },
    Task {
        name: "conformance",
        about: "compare rapid with the emulator; takes names of transcripts and --show",
        run: conformance::run,
    },
    Task {
        name: "bench",
        about: "measure rapid against the emulator and a bare relay; `bench --help` lists its options",
        run: bench::run,
    },
    Task {
        name: "dist",
        about: "build what is released into target/dist; `dist --help` lists its options",
        run: dist::run,
    },
    Task {
        name: "scripted-process",
        about: "play the runtime or an extension of a transcript; `conformance` starts it",
        run: |_, args| conformance::scripted_process(args),
    },
    Task {
        name: "help",
        about: "this list",
        run: |_, _| {
            println!("{}", usage());
            Ok(())
        },
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let (name, rest) = match args {
        [] => ("help", args),
        [first, rest @ ..] => (first.trim_start_matches("--"), rest),
    };
    match TASKS.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(&root(), rest),
        None => bail!("there is no command `{name}`\n\n{}", usage()),
    }
}

fn without_arguments(args: &[String], task: impl FnOnce() -> Result<()>) -> Result<()> {
    match args {
        [] => task(),
        [first, ..] => bail!("`{first}` is not expected: this command takes no arguments"),
    }
}

fn usage() -> String {
    let lines = TASKS.iter().map(|task| format!("  {:<17} {}", task.name, task.about));
    let lines: Vec<String> = lines.collect();
    format!("Usage: cargo xtask <command>\n\n{}", lines.join("\n"))
}

/// The workspace's directory: where cargo found this package, or where it was built.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_owned)
}
