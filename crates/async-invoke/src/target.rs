//! [`Target`]: where an ending is told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use rapid_http::client::{Address, AddressError};

use crate::deliver;
use crate::error::AsyncInvokeError;

/// Who is told how events have ended.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    /// Gets a record of every success.
    pub on_success: Option<Target>,
    /// Gets a record of every event that finally failed.
    pub on_failure: Option<Target>,
    /// Gets every event that finally failed, also when there is `on_failure`.
    pub dead_letter: Option<Target>,
}

impl Destinations {
    /// Every target there is.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Target> {
        [&self.on_success, &self.on_failure, &self.dead_letter].into_iter().flatten()
    }
}

/// Where an ending is told.
///
/// It is written as `file:PATH`, `dir:PATH`, `http://HOST[:PORT][/PATH]`, or
/// `lambda:http://HOST[:PORT]/NAME`.
///
/// ```
/// use rapid_async_invoke::Target;
///
/// let target: Target = "lambda:http://127.0.0.1:8080/alarm".parse()?;
/// assert_eq!(target.to_string(), "lambda:http://127.0.0.1:8080/alarm");
/// # Ok::<(), rapid_async_invoke::AsyncInvokeError>(())
/// ```
///
/// # Source
/// Asynchronous invocation, "Destinations": the local targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A line of JSON is added to this file.
    File(PathBuf),
    /// A file of its own is made in this directory, under the name that the service gives objects:
    /// `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`.
    Directory(PathBuf),
    /// It is posted to this URL as JSON.
    Http(Uri),
    /// It is the event of an asynchronous invocation of another function.
    Function {
        /// Where its Invoke API is: `http://host[:port]`.
        api: Uri,
        /// Its name, or its ARN.
        name: String,
    },
}

impl FromStr for Target {
    type Err = AsyncInvokeError;

    fn from_str(text: &str) -> Result<Self, AsyncInvokeError> {
        parse(text).map_err(|reason| AsyncInvokeError::Target {
            text: without_secret(text).into(),
            reason: reason.into(),
        })
    }
}

impl Target {
    /// Sees to it that something can be written there, as far as that can be known now: makes the
    /// file or the directory. Waits for the disk. Addresses are not tried.
    ///
    /// # Errors
    /// [`AsyncInvokeError::Target`].
    pub fn prepare(&self) -> Result<(), AsyncInvokeError> {
        deliver::prepare(self).map_err(|error| AsyncInvokeError::Target {
            text: self.to_string().into(),
            reason: error.to_string().into(),
        })
    }
}

/// What was given, fit to be shown: what stands before an `@` may be a user and a password, however
/// wrong the rest is.
fn without_secret(text: &str) -> String {
    if text.starts_with("file:") || text.starts_with("dir:") {
        return text.to_owned();
    }
    let Some((before, rest)) = text.rsplit_once('@') else { return text.to_owned() };
    let scheme = before.find("//").map_or("", |slashes| &before[..slashes + 2]);
    format!("{scheme}...@{rest}")
}

fn parse(text: &str) -> Result<Target, String> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(Target::File(some_path(path)?));
    }
    if let Some(path) = text.strip_prefix("dir:") {
        return Ok(Target::Directory(some_path(path)?));
    }
    if let Some(function) = text.strip_prefix("lambda:") {
        let (api, name) = function
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or("a function is written as lambda:http://HOST[:PORT]/NAME")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("the function's name may have letters, digits and -_.:$".to_owned());
        }
        return Ok(Target::Function {
            api: http(&format!("http://{api}"))?,
            name: name.to_owned(),
        });
    }
    if text.starts_with("http:") || text.starts_with("https:") {
        return Ok(Target::Http(http(text)?));
    }
    Err("it has to begin with file:, dir:, http:// or lambda:http://".to_owned())
}

fn some_path(path: &str) -> Result<PathBuf, &'static str> {
    if path.is_empty() { Err("the path is missing") } else { Ok(PathBuf::from(path)) }
}

fn http(text: &str) -> Result<Uri, String> {
    let address: Address = text.parse().map_err(|error: AddressError| error.to_string())?;
    Ok(address.uri().clone())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::Http(uri) => uri.fmt(f),
            Self::Function { api, name } => write!(f, "lambda:{api}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_are_read_and_written_the_same() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let rows = [
            ("file:/var/log/ok.ndjson", Target::File("/var/log/ok.ndjson".into())),
            ("file:ok", Target::File("ok".into())),
            ("dir:out", Target::Directory("out".into())),
            ("http://127.0.0.1:9000/hook?a=b", Target::Http(uri("http://127.0.0.1:9000/hook?a=b"))),
            ("http://[::1]:9000/", Target::Http(uri("http://[::1]:9000/"))),
            ("http://[::1]/", Target::Http(uri("http://[::1]/"))),
            (
                "lambda:http://host:8080/f:prod",
                Target::Function { api: uri("http://host:8080"), name: "f:prod".to_owned() },
            ),
        ];
        for (text, target) in rows {
            assert_eq!(text.parse::<Target>().unwrap(), target);
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        let rows = [
            (
                "",
                "'' is no destination: it has to begin with file:, dir:, http:// or lambda:http://",
            ),
            (
                "/tmp/x",
                "'/tmp/x' is no destination: it has to begin with file:, dir:, http:// or lambda:http://",
            ),
            ("file:", "'file:' is no destination: the path is missing"),
            ("dir:", "'dir:' is no destination: the path is missing"),
            (
                "https://a/",
                "'https://a/' is no destination: https is not supported, only http on a network that you trust",
            ),
            (
                "http:/a",
                "'http:/a' is no destination: it is not of the form http://HOST[:PORT][/PATH]",
            ),
            (
                "http://a:b/",
                "'http://a:b/' is no destination: its port is not a number from 1 to 65535",
            ),
            (
                "http://a:99999/",
                "'http://a:99999/' is no destination: its port is not a number from 1 to 65535",
            ),
            (
                "lambda:f",
                "'lambda:f' is no destination: a function is written as lambda:http://HOST[:PORT]/NAME",
            ),
            (
                "lambda:http://a:1",
                "'lambda:http://a:1' is no destination: a function is written as lambda:http://HOST[:PORT]/NAME",
            ),
            (
                "lambda:http://a:1/",
                "'lambda:http://a:1/' is no destination: the function's name may have letters, digits and -_.:$",
            ),
            (
                "lambda:http://a:1/f/g",
                "'lambda:http://a:1/f/g' is no destination: the function's name may have letters, digits and -_.:$",
            ),
            (
                "lambda:http:///f",
                "'lambda:http:///f' is no destination: it is not of the form http://HOST[:PORT][/PATH]",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Target>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_user_and_a_password_are_refused_and_not_repeated() {
        let refused = "it names a user, and requests carry no user and no password";
        let rows = [
            ("http://me:secret@host/x", "http://...@host/x", refused),
            ("lambda:http://me:secret@host/f", "lambda:http://...@host/f", refused),
            (
                "http://me:se/cret@host:80:80",
                "http://...@host:80:80",
                "its port is not a number from 1 to 65535",
            ),
            (
                "https://me:secret@host",
                "https://...@host",
                "https is not supported, only http on a network that you trust",
            ),
            (
                "me:secret@host",
                "...@host",
                "it has to begin with file:, dir:, http:// or lambda:http://",
            ),
        ];
        for (text, shown, reason) in rows {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert_eq!(error, format!("'{shown}' is no destination: {reason}"));
        }
        assert!("http://host/me@home".parse::<Target>().is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_fail(text in "(file:|dir:|http://|lambda:http://)?[^ ]{0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
            }
        }
    }
}
