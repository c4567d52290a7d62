//! `cargo xtask ci` and `cargo xtask test`: what a change has to pass.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use crate::tool::Tool;
use crate::{bench, cargo, conformance, peers, tidy, tool};

const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    version_args: &["--version"],
    install_args: &["--no-default-features"],
};

/// What of `cargo xtask bench` says most in the shortest time.
const BENCH: [&str; 7] =
    ["--check", "--only", "warm", "--only", "one-core", "--only", "one-core-extension"];

/// Runs every check in order and stops at the first that fails.
///
/// The test clients take longest to install where they are missing, so that starts early and runs
/// beside the checks that do not need them. The tests come last: the run ends with their summary.
///
/// # Errors
/// Names the step that failed.
pub(crate) fn run(root: &Path) -> Result<()> {
    step("fmt", || cargo::run(&mut cargo::cargo(root, &["fmt", "--all", "--check"])))?;
    thread::scope(|scope| {
        let peers = scope.spawn(|| peers::provision(root));
        let checked = check(root);
        if checked.is_err() && !peers.is_finished() {
            eprintln!("a check failed; waiting for the installation of the peers to end");
        }
        let installed = || peers.join().unwrap_or_else(|_| Err(anyhow!("the installer panicked")));
        checked.and_then(|()| step("peers", installed))
    })?;
    step("conformance", || conformance::run(root, &[]))?;
    step("bench", || bench::run(root, &BENCH.map(str::to_owned)))?;
    println!("==> test");
    cargo_test(root, &[]).context("step `test` failed")
}

/// The checks that need no test clients.
fn check(root: &Path) -> Result<()> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step("clippy", || cargo::run(&mut cargo::cargo(root, &clippy)))?;
    step("tidy", || tidy::run(root))?;
    step("deny", || deny(root))?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked"];
    step("doc", || cargo::run(cargo::cargo(root, &doc).env("RUSTDOCFLAGS", "-Dwarnings")))
}

/// Runs the tests with what they need in place; `args` go to `cargo test`.
///
/// # Errors
/// When a client cannot be installed, or a test fails.
pub(crate) fn test(root: &Path, args: &[String]) -> Result<()> {
    peers::provision(root)?;
    cargo_test(root, args)
}

fn cargo_test(root: &Path, args: &[String]) -> Result<()> {
    cargo::run(cargo::cargo(root, &["test", "--workspace", "--locked"]).args(args))
}

fn step(name: &str, task: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==> {name}");
    let start = Instant::now();
    let result = task();
    let seconds = start.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("    {name}: {seconds:.1} s"),
        Err(_) => println!("    {name}: failed after {seconds:.1} s"),
    }
    result.with_context(|| format!("step `{name}` failed"))
}

/// Checks dependencies and their licences. Known vulnerabilities are not looked up here: that
/// needs a database from the network, and fails on days when nothing here has changed.
fn deny(root: &Path) -> Result<()> {
    let deny = tool::install(root, &DENY)?;
    let mut check = Command::new(deny);
    check.current_dir(root).args(["--locked", "check", "--hide-inclusion-graph"]);
    cargo::run(check.args(["bans", "licenses", "sources"]))
}
