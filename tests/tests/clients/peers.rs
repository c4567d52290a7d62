//! Where the real clients and their functions are.

use std::path::{Path, PathBuf};

/// A file below the workspace's directory.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Something that `cargo xtask peers` has installed.
///
/// # Panics
/// When it has not.
#[track_caller]
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = source("target/peers").join(path);
    assert!(path.exists(), "{} is missing: run `cargo xtask peers`", path.display());
    path
}
