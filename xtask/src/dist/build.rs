//! Builds as they are released: the same bytes wherever the sources lie.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::dist::target::Target;

/// What separates rustc's options in the variable that may have spaces in them.
const SEPARATOR: &str = "\x1f";

/// A binary of the workspace, for a target.
pub(crate) struct Build<'a> {
    /// Where the sources are.
    pub(crate) root: &'a Path,
    /// Where cargo builds.
    pub(crate) dir: &'a Path,
    pub(crate) target: &'static Target,
    /// Seconds since 1970.
    pub(crate) date: u64,
}

impl Build<'_> {
    /// Builds a binary of one package, and says where it is. Of one package at a time: built
    /// together, packages turn on each other's features.
    ///
    /// # Errors
    /// When it does not build.
    pub(crate) fn binary(&self, package: &str, binary: &str) -> Result<PathBuf> {
        let mut command = cargo::cargo(self.root, cargo::BUILD);
        command
            .args(["--release", "--package", package, "--bin", binary])
            .args(["--target", self.target.triple, "--target-dir"])
            .arg(self.dir)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags()?)
            .env("SOURCE_DATE_EPOCH", self.date.to_string())
            .env("CARGO_INCREMENTAL", "0");
        without_the_callers_profile(&mut command);
        cargo::build_by(&mut command, binary)
    }

    /// What rustc is told beyond the release profile.
    fn flags(&self) -> Result<OsString> {
        let mut flags: Vec<OsString> = Vec::new();
        flags.push("-Ctarget-feature=+crt-static".into());
        flags.push(format!("-Clinker={}", self.target.linker()).into());
        // Panics name source files: not by where they lie on the machine that builds.
        flags.push(remap(&cargo_home()?, "/cargo"));
        flags.push(remap(self.root, "/rapid"));
        Ok(flags.join(OsStr::new(SEPARATOR)))
    }
}

/// Where cargo unpacks what comes from the registry.
///
/// # Errors
/// When nothing says where that is.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let own = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let usual = || env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    own.or_else(usual).context("neither CARGO_HOME nor HOME is set")
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// A release is what the manifest says, not what somebody tries out in a terminal.
fn without_the_callers_profile(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"CARGO_PROFILE_") {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_name_the_sources_by_where_they_do_not_lie() {
        let target = Target::called("x86_64-unknown-linux-musl").expect("a target");
        let root = Path::new("/a b");
        let flags = Build { root, dir: root, target, date: 0 }.flags().expect("a home");
        let flags = flags.to_string_lossy().into_owned();
        let flags: Vec<&str> = flags.split(SEPARATOR).collect();
        assert_eq!(flags[0], "-Ctarget-feature=+crt-static");
        assert_eq!(flags[1], "-Clinker=rust-lld");
        // Where both fit, rustc takes the last.
        assert_eq!(flags.last(), Some(&"--remap-path-prefix=/a b=/rapid"));
    }
}
