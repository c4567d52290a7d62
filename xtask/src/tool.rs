//! Tools from the registry that a chore needs, in pinned versions below `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo;

/// A program that cargo installs.
#[derive(Debug)]
pub(crate) struct Tool {
    /// The package and its binary.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The arguments it tells its version by; some know them only behind their subcommand.
    pub(crate) version_args: &'static [&'static str],
    /// What `cargo install` is told besides.
    pub(crate) install_args: &'static [&'static str],
}

/// Installs a tool unless its pinned version is there, and says where.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn install(root: &Path, tool: &Tool) -> Result<PathBuf> {
    let tools = root.join("target/tools");
    let binary = tools.join("bin").join(tool.name);
    if !is_wanted_version(&binary, tool) {
        // Unoptimised: it is compiled more often than its speed would be felt.
        let mut install = cargo::cargo(root, &["install", tool.name, "--locked", "--debug"]);
        install.args(["--version", tool.version, "--root"]).arg(&tools).args(tool.install_args);
        cargo::run(&mut install)?;
    }
    Ok(binary)
}

fn is_wanted_version(binary: &Path, tool: &Tool) -> bool {
    let output = Command::new(binary).args(tool.version_args).output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().last() == Some(tool.version)
    })
}
