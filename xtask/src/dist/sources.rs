//! A copy of the sources in a directory of its own: for builds that must not depend on where the
//! sources lie, and for tools that write beside them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::tidy;

/// Copies what is in version control, or would be; the copy goes with the returned directory.
///
/// # Errors
/// When a file cannot be copied.
pub(crate) fn copy(root: &Path) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("rapid-dist-").tempdir();
    let dir = made.context("making a directory")?;
    for path in tidy::files(root)? {
        let to = dir.path().join(&path);
        let parent = to.parent().context("a file outside of every directory")?;
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        fs::copy(root.join(&path), &to).with_context(|| format!("copying {path}"))?;
    }
    Ok(dir)
}
