//! Archives that come out the same whoever makes them: sorted, with one date and no owner.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// What an archive has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// From the archive's top directory.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A program.
    Program(Vec<u8>),
    /// A file to read.
    File(Vec<u8>),
    /// A symbolic link to this.
    Link(String),
}

/// A `.tar.gz` with everything below the directory `top`; `date` is in seconds since 1970.
///
/// # Errors
/// When a path does not fit.
pub(crate) fn pack(top: &str, entries: &[Entry], date: u64) -> Result<Vec<u8>> {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let path = Path::new(top).join(&entry.path);
        let mut header = Header::new_gnu();
        header.set_mtime(date);
        header.set_uid(0);
        header.set_gid(0);
        let appended = match &entry.content {
            Content::Program(bytes) => {
                header.set_mode(0o755);
                append(&mut archive, header, &path, bytes)
            }
            Content::File(bytes) => {
                header.set_mode(0o644);
                append(&mut archive, header, &path, bytes)
            }
            Content::Link(target) => {
                header.set_mode(0o777);
                header.set_size(0);
                header.set_entry_type(EntryType::Symlink);
                archive.append_link(&mut header, &path, target)
            }
        };
        appended.with_context(|| format!("adding {} to the archive", path.display()))?;
    }
    let tar = archive.into_inner().context("ending the archive")?;
    // Without a name and a date of its own, which gzip would take from this machine.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(&tar).context("compressing the archive")?;
    gzip.finish().context("compressing the archive")
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    mut header: Header,
    path: &Path,
    bytes: &[u8],
) -> std::io::Result<()> {
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use tar::Archive;

    use super::*;
    use crate::fnv;

    fn entries() -> Vec<Entry> {
        [
            ("rapid", Content::Program(b"\x7fELF".repeat(1000))),
            ("aws-lambda-rie", Content::Link("rapid".to_owned())),
            ("completions/_rapid", Content::File(b"#compdef rapid".to_vec())),
        ]
        .map(|(path, content)| Entry { path: path.to_owned(), content })
        .into()
    }

    #[test]
    fn the_same_files_make_the_same_archive_in_whatever_order() {
        let one = pack("rapid-1", &entries(), 86_400).expect("an archive");
        let mut turned = entries();
        turned.reverse();
        let other = pack("rapid-1", &turned, 86_400).expect("an archive");
        assert_eq!(fnv::hash(one.iter().copied()), fnv::hash(other.iter().copied()));
        assert_eq!(one, other);
        assert_ne!(one, pack("rapid-1", &entries(), 86_401).expect("an archive"));
    }

    #[test]
    fn what_was_packed_can_be_unpacked() {
        let packed = pack("rapid-1", &entries(), 86_400).expect("an archive");
        let mut archive = Archive::new(GzDecoder::new(packed.as_slice()));
        let mut found = Vec::new();
        for entry in archive.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let header = entry.header().clone();
            let path = entry.path().expect("a path").display().to_string();
            assert_eq!((header.uid().ok(), header.mtime().ok()), (Some(0), Some(86_400)));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("bytes");
            let link = entry.link_name().expect("a name").map(|link| link.display().to_string());
            found.push((path, header.mode().expect("a mode"), bytes.len(), link));
        }
        let link = Some("rapid".to_owned());
        assert_eq!(
            found,
            [
                ("rapid-1/aws-lambda-rie".to_owned(), 0o777, 0, link),
                ("rapid-1/completions/_rapid".to_owned(), 0o644, 14, None),
                ("rapid-1/rapid".to_owned(), 0o755, 4000, None),
            ]
        );
    }
}
