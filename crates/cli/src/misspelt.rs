//! A first word that is meant for rapid and is not one of its subcommands.

use std::env::split_paths;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::args::Task;

/// What to say of a command that cannot be one: a bare word, not put behind `--`, that names no
/// program. Otherwise it would be served for ever as a function that cannot be started.
pub(crate) fn complaint(
    words: &[OsString],
    task: &Task,
    command: &[OsString],
    path: Option<&OsStr>,
) -> Option<String> {
    let [word, ..] = command else { return None };
    // Without one the function gets a default, in which its command is looked up.
    let path = path?;
    let separated = words.iter().any(|word| word == "--");
    let bare =
        Path::new(word).components().count() == 1 && !word.as_encoded_bytes().contains(&b'/');
    let found = || split_paths(path).any(|folder| folder.join(word).is_file());
    if !matches!(task, Task::Serve) || separated || !bare || found() {
        return None;
    }
    let word = word.to_string_lossy();
    Some(format!(
        "'{word}' is neither a subcommand (serve, invoke) nor a program on PATH. Write the \
         function's command behind --, as in `rapid -- ./{word}`; see `rapid --help`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complains(line: &str) -> bool {
        told(line, Some(OsStr::new("/nowhere:/bin")))
    }

    fn told(line: &str, path: Option<&OsStr>) -> bool {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let command: Vec<OsString> = words.iter().skip(1).filter(|w| *w != "--").cloned().collect();
        complaint(&words, &Task::Serve, &command, path).is_some()
    }

    #[test]
    fn a_bare_word_that_names_nothing_is_a_mistake() {
        for line in ["rapid invok", "rapid help invoke", "rapid serv --x"] {
            assert!(complains(line), "{line}");
        }
        for line in ["rapid", "rapid -- invok", "rapid ./invok", "rapid sh -c x", "rapid a/b"] {
            assert!(!complains(line), "{line}");
        }
        assert!(!told("rapid sh", None), "the function's own path knows it");
    }
}
