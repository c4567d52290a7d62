//! Proof that the binary needs nothing of the system it runs on: it serves a function in a root
//! that holds the binary, a static runtime, and what the kernel gives every container (`/dev`,
//! `/proc`).

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::dist::build::Build;
use crate::dist::check;

/// The event that the runtime answers with itself.
const EVENT: &str = r#"{"static":true}"#;

/// Turns the shell of a mount namespace into one that can change its root to `$0`.
const PREPARE: &str = r#"command -v chroot >/dev/null && mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc""#;

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The invocation was answered as it was to be.
    Ran,
    /// It could not be tried here, and why.
    Untried(String),
}

/// Invokes a function once with `binary` in an empty root.
///
/// The runtime is the one of `tests/bench`, built for the same target: it has no dependency that
/// could not be static, and answers with the event.
///
/// # Errors
/// When the runtime does not build or is not static, or the invocation fails.
pub(crate) fn run(build: &Build<'_>, binary: &Path) -> Result<Proof> {
    if !build.target.is_native() {
        return Ok(Proof::Untried("it is for another architecture".to_owned()));
    }
    let runtime = build.binary("rapid-bench", "bench-runtime")?;
    let bytes = fs::read(&runtime).context("reading the runtime")?;
    check::is_static(&bytes, build.target.machine).context("in the runtime")?;
    let room = tempfile::tempdir().context("making an empty root")?;
    let root = room.path();
    for (name, file) in [("rapid", binary), ("runtime", &runtime)] {
        fs::copy(file, root.join(name)).context("filling the empty root")?;
    }
    for name in ["dev", "proc"] {
        fs::create_dir(root.join(name)).context("filling the empty root")?;
    }
    let tried = match output(root, PREPARE) {
        Ok(tried) => tried,
        Err(error) => return Ok(Proof::Untried(format!("{error:#}"))),
    };
    if !tried.status.success() {
        let reason = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
        return Ok(Proof::Untried(format!("this machine denies namespaces ({reason})")));
    }
    let invoke = format!(
        r#"{PREPARE} && exec chroot "$0" /rapid invoke --timeout 10 --payload '{EVENT}' -- /runtime"#
    );
    let output = output(root, &invoke)?;
    let answer = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || answer.trim() != EVENT {
        let log = String::from_utf8_lossy(&output.stderr);
        bail!("it does not run in an empty root ({}): {answer}\n{log}", output.status);
    }
    Ok(Proof::Ran)
}

/// Runs a script in namespaces of its own, whose mounts vanish with it.
fn output(root: &Path, script: &str) -> Result<Output> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(root);
    // Nothing of this machine's is to matter, but for where programs are until the root changes.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    command.output().context("starting unshare")
}
