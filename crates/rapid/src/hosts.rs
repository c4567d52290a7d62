//! The names under which extensions listen for telemetry.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What extensions call the execution environment that they run in.
const NAMES: [&str; 2] = ["sandbox.localdomain", "sandbox"];

/// The line that makes them loopback.
const LINE: &str = "127.0.0.1 sandbox.localdomain sandbox";

/// Makes a file in the format of `/etc/hosts` know these names, if there are extensions to use
/// them. Where that cannot be done it says what to do instead.
///
/// # Source
/// Telemetry API, "Subscribe request".
pub(crate) fn name_the_sandbox(file: &Path, extension_dirs: &[PathBuf]) {
    let are_there_any =
        |directory: &PathBuf| fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some());
    if !extension_dirs.iter().any(are_there_any) {
        return;
    }
    match add_names(file) {
        Ok(true) => tracing::info!("{} names {} now", file.display(), NAMES.join(" and ")),
        Ok(false) => {}
        Err(error) => tracing::warn!(
            "{} does not name {}, and cannot be changed: {error}. An extension that listens for \
             telemetry under that name will not find it; add the line: {LINE}",
            file.display(),
            NAMES[0],
        ),
    }
}

/// Appends the line unless both names are known; says whether it did.
fn add_names(file: &Path) -> io::Result<bool> {
    let text = match fs::read(file) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if NAMES.iter().all(|name| knows(&text, name)) {
        return Ok(false);
    }
    let begin = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    // In one write at the end: others may change the file too, and a container's cannot be
    // replaced.
    let mut hosts = OpenOptions::new().append(true).create(true).open(file)?;
    hosts.write_all(format!("{begin}{LINE}\n").as_bytes())?;
    Ok(true)
}

/// Whether a line gives this name an address, whichever it is.
fn knows(hosts: &str, name: &str) -> bool {
    hosts.lines().any(|line| {
        let said = line.split('#').next().unwrap_or_default();
        said.split_whitespace().skip(1).any(|known| known.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: &str) -> (String, bool) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), before).unwrap();
        let added = add_names(file.path()).unwrap();
        (fs::read_to_string(file.path()).unwrap(), added)
    }

    #[test]
    fn the_names_are_added_at_the_end_and_only_once() {
        let added = "127.0.0.1 sandbox.localdomain sandbox\n";
        for before in [
            "",
            "127.0.0.1 localhost\n",
            "127.0.0.1\tsandbox\n",
            "# 127.0.0.1 sandbox.localdomain sandbox\n",
            "sandbox.localdomain\nsandbox\n",
            "::1 a # sandbox.localdomain sandbox\n",
        ] {
            let (text, changed) = after(before);
            assert!(changed, "{before:?}");
            assert_eq!(text, format!("{before}{added}"));
            assert_eq!(after(&text), (text, false));
        }
        let (text, _) = after("127.0.0.1 localhost");
        assert_eq!(text, format!("127.0.0.1 localhost\n{added}"));
    }

    #[test]
    fn names_that_are_known_stay_as_they_are() {
        for before in [
            "10.0.0.1 sandbox.localdomain sandbox\n",
            "::1\tSandbox.LocalDomain\n127.0.0.1 x sandbox # y\n",
        ] {
            assert_eq!(after(before), (before.to_owned(), false));
        }
    }

    #[test]
    fn a_file_is_made_if_there_is_none_and_left_alone_without_extensions() {
        let root = tempfile::tempdir().unwrap();
        let (hosts, extensions) = (root.path().join("hosts"), root.path().join("extensions"));
        let directories = [root.path().join("nowhere"), extensions.clone()];
        fs::create_dir(&extensions).unwrap();
        name_the_sandbox(&hosts, &directories);
        assert!(!hosts.exists());
        fs::write(extensions.join("agent"), "").unwrap();
        name_the_sandbox(&hosts, &directories);
        assert_eq!(fs::read_to_string(&hosts).unwrap(), format!("{LINE}\n"));
    }

    #[test]
    fn a_file_that_cannot_be_changed_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(add_names(directory.path()).is_err());
    }
}
