//! Where extensions are looked for, and what counts as one.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rapid_interop::process::{ExtensionDiscovery, ExtensionFile, ExtensionSources};

/// Looks for extensions. What cannot be read is logged, and counts as empty.
///
/// # Source
/// Extensions API, "Discovery and launch". That there may be several directories is ours.
pub(crate) fn find(sources: &ExtensionSources) -> ExtensionDiscovery {
    if let Some(switch) = sources.switch.as_deref().filter(|switch| exists(switch)) {
        tracing::info!("Extensions disabled by attached layer ({})", switch.display());
        return ExtensionDiscovery::Disabled;
    }
    let mut files: Vec<ExtensionFile> = Vec::new();
    let mut known: HashMap<Box<str>, PathBuf> = HashMap::new();
    for directory in &sources.directories {
        for entry in files_of(directory) {
            let path = directory.join(&entry);
            // Shown, not exact: it is what the extension has to register under.
            let name: Box<str> = entry.to_string_lossy().into();
            if let Some(first) = known.get(&name) {
                tracing::warn!(
                    "The extension {} is not started: {} has the same name and comes first; rename \
                     one of them",
                    path.display(),
                    first.display()
                );
                continue;
            }
            known.insert(name.clone(), path.clone());
            files.push(ExtensionFile { name, path });
        }
    }
    ExtensionDiscovery::Found(files)
}

/// Whether there is anything of that name, a link that leads nowhere included.
fn exists(switch: &Path) -> bool {
    match switch.symlink_metadata() {
        Ok(_) => true,
        Err(error) if is_absence(&error) => false,
        Err(error) => {
            tracing::error!(
                "Whether {} turns extensions off cannot be told: {error}; they stay on. Make its \
                 directory accessible to rapid",
                switch.display()
            );
            false
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The names of what may be started from a directory, sorted; none if it cannot be read.
fn files_of(directory: &Path) -> Vec<OsString> {
    if !directory.is_absolute() {
        tracing::error!(
            "The extension's directory {directory:?} is not absolute, no extensions are loaded \
             from there. Give its whole path"
        );
        return Vec::new();
    }
    match read(directory) {
        Ok(mut names) => {
            names.sort_unstable();
            names
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::info!(
                "The extension's directory {directory:?} does not exist, assuming no extensions to \
                 be loaded."
            );
            Vec::new()
        }
        Err(error) => {
            tracing::error!(
                "The extension's directory {directory:?} cannot be read: {error}; no extensions \
                 are loaded from there. It has to be a directory that rapid may read"
            );
            Vec::new()
        }
    }
}

/// Every entry that is not itself a directory, whatever else it is and wherever it may lead.
fn read(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in directory.read_dir()? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {}
            Ok(_) => names.push(entry.file_name()),
            // Removed a moment ago.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fmt;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::sync::{Arc, Mutex};

    use tempfile::{TempDir, tempdir};
    use tracing::field::{Field, Visit};
    use tracing::{Event, Level, Metadata, span};

    use super::*;

    /// Keeps what is logged.
    #[derive(Default)]
    struct Log(Mutex<Vec<(Level, String)>>);

    impl tracing::Subscriber for Log {
        fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            self.0.lock().unwrap().push((*event.metadata().level(), message.0));
        }

        fn enter(&self, _span: &span::Id) {}

        fn exit(&self, _span: &span::Id) {}
    }

    struct Message(String);

    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    /// What is found, and what is logged about it.
    fn look(sources: &ExtensionSources) -> (ExtensionDiscovery, Vec<(Level, String)>) {
        let log = Arc::new(Log::default());
        let found = tracing::subscriber::with_default(Arc::clone(&log), || find(sources));
        let lines = std::mem::take(&mut *log.0.lock().unwrap());
        (found, lines)
    }

    fn sources<'a>(directories: impl IntoIterator<Item = &'a Path>) -> ExtensionSources {
        let directories = directories.into_iter().map(Into::into).collect();
        ExtensionSources { directories, switch: None }
    }

    fn found(discovery: ExtensionDiscovery) -> Vec<(String, PathBuf)> {
        let ExtensionDiscovery::Found(files) = discovery else { panic!("extensions are off") };
        files.into_iter().map(|file| (file.name.into(), file.path)).collect()
    }

    fn with_files(names: &[&str]) -> TempDir {
        let directory = tempdir().unwrap();
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        directory
    }

    #[test]
    fn every_entry_counts_that_is_no_directory_itself() {
        // Empty and not executable, all of them.
        let directory = with_files(&["zebra", "Agent", "agent.sh", ".hidden"]);
        let path = directory.path();
        fs::create_dir(path.join("lib")).unwrap();
        fs::write(path.join("lib/deeper"), "").unwrap();
        symlink("/nowhere", path.join("dangling")).unwrap();
        symlink(path.join("lib"), path.join("link")).unwrap();
        let (discovery, log) = look(&sources([path]));
        let expected = [".hidden", "Agent", "agent.sh", "dangling", "link", "zebra"]
            .map(|name| (name.to_owned(), path.join(name)));
        assert_eq!(found(discovery), expected);
        assert_eq!(log, []);
    }

    #[test]
    fn without_directories_there_are_no_extensions() {
        assert_eq!(look(&sources([])), (ExtensionDiscovery::Found(Vec::new()), Vec::new()));
    }

    #[test]
    fn a_missing_directory_holds_none() {
        let directory = tempdir().unwrap();
        let missing = directory.path().join("extensions");
        let (discovery, log) = look(&sources([missing.as_path()]));
        assert_eq!(found(discovery), []);
        let line = format!(
            "The extension's directory \"{}\" does not exist, assuming no extensions to be loaded.",
            missing.display()
        );
        assert_eq!(log, [(Level::INFO, line)]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_the_rest_is_found_all_the_same() {
        let directory = with_files(&["agent"]);
        let agent = directory.path().join("agent");
        let relative = Path::new("opt/extensions");
        let (discovery, log) = look(&sources([relative, agent.as_path(), directory.path()]));
        assert_eq!(found(discovery), [("agent".to_owned(), agent.clone())]);
        let [(Level::ERROR, relative), (Level::ERROR, file)] = log.as_slice() else {
            panic!("{log:?}")
        };
        assert!(relative.contains("\"opt/extensions\" is not absolute"), "{relative}");
        assert!(relative.contains("Give its whole path"), "{relative}");
        assert!(file.contains(&format!("{agent:?} cannot be read: Not a directory")), "{file}");
    }

    #[test]
    fn of_one_name_in_two_directories_the_first_counts() {
        let (first, second) = (with_files(&["b", "c"]), with_files(&["a", "b"]));
        let (discovery, log) = look(&sources([first.path(), second.path()]));
        let expected = [
            ("b".to_owned(), first.path().join("b")),
            ("c".to_owned(), first.path().join("c")),
            ("a".to_owned(), second.path().join("a")),
        ];
        assert_eq!(found(discovery), expected);
        let [(Level::WARN, line)] = log.as_slice() else { panic!("{log:?}") };
        for directory in [first.path(), second.path()] {
            assert!(line.contains(directory.join("b").to_str().unwrap()), "{line}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_shown_as_far_as_it_can_be() {
        let directory = tempdir().unwrap();
        let path = directory.path().join(OsStr::from_bytes(b"agent-\xff"));
        fs::write(&path, "").unwrap();
        let (discovery, _) = look(&sources([directory.path()]));
        assert_eq!(found(discovery), [("agent-\u{fffd}".to_owned(), path)]);
    }

    #[test]
    fn anything_in_the_place_of_the_switch_turns_extensions_off() {
        let directory = with_files(&["agent", "file"]);
        let path = directory.path();
        fs::create_dir(path.join("directory")).unwrap();
        symlink("/nowhere", path.join("dangling")).unwrap();
        for name in ["file", "directory", "dangling"] {
            let switch = path.join(name);
            let line = format!("Extensions disabled by attached layer ({})", switch.display());
            let sources = ExtensionSources { switch: Some(switch), ..sources([path]) };
            assert_eq!(
                look(&sources),
                (ExtensionDiscovery::Disabled, vec![(Level::INFO, line)]),
                "{name}"
            );
        }
    }

    #[test]
    fn without_the_switch_they_are_on() {
        let directory = with_files(&["agent"]);
        for name in ["missing", "agent/below-a-file"] {
            let switch = Some(directory.path().join(name));
            let (discovery, log) =
                look(&ExtensionSources { switch, ..sources([directory.path()]) });
            assert_eq!((found(discovery).len(), log), (1, Vec::new()));
        }
    }
}
