//! [`Options`]: how a `rapid` is to be started.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::binary::fixture_runtime;
use crate::extensions::Extensions;

/// How a `rapid` is to be started. By default it knows no variable but `PATH`, starts in an empty
/// directory of its own, listens on free ports and runs no command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) program: Option<PathBuf>,
    pub(crate) flags: Vec<OsString>,
    pub(crate) command: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) own_ports: bool,
    pub(crate) stdout_paused: bool,
    pub(crate) stdout_closed: bool,
    pub(crate) stdout_discarded: bool,
}

impl Options {
    /// Without a command, the usual places are searched.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the fixture runtime.
    #[must_use]
    pub fn fixture() -> Self {
        Self::new().command([fixture_runtime()])
    }

    /// Runs the fixture runtime, which gets `args`: what goes wrong while it starts.
    #[must_use]
    pub fn fixture_that<I: Into<OsString>>(args: impl IntoIterator<Item = I>) -> Self {
        let mut options = Self::fixture();
        options.command.extend(args.into_iter().map(Into::into));
        options
    }

    /// Starts the binary under another path.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Adds flags of rapid.
    #[must_use]
    pub fn flags<I: Into<OsString>>(mut self, flags: impl IntoIterator<Item = I>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// Has the manners of the Runtime Interface Emulator.
    #[must_use]
    pub fn rie(self) -> Self {
        self.flags(["--compat", "rie"])
    }

    /// The function's timeout in seconds.
    #[must_use]
    pub fn timeout(self, seconds: u32) -> Self {
        self.flags(["--timeout".to_owned(), seconds.to_string()])
    }

    /// Starts these extensions; they have to outlive the `rapid`.
    #[must_use]
    pub fn extensions(self, extensions: &Extensions) -> Self {
        self.flags([OsString::from("--extensions-dir"), extensions.directory().into()])
    }

    /// The bootstrap's command line.
    #[must_use]
    pub fn command<I: Into<OsString>>(mut self, words: impl IntoIterator<Item = I>) -> Self {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts in this directory instead of an empty one.
    #[must_use]
    pub fn current_dir(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Leaves both addresses to the flags and variables that were given.
    #[must_use]
    pub fn own_ports(mut self) -> Self {
        self.own_ports = true;
        self
    }

    /// Does not read its standard output until [`crate::Stream::resume`].
    #[must_use]
    pub fn stdout_paused(mut self) -> Self {
        self.stdout_paused = true;
        self
    }

    /// Closes its standard output right away, as a `head` does that has seen enough.
    #[must_use]
    pub fn stdout_closed(mut self) -> Self {
        self.stdout_closed = true;
        self
    }

    /// Throws its standard output away: there is too much of it to be kept.
    #[must_use]
    pub fn stdout_discarded(mut self) -> Self {
        self.stdout_discarded = true;
        self
    }
}
