//! The list of everything that is in a binary, as CycloneDX has it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::dist::sources;
use crate::dist::target::Target;
use crate::tool::{self, Tool};

const CYCLONEDX: Tool = Tool {
    name: "cargo-cyclonedx",
    version: "0.5.9",
    version_args: &["cyclonedx", "--version"],
    install_args: &[],
};

/// Where the tool puts the list of the binary `rapid`.
const LIST: &str = "crates/cli/rapid_bin.cdx.json";

/// The list for a target; `date` is in seconds since 1970.
///
/// # Errors
/// When the tool cannot be installed, or fails.
pub(crate) fn list(root: &Path, target: &Target, date: u64) -> Result<Vec<u8>> {
    let tool = tool::install(root, &CYCLONEDX)?;
    // It writes a list for every package beside its manifest.
    let copy = sources::copy(root)?;
    let mut command = std::process::Command::new(tool);
    command
        .args(["cyclonedx", "--quiet", "--manifest-path", "crates/cli/Cargo.toml"])
        .args(["--format", "json", "--spec-version", "1.5", "--describe", "binaries"])
        .args(["--no-build-deps", "--target", target.triple])
        .env("SOURCE_DATE_EPOCH", date.to_string())
        .current_dir(copy.path());
    cargo::run(&mut command)?;
    let list = copy.path().join(LIST);
    let list = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let list = without_path(&list, copy.path());
    ensure!(list.contains(r#""bomFormat": "CycloneDX""#), "the list is not what it should be");
    Ok(list.into_bytes())
}

/// The tool names our own crates by where they lie; nobody else has them there.
fn without_path(list: &str, dir: &Path) -> String {
    list.replace(&format!("path+file://{}", dir.display()), "path+file:///rapid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_crates_are_not_named_by_where_they_lie() {
        let list = r#"{"ref": "path+file:///tmp/x1/crates/cli#rapid-cli@0.1.0"}"#;
        let expected = r#"{"ref": "path+file:///rapid/crates/cli#rapid-cli@0.1.0"}"#;
        assert_eq!(without_path(list, Path::new("/tmp/x1")), expected);
    }
}
