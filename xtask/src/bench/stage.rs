//! Where everything is, and how it is started.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::bench::machine::last_core;
use crate::bench::options::Options;
use crate::bench::subject::Subject;
use crate::{cargo, peers};

/// The programs, and what they are given.
#[derive(Debug)]
pub(crate) struct Stage {
    /// A directory of its own, where everything runs and leaves its output.
    pub(crate) dir: PathBuf,
    pub(crate) quick: bool,
    rapid: PathBuf,
    emulator: PathBuf,
    tools: PathBuf,
    /// The core for what runs on one; nothing without `taskset`.
    core: Option<u32>,
}

impl Stage {
    /// Builds and installs what the options need.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn open(root: &Path, options: &Options) -> Result<Self> {
        let needs = |subject| options.subjects.contains(&subject);
        let rapid = match &options.rapid {
            // It is started from another directory.
            Some(path) => program(path)?,
            None if needs(Subject::Rapid) => {
                cargo::build_release(root, "rapid-cli", "rapid")?.join("rapid")
            }
            None => PathBuf::new(),
        };
        let tools = cargo::build_release(root, "rapid-bench", "bench-load")?;
        let emulator = match needs(Subject::Emulator) {
            true => peers::emulator(root)
                .context("without it, ask for `--subject rapid --subject floor`")?,
            false => PathBuf::new(),
        };
        let dir = root.join("target/bench");
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let core = last_core().filter(|_| has_taskset());
        if core.is_none() && options.scenarios.iter().any(|one| one.on_one_core) {
            eprintln!("bench: nothing is measured on one core: that needs taskset, of util-linux");
        }
        Ok(Self { dir, quick: options.quick, rapid, emulator, tools, core })
    }

    /// Whether a process can be kept on one core here.
    pub(crate) fn has_one_core(&self) -> bool {
        self.core.is_some()
    }

    /// A subject's binary.
    pub(crate) fn program(&self, subject: Subject) -> PathBuf {
        match subject {
            Subject::Rapid => self.rapid.clone(),
            Subject::Emulator => self.emulator.clone(),
            Subject::Floor => self.tool("bench-relay"),
        }
    }

    /// A binary of the package `rapid-bench`.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.tools.join(name)
    }

    /// Starts a program, on the one core if asked for. `taskset` becomes the program, so the
    /// process that is started is the program's.
    pub(crate) fn command(&self, program: &Path, on_one_core: bool) -> Command {
        match self.core.filter(|_| on_one_core) {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &core.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}

/// The whole path of a program.
fn program(path: &Path) -> Result<PathBuf> {
    let whole = fs::canonicalize(path).with_context(|| format!("--rapid {}", path.display()))?;
    let metadata = fs::metadata(&whole).with_context(|| format!("--rapid {}", path.display()))?;
    let may_run = metadata.permissions().mode() & 0o111 != 0;
    ensure!(metadata.is_file() && may_run, "--rapid {} is no program", path.display());
    Ok(whole)
}

fn has_taskset() -> bool {
    let mut command = Command::new("taskset");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
