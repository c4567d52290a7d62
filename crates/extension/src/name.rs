//! [`Name`]: what the extension is called.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use http::HeaderValue;

use crate::error::Error;

/// What the extension is called, fit for a header.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: String,
    header: HeaderValue,
}

impl Name {
    /// The name of this program's file.
    ///
    /// What the program was started as comes first: the platform goes by the name of the file that
    /// it started, which may be a link. When there is no such text, or it is not UTF-8, the file
    /// itself is asked.
    ///
    /// # Errors
    /// [`Error::NoName`]: a made-up name would register an extension that nobody waits for.
    /// [`Error::BadName`].
    pub(crate) fn of_this_program() -> Result<Self, Error> {
        // Without a first argument, why the system cannot tell the file does not matter either.
        Self::choose(env::args_os().next().as_deref(), || env::current_exe().ok())
    }

    fn choose<P: AsRef<Path>>(
        started_as: Option<&OsStr>,
        file: impl FnOnce() -> Option<P>,
    ) -> Result<Self, Error> {
        let base = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
        let name = started_as.and_then(|path| base(Path::new(path)));
        let name = name.or_else(|| file().and_then(|path| base(path.as_ref())));
        Self::parse(&name.ok_or(Error::NoName)?)
    }

    /// Takes a name. It may have any character but control characters, and is sent as UTF-8.
    ///
    /// # Errors
    /// [`Error::BadName`], also for an empty one.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        match HeaderValue::from_bytes(name.as_bytes()) {
            Ok(header) if !name.trim().is_empty() && name.trim() == name => {
                Ok(Self { text: name.to_owned(), header })
            }
            Ok(_) | Err(_) => Err(Error::BadName { name: name.to_owned() }),
        }
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// As the header has it.
    pub(crate) fn to_header(&self) -> HeaderValue {
        self.header.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn chosen(started_as: Option<&[u8]>, file: Option<&str>) -> Result<String, Error> {
        let name = Name::choose(started_as.map(OsStr::from_bytes), || file)?;
        Ok(name.as_str().to_owned())
    }

    #[test]
    fn what_the_program_was_started_as_names_the_extension() {
        let file = Some("/usr/lib/other");
        assert_eq!(chosen(Some(b"/opt/extensions/logger"), file).unwrap(), "logger");
        assert_eq!(chosen(Some(b"logger"), file).unwrap(), "logger");
        assert_eq!(chosen(Some("/opt/zähler".as_bytes()), file).unwrap(), "zähler");
    }

    #[test]
    fn without_a_usable_first_argument_the_programs_file_names_the_extension() {
        let file = Some("/opt/extensions/logger");
        for started_as in [None, Some(&b""[..]), Some(b"/"), Some(b"/opt/\xff")] {
            assert_eq!(chosen(started_as, file).unwrap(), "logger");
            assert!(matches!(chosen(started_as, None), Err(Error::NoName)));
        }
    }

    #[test]
    fn a_name_has_to_be_fit_for_a_header() {
        for bad in ["", " ", " x", "x ", "a\nb", "a\0b", "a\u{7f}b"] {
            assert!(matches!(Name::parse(bad), Err(Error::BadName { name }) if name == bad));
        }
        assert_eq!(Name::parse("a b").unwrap().to_header(), "a b");
    }
}
