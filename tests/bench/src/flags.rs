//! Command lines of the tools: `--name value`, `--switch`, and a command after `--`.

use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    values: BTreeMap<String, String>,
    /// The words after `--`.
    pub command: Vec<String>,
}

impl Flags {
    /// Reads a command line without the program's name; `names` are the flags that exist, without
    /// their hyphens.
    ///
    /// # Errors
    /// Names a word that is no such flag, or a flag without its value.
    pub fn parse(words: impl IntoIterator<Item = String>, names: &[&str]) -> io::Result<Self> {
        let mut words = words.into_iter();
        let mut flags = Self::default();
        while let Some(word) = words.next() {
            if word == "--" {
                flags.command = words.collect();
                break;
            }
            let name = word.strip_prefix("--").filter(|name| names.contains(name));
            let name = name.ok_or_else(|| wrong(format!("`{word}` is not expected")))?.to_owned();
            let value = words.next().ok_or_else(|| wrong(format!("`{word}` needs a value")))?;
            flags.values.insert(name, value);
        }
        Ok(flags)
    }

    /// A flag's value, if it was given.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn get<T: FromStr>(&self, name: &str) -> io::Result<Option<T>> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        let value =
            text.parse().map_err(|_| wrong(format!("`{text}` is no value for --{name}")))?;
        Ok(Some(value))
    }

    /// The value of a flag that has to be given.
    ///
    /// # Errors
    /// When it was not, or is no such value.
    pub fn require<T: FromStr>(&self, name: &str) -> io::Result<T> {
        self.get(name)?.ok_or_else(|| wrong(format!("--{name} is needed")))
    }
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = line.split_whitespace().map(str::to_owned);
        Flags::parse(words, &["count", "address"]).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_end_where_the_command_begins() {
        let flags = parse("--count 3 -- run --count 4").unwrap();
        assert_eq!(flags.require::<u32>("count").unwrap(), 3);
        assert_eq!(flags.get::<u32>("address").unwrap(), None);
        assert_eq!(flags.command, ["run", "--count", "4"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse("--cuont 3"), Err("`--cuont` is not expected".to_owned()));
        assert_eq!(parse("--count"), Err("`--count` needs a value".to_owned()));
        let flags = parse("--count x").unwrap();
        let error = |result: io::Result<u32>| result.unwrap_err().to_string();
        assert_eq!(error(flags.require("count")), "`x` is no value for --count");
        assert_eq!(error(flags.require("address")), "--address is needed");
    }
}
