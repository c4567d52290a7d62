//! [`Extensions`]: a directory of extensions, written by a test.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::wait::{eventually, eventually_some};

/// What every Bash extension begins with; see there for what it can do.
const PRELUDE: &str = include_str!("extension.sh");

/// An extension that does nothing, so that the test can speak for it.
const MUTE: &str = "#!/bin/sh\nsleep 3600\nexit 1\n";

/// A directory of extensions for [`crate::Options::extensions`], and one beside it for what they
/// note. Dropped, both are gone.
#[derive(Debug)]
pub struct Extensions {
    root: TempDir,
}

impl Extensions {
    /// None yet.
    ///
    /// # Panics
    /// When no directory can be made.
    #[must_use]
    pub fn none() -> Self {
        let root = tempfile::tempdir().expect("a directory can be made");
        for part in ["extensions", "notes"] {
            fs::create_dir(root.path().join(part)).expect("a directory can be made");
        }
        Self { root }
    }

    /// One in Bash, called `agent`.
    #[must_use]
    pub fn agent(body: &str) -> Self {
        Self::none().bash("agent", body)
    }

    /// Adds one in Bash; the functions of `extension.sh` are there for its body.
    #[must_use]
    pub fn bash(self, name: &str, body: &str) -> Self {
        self.file(name, &format!("{PRELUDE}{body}\n"), 0o755)
    }

    /// Adds one that does nothing: the test can speak for it.
    #[must_use]
    pub fn mute(self, name: &str) -> Self {
        self.file(name, MUTE, 0o755)
    }

    /// Adds a file as it is.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(self, name: &str, content: &str, mode: u32) -> Self {
        write(&self.directory().join(name), content, mode);
        self
    }

    /// A runtime in Bash that shares the functions and the notes, for
    /// [`crate::Options::command`].
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn runtime(&self, body: &str) -> PathBuf {
        let path = self.directory().with_file_name("runtime");
        fs::create_dir_all(&path).expect("a directory can be made");
        let path = path.join("bootstrap");
        write(&path, &format!("{PRELUDE}{body}\n"), 0o755);
        path
    }

    /// Where they lie.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.root.path().join("extensions")
    }

    /// The path of one of them.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// What the extension of that name has noted so far, as lines.
    #[must_use]
    pub fn notes(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.note(name)).unwrap_or_default();
        text.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(Into::into)
            .collect()
    }

    /// Waits for the first line that the extension of that name notes.
    ///
    /// # Panics
    /// When there is none within [`crate::DEADLINE`].
    #[track_caller]
    pub fn wait_for_note(&self, name: &str) -> String {
        self.wait_for_notes(name, 1).swap_remove(0)
    }

    /// Waits until the extension of that name has noted as many lines, and returns all it has.
    ///
    /// # Panics
    /// When there are fewer after [`crate::DEADLINE`].
    #[track_caller]
    pub fn wait_for_notes(&self, name: &str, count: usize) -> Vec<String> {
        eventually_some(&format!("{count} notes of {name}"), || {
            let notes = self.notes(name);
            (notes.len() >= count).then_some(notes)
        })
    }

    /// How many processes of that name there have been.
    #[must_use]
    pub fn runs(&self, name: &str) -> usize {
        fs::read(self.note(&format!("{name}.runs"))).map_or(0, |runs| runs.len())
    }

    /// Lets the one pass that waits at the gate; waits for it first.
    ///
    /// # Panics
    /// When nobody comes within [`crate::DEADLINE`].
    #[track_caller]
    pub fn open(&self, gate: &str) {
        let path = self.note(gate);
        eventually(&format!("somebody waits at the gate {gate}"), || {
            // It can be opened like this only while somebody has it open for reading.
            let opened =
                OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&path);
            opened.and_then(|mut gate| gate.write_all(b"\n")).is_ok()
        });
    }

    fn note(&self, name: &str) -> PathBuf {
        self.root.path().join("notes").join(name)
    }
}

fn write(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode can be set");
}
