//! Files: a line more in one, or one more in a directory. Either is on the disk when it is told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rapid_events::Timestamp;
use rapid_interop::EpochMillis;
use uuid::Uuid;

/// Makes a file that lines can be added to, unless it is there.
pub(super) fn prepare(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if !parent.is_none_or(Path::is_dir) {
        return Err(io::Error::other("the directory of the file does not exist"));
    }
    open(path).map(|_| ())
}

/// Makes a directory, and sees to it that files can be made in it.
pub(super) fn prepare_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let trial = path.join(format!(".{}", Uuid::new_v4()));
    write_new(&trial, b"")?;
    fs::remove_file(trial)
}

/// Adds a line to a file, which is made if it is missing. Only one may do so at a time.
///
/// A process that was killed may have left half a line; the next one does not go on in it.
pub(super) fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    let mut text = Vec::with_capacity(line.len() + 2);
    if !ends_with_a_line(&mut file)? {
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

/// Opens a regular file, and nothing else: a pipe that nobody reads never takes a line, and keeps
/// nothing of those it takes.
fn open(path: &Path) -> io::Result<File> {
    let is_new = match fs::metadata(path) {
        Ok(found) if found.is_file() => false,
        Ok(_) => {
            let reason = "it is no regular file; pipes and devices keep nothing";
            return Err(io::Error::other(reason));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if is_new {
        sync_parent(path)?;
    }
    Ok(file)
}

/// Whether a file is empty or ends with the end of a line.
fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Makes a file that is there whole or not at all.
pub(super) fn create(path: &Path, body: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // In the same directory, or the file could not be moved; the names of the service's objects do
    // not begin with a dot.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}"));
    let written = write_new(&unfinished, body).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What is left over harms nobody.
        let _ = fs::remove_file(&unfinished);
    }
    written.and_then(|()| sync_parent(path))
}

fn write_new(path: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(body)?;
    file.sync_data()
}

/// The name of a new file is only on the disk when its directory is.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// The name of the file in a directory.
///
/// # Source
/// Asynchronous invocation, "Destinations": S3.
pub(super) fn key(function: &str, now: EpochMillis) -> PathBuf {
    let timestamp = Timestamp::from(now);
    let (date, time) = timestamp.as_str().split_once('T').unwrap_or_default();
    let time = time.split_once('.').map_or(time, |(seconds, _)| seconds).replace(':', ".");
    let mut key = PathBuf::from("aws/lambda/async");
    key.push(function);
    key.extend(date.split('-'));
    key.push(format!("{date}T{time}-{}", Uuid::new_v4()));
    key
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn lines_are_added_and_a_torn_one_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        append(&path, b"1").unwrap();
        append(&path, b"2").unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
        append(&path, b"3").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n{\"torn\n3\n");
    }

    #[test]
    fn only_a_regular_file_takes_lines() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link, Path::new("/dev/null"), directory.path()] {
            for refused in [prepare(path), append(path, b"1")] {
                let error = refused.unwrap_err().to_string();
                assert_eq!(error, "it is no regular file; pipes and devices keep nothing");
            }
        }
    }

    #[test]
    fn what_can_be_written_to_is_made_before_it_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        prepare(&file).unwrap();
        append(&file, b"1").unwrap();
        prepare(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "1\n");
        let error = prepare(&directory.path().join("missing/file")).unwrap_err();
        assert_eq!(error.to_string(), "the directory of the file does not exist");
        let made = directory.path().join("a/b");
        prepare_directory(&made).unwrap();
        assert_eq!(fs::read_dir(&made).unwrap().count(), 0, "nothing is left of the trial");
        prepare_directory(&file).unwrap_err();
        prepare_directory(Path::new("/proc")).unwrap_err();
    }

    #[test]
    fn a_file_is_made_with_its_directories_and_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/c");
        create(&path, b"{}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["c"]);
        create(&path.join("below"), b"{}").unwrap_err();
    }

    #[test]
    fn files_have_the_names_of_the_services_objects() {
        let key = key("f", EpochMillis(1_789_456_390_674));
        let key = key.to_str().unwrap();
        let rest = key.strip_prefix("aws/lambda/async/f/2026/09/15/2026-09-15T07.13.10-").unwrap();
        assert!(Uuid::parse_str(rest).is_ok(), "{key}");
    }
}
