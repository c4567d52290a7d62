//! Runs cargo and other programs, with their output in the terminal.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// How a command begins that builds and says what it has built.
pub(crate) const BUILD: &[&str] =
    &["build", "--locked", "--message-format=json-render-diagnostics"];

/// A cargo command that runs in the workspace's directory.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root);
    command
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or fails, with the command line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    if status.success() { Ok(()) } else { bail!("`{line}` failed ({status})") }
}

/// Builds a binary of the workspace and says where it is.
///
/// # Errors
/// When it does not build, or cargo does not say where it is.
pub(crate) fn build(root: &Path, binary: &str) -> Result<PathBuf> {
    build_and_find(root, &["--bin", binary], binary, |path| path)
}

/// Builds the binaries of a package as they are released, and says in which directory they are.
///
/// Of one package at a time: built together, packages turn on each other's features.
///
/// # Errors
/// When they do not build, or cargo does not say where they are.
pub(crate) fn build_release(root: &Path, package: &str, binary: &str) -> Result<PathBuf> {
    let args = ["--release", "--package", package, "--bins"];
    build_and_find(root, &args, binary, |path| path.with_file_name(""))
}

fn build_and_find(
    root: &Path,
    args: &[&str],
    binary: &str,
    place: impl FnOnce(PathBuf) -> PathBuf,
) -> Result<PathBuf> {
    let mut command = cargo(root, BUILD);
    build_by(command.args(args), binary).map(place)
}

/// Runs a command that begins with [`BUILD`], and says where it put the binary.
///
/// # Errors
/// When it does not build, or cargo does not say where it is.
pub(crate) fn build_by(command: &mut Command, binary: &str) -> Result<PathBuf> {
    let line = line(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout), binary)
        .with_context(|| format!("`{line}` did not say where it put the binary"))
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The binary's path among cargo's messages, which are one JSON object a line.
fn executable(messages: &str, binary: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == binary))
        .find_map(|message| message.executable)
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_libraries_of_the_same_name() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"rapid"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"rapid"},"executable":"/t/debug/rapid"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "rapid"), Some(PathBuf::from("/t/debug/rapid")));
        assert_eq!(executable(messages, "other"), None);
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "`sh -c exit 3` failed (exit status: 3)");
    }
}
