//! Finds what to execute, and says in plain words why it cannot be.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::libc;
use nix::unistd::{AccessFlags, faccessat};
use rapid_interop::process::{Launch, LaunchError};

/// The executable as the caller gave it, for messages.
pub(crate) fn given(launch: &Launch) -> String {
    launch.argv.first().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Checks the working directory and finds the executable.
///
/// # Errors
/// The [`LaunchError`] that names the first thing wrong.
pub(crate) fn executable(launch: &Launch) -> Result<PathBuf, LaunchError> {
    let path = || launch.cwd.display().to_string();
    if !launch.cwd.is_absolute() {
        return Err(LaunchError::RelativeWorkingDirectory { path: path() });
    }
    if !launch.cwd.is_dir() || !may_execute(&launch.cwd) {
        return Err(LaunchError::WorkingDirectory { path: path() });
    }
    let Some(program) = launch.argv.first().filter(|program| !program.is_empty()) else {
        return Err(LaunchError::NotFound { path: String::new() });
    };
    let found = if program.as_bytes().contains(&b'/') {
        check(&launch.cwd, Path::new(program))
    } else {
        search(launch, program)
    };
    found.map_err(|missing| match missing {
        Missing::NotFound => LaunchError::NotFound { path: given(launch) },
        Missing::NotExecutable => LaunchError::NotExecutable { path: given(launch) },
    })
}

#[derive(Clone, Copy)]
enum Missing {
    NotFound,
    NotExecutable,
}

/// Walks through `PATH`. Something there that may not be executed is passed over, but remembered.
fn search(launch: &Launch, program: &OsStr) -> Result<PathBuf, Missing> {
    let path: Option<&OsString> =
        launch.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let mut missing = Missing::NotFound;
    for directory in path.into_iter().flat_map(std::env::split_paths) {
        // An empty item means the working directory.
        let candidate =
            if directory.as_os_str().is_empty() { Path::new(".").into() } else { directory }
                .join(program);
        match check(&launch.cwd, &candidate) {
            Ok(path) => return Ok(path),
            Err(Missing::NotExecutable) => missing = Missing::NotExecutable,
            Err(Missing::NotFound) => {}
        }
    }
    Err(missing)
}

/// Relative paths are looked at from `cwd`, where the process will be when it executes them.
fn check(cwd: &Path, path: &Path) -> Result<PathBuf, Missing> {
    let full = cwd.join(path);
    match fs::metadata(&full) {
        Ok(metadata) if metadata.is_file() && may_execute(&full) => Ok(path.to_owned()),
        Ok(_) => Err(Missing::NotExecutable),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Missing::NotExecutable)
        }
        Err(_) => Err(Missing::NotFound),
    }
}

fn may_execute(path: &Path) -> bool {
    faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS).is_ok()
}

/// Why the system refused to execute what [`executable`] had found.
pub(crate) fn refusal(launch: &Launch, found: &Path, error: &io::Error) -> LaunchError {
    let path = given(launch);
    match error.raw_os_error() {
        Some(libc::EACCES) => LaunchError::NotExecutable { path },
        Some(libc::ENOENT) => LaunchError::Refused {
            path,
            reason: format!("{}{}", words(error), hint(&launch.cwd.join(found))),
        },
        _ => LaunchError::Refused { path, reason: words(error) },
    }
}

/// The system's words alone, in lower case.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_ascii_lowercase()
}

/// The file is there, so something that it needs is not.
fn hint(executable: &Path) -> String {
    // Its input is read from there; an empty root has none.
    if !Path::new("/dev/null").exists() {
        return " (there is no /dev/null, which every process is given as its input)".to_owned();
    }
    let mut head = [0_u8; 256];
    let length = File::open(executable).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let head = head.get(..length).unwrap_or_default();
    if let Some(line) = head.strip_prefix(b"#!") {
        let line =
            String::from_utf8_lossy(line.split(|&byte| byte == b'\n').next().unwrap_or(line))
                .into_owned();
        let interpreter = line.split_whitespace().next().unwrap_or_default();
        // An editor elsewhere ends lines with a carriage return, which nobody sees.
        if line.ends_with('\r') {
            return format!(" (its first line, '#!{}', ends with a carriage return)", line.trim());
        }
        return format!(" (is its interpreter, {interpreter}, there?)");
    }
    if head.starts_with(b"\x7fELF") {
        return " (is its dynamic loader there? it may be built for another C library)".to_owned();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_lower_case_and_without_a_number() {
        assert_eq!(words(&io::Error::from_raw_os_error(libc::ENOEXEC)), "exec format error");
        assert_eq!(words(&io::Error::from_raw_os_error(libc::E2BIG)), "argument list too long");
    }
}
