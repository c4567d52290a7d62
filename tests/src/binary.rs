//! Where the binaries under test are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The `rapid` binary, built once for this process into the directory the tests were built into.
///
/// `RAPID_E2E_BINARY` names another one to test; nothing is built then.
///
/// # Panics
/// When it cannot be built.
pub fn rapid_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os("RAPID_E2E_BINARY") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// The runtime that does what it is told: `src/bin/fixture-runtime.rs`.
pub fn fixture_runtime() -> PathBuf {
    profile_dir().join("fixture-runtime")
}

/// The extension that writes down what it is told: `src/bin/fixture-extension.rs`.
pub fn fixture_extension() -> PathBuf {
    profile_dir().join("fixture-extension")
}

/// `target/debug` or what stands for it: two above the test executable, which is in `deps`.
fn profile_dir() -> PathBuf {
    let executable = env::current_exe().expect("a process knows its executable");
    let dir = executable.ancestors().nth(2).expect("cargo puts tests into target/<profile>/deps");
    dir.to_owned()
}

fn build() -> PathBuf {
    let dir = profile_dir();
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target_dir = dir.parent().expect("a profile's directory is in the target directory");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "rapid-cli", "--bin", "rapid"])
        .args(["--profile", profile, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "rapid could not be built: {status}");
    dir.join("rapid")
}
