//! The targets of a release, and what building for them takes.
//!
//! musl is what is released. What makes the binary static then comes with the Rust toolchain: its C
//! library, its start files and its linker, so the toolchain's version alone decides which bytes
//! come out, and one machine builds for both architectures. A static glibc would come from whatever
//! machine builds, is a megabyte larger, loads shared objects all the same when names are resolved,
//! and is under the LGPL; it is here for comparison and for whoever needs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::elf::{EM_AARCH64, EM_X86_64, Machine};

/// A target that can be released.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) triple: &'static str,
    /// As `std::env::consts::ARCH` has it.
    pub(crate) arch: &'static str,
    /// As an ELF file has it.
    pub(crate) machine: Machine,
    linker: Linker,
}

/// What puts the binary together.
#[derive(Debug, PartialEq, Eq)]
enum Linker {
    /// The one that comes with the toolchain.
    Shipped,
    /// The C compiler for the target's architecture.
    Compiler {
        /// Its name on machines of another architecture; `cc` on those of its own.
        cross: &'static str,
        /// The packages that bring it there.
        packages: &'static str,
    },
}

pub(crate) const TARGETS: &[Target] = &[
    Target {
        triple: "x86_64-unknown-linux-musl",
        arch: "x86_64",
        machine: EM_X86_64,
        linker: Linker::Shipped,
    },
    Target {
        triple: "aarch64-unknown-linux-musl",
        arch: "aarch64",
        machine: EM_AARCH64,
        linker: Linker::Shipped,
    },
    Target {
        triple: "x86_64-unknown-linux-gnu",
        arch: "x86_64",
        machine: EM_X86_64,
        linker: Linker::Compiler {
            cross: "x86_64-linux-gnu-gcc",
            packages: "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
        },
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        arch: "aarch64",
        machine: EM_AARCH64,
        linker: Linker::Compiler {
            cross: "aarch64-linux-gnu-gcc",
            packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        },
    },
];

impl Target {
    /// Whether its C library is musl, which is a part of the binary then.
    pub(crate) fn is_musl(&self) -> bool {
        self.triple.ends_with("-musl")
    }

    pub(crate) fn called(triple: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.triple == triple)
    }

    /// Those that are released unless a target is asked for.
    pub(crate) fn released() -> impl Iterator<Item = &'static Self> {
        TARGETS.iter().filter(|target| target.linker == Linker::Shipped)
    }

    /// Whether this machine can run what is built.
    pub(crate) fn is_native(&self) -> bool {
        self.arch == env::consts::ARCH
    }

    /// What the linker is called.
    pub(crate) fn linker(&self) -> &'static str {
        match self.linker {
            Linker::Shipped => "rust-lld",
            Linker::Compiler { .. } if self.is_native() => "cc",
            Linker::Compiler { cross, .. } => cross,
        }
    }

    /// What building for it lacks on this machine, and how to get it; empty when nothing does.
    ///
    /// # Errors
    /// When rustc cannot be asked.
    pub(crate) fn missing(&self, root: &Path) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        if !has_std(&asked(root, "target-libdir", Some(self.triple))?) {
            missing
                .push(format!("the standard library for {0}: rustup target add {0}", self.triple));
        }
        match &self.linker {
            Linker::Shipped => {
                let host = asked(root, "host-tuple", None)?;
                let sysroot = asked(root, "sysroot", None)?;
                let bin = sysroot.join("lib/rustlib").join(host).join("bin");
                if !bin.join(self.linker()).is_file() {
                    missing.push(format!(
                        "rust-lld, which rustup's toolchains have in {}: install Rust with rustup",
                        bin.display()
                    ));
                }
            }
            Linker::Compiler { packages, .. } => {
                if !is_on_path(self.linker()) {
                    let packages = if self.is_native() { "gcc libc6-dev" } else { packages };
                    missing.push(format!("{}: apt-get install {packages}", self.linker()));
                }
            }
        }
        Ok(missing)
    }
}

/// Asks rustc for something that is a path or a word.
fn asked(root: &Path, what: &str, target: Option<&str>) -> Result<PathBuf> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(root).args(["--print", what]);
    if let Some(target) = target {
        rustc.args(["--target", target]);
    }
    let output = rustc.output().context("starting rustc")?;
    if !output.status.success() {
        bail!("rustc failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn has_std(dir: &Path) -> bool {
    let files = dir.read_dir().into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_architectures_are_released_without_a_c_compiler() {
        let released: Vec<&str> = Target::released().map(|target| target.triple).collect();
        assert_eq!(released, ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]);
        assert!(Target::released().all(|target| target.linker() == "rust-lld"));
    }

    #[test]
    fn a_directory_without_the_library_is_no_target() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(!has_std(dir.path()));
        assert!(!has_std(&dir.path().join("nowhere")));
        std::fs::write(dir.path().join("libstd-0123.rlib"), "").expect("a file");
        assert!(has_std(dir.path()));
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(is_on_path("sh"));
        assert!(!is_on_path("a-linker-that-nobody-has"));
    }
}
