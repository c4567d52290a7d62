//! What to execute: the command line's words, or the usual places.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a bootstrap is looked for when no command was given, in order.
///
/// # Source
/// Environment, "Bootstrap lookup".
pub const USUAL_PLACES: [&str; 3] =
    ["/var/task/bootstrap", "/opt/bootstrap", "/var/runtime/bootstrap"];

/// The working directory when no command was given.
pub const TASK_ROOT: &str = "/var/task";

/// What the runtime process is started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// A command from the command line.
    Command {
        /// The words; the first is the executable.
        argv: Vec<OsString>,
        /// Where it runs.
        cwd: PathBuf,
    },
    /// The first of [`USUAL_PLACES`] that is there when the runtime is started.
    Search,
}

impl Bootstrap {
    /// Reads the words after the options; `cwd` is where the command runs.
    #[must_use]
    pub fn from_words(words: Vec<OsString>, cwd: PathBuf) -> Self {
        if words.is_empty() { Self::Search } else { Self::Command { argv: words, cwd } }
    }

    /// The handler that the command line names: its last word, if there are two or more.
    #[must_use]
    pub fn handler(&self) -> Option<&OsStr> {
        match self {
            Self::Command { argv, .. } if argv.len() > 1 => argv.last().map(OsString::as_os_str),
            Self::Command { .. } | Self::Search => None,
        }
    }

    /// The words to execute and the working directory; `is_file` says whether a path is there and
    /// no directory.
    ///
    /// # Errors
    /// The places that were searched, when none holds a bootstrap.
    pub fn resolve(
        &self,
        is_file: impl Fn(&Path) -> bool,
    ) -> Result<(Vec<OsString>, PathBuf), Vec<String>> {
        match self {
            Self::Command { argv, cwd } => Ok((argv.clone(), cwd.clone())),
            Self::Search => USUAL_PLACES
                .iter()
                .find(|place| is_file(Path::new(place)))
                .map(|place| (vec![OsString::from(place)], PathBuf::from(TASK_ROOT)))
                .ok_or_else(|| USUAL_PLACES.iter().map(ToString::to_string).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn without_a_command_the_first_usual_place_that_is_there_wins() {
        let search = Bootstrap::from_words(vec![], "/anywhere".into());
        let only = |there: &'static str| search.resolve(move |path| path == Path::new(there));
        for place in USUAL_PLACES {
            assert_eq!(only(place), Ok((words(&[place]), PathBuf::from("/var/task"))));
        }
        let (argv, _) = search.resolve(|_| true).unwrap();
        assert_eq!(argv, words(&["/var/task/bootstrap"]));
        assert_eq!(search.resolve(|_| false).unwrap_err(), USUAL_PLACES);
        assert_eq!(search.handler(), None);
    }

    #[test]
    fn a_command_is_run_where_rapid_was_started_and_its_last_word_is_the_handler() {
        let one = Bootstrap::from_words(words(&["./bootstrap"]), "/here".into());
        assert_eq!(one.handler(), None);
        assert_eq!(one.resolve(|_| false), Ok((words(&["./bootstrap"]), "/here".into())));
        let three = Bootstrap::from_words(words(&["python3", "-m", "app.handler"]), "/h".into());
        assert_eq!(three.handler(), Some(OsStr::new("app.handler")));
    }
}
