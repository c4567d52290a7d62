//! The language of transcripts: one step a line.
//!
//! A request is `METHOD PATH`, then any number of ` | Header: value`, then ` << BODY`. `*N` as the
//! body stands for a JSON string of N bytes. `{id}` in a path is the id of the invocation that the
//! runtime holds, `{previous}` the one before. Short forms: `next`, `response`, `error` and
//! `init-error` of a runtime, `register` of an extension, `event`, `fail-init` and `fail-exit` of
//! one that is registered, `invoke` of an invoker. `{extension}` in a path or a header is the
//! identifier that the process got with its last registration, and what those three short forms
//! send unless they give another. A path that starts with `runtime:` goes to the Runtime API even
//! from an invoker.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Something that a runtime or an invoker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send a request and write down the reply.
    Request(Request),
    /// Send a request and go on; the reply comes when it comes.
    Meanwhile(Request),
    /// Wait until everything that was sent meanwhile has been answered.
    Await,
    /// Ask for the next invocation and never come back.
    Park,
    /// Do nothing until the emulator ends.
    Hang,
    /// Print a line on standard output.
    Say(String),
    /// Wait, so that the emulator notices what has happened.
    Pause(Duration),
    /// End with this status.
    Exit(i32),
    /// End by this signal.
    Signal(String),
}

/// A request as a transcript spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The short forms: word, method, path.
const SHORT: [(&str, &str, &str); 9] = [
    ("next", "GET", "/2018-06-01/runtime/invocation/next"),
    ("response", "POST", "/2018-06-01/runtime/invocation/{id}/response"),
    ("error", "POST", "/2018-06-01/runtime/invocation/{id}/error"),
    ("init-error", "POST", "/2018-06-01/runtime/init/error"),
    ("invoke", "POST", "/2015-03-31/functions/function/invocations"),
    ("register", "POST", "/2020-01-01/extension/register"),
    ("event", "GET", "/2020-01-01/extension/event/next"),
    ("fail-init", "POST", "/2020-01-01/extension/init/error"),
    ("fail-exit", "POST", "/2020-01-01/extension/exit/error"),
];
/// The short forms that say who sends them.
const SIGNED: [&str; 3] = ["event", "fail-init", "fail-exit"];
/// How they do.
pub(crate) const IDENTIFIER: &str = "Lambda-Extension-Identifier";

/// Reads a script; empty lines and lines that start with `#` are left out.
///
/// # Errors
/// Quotes the first line that means nothing.
pub(crate) fn parse(script: &str) -> Result<Vec<Step>> {
    let lines = script.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| parse_line(line).with_context(|| format!("the step `{line}`"))).collect()
}

fn parse_line(line: &str) -> Result<Step> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match word {
        "meanwhile" => Step::Meanwhile(parse_request(rest)?),
        "await" => Step::Await,
        "park" => Step::Park,
        "hang" => Step::Hang,
        "say" => Step::Say(rest.to_owned()),
        "pause" => Step::Pause(Duration::from_millis(rest.parse().context("milliseconds?")?)),
        "exit" => Step::Exit(rest.parse().context("an exit status?")?),
        "signal" => Step::Signal(rest.to_owned()),
        _ => Step::Request(parse_request(line)?),
    })
}

fn parse_request(line: &str) -> Result<Request> {
    let (head, body) = line.split_once(" << ").unwrap_or((line, ""));
    let mut parts = head.split(" | ");
    let start = parts.next().unwrap_or_default().trim();
    let short = SHORT.iter().find(|(word, ..)| *word == start);
    let (method, path) = match (short, start.split_once(' ')) {
        (Some((_, method, path)), _) => (*method, *path),
        (None, Some((method, path))) if method.bytes().all(|b| b.is_ascii_uppercase()) => {
            (method, path)
        }
        _ => bail!("neither a known word nor `METHOD PATH`"),
    };
    let headers = parts.map(|part| {
        let (name, value) = part.split_once(':').context("a header is `Name: value`")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    let mut headers: Vec<(String, String)> = headers.collect::<Result<_>>()?;
    if SIGNED.contains(&start) && headers.iter().all(|(name, _)| name != IDENTIFIER) {
        headers.push((IDENTIFIER.to_owned(), "{extension}".to_owned()));
    }
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: parse_body(body)?,
    })
}

fn parse_body(text: &str) -> Result<Vec<u8>> {
    let Some(size) = text.strip_prefix('*') else { return Ok(text.as_bytes().to_vec()) };
    let size: usize = size.parse().context("a number of bytes after `*`?")?;
    let mut body = vec![b'x'; size];
    if let [first, .., last] = body.as_mut_slice() {
        (*first, *last) = (b'"', b'"');
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_in_short_and_in_full() {
        let steps =
            parse("# A comment.\n\n next\nHEAD /x\nerror | A: b | C: d:e << {\"m\":1}").unwrap();
        let request = |method: &str, path: &str| Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let pairs = [("A", "b"), ("C", "d:e")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let error = Request {
            headers: pairs.to_vec(),
            body: b"{\"m\":1}".to_vec(),
            ..request("POST", "/2018-06-01/runtime/invocation/{id}/error")
        };
        assert_eq!(
            steps,
            [
                Step::Request(request("GET", "/2018-06-01/runtime/invocation/next")),
                Step::Request(request("HEAD", "/x")),
                Step::Request(error),
            ]
        );
    }

    #[test]
    fn extensions_say_who_they_are_unless_they_say_otherwise() {
        let headers = |line: &str| parse_request(line).unwrap().headers;
        let pair = |value: &str| (IDENTIFIER.to_owned(), value.to_owned());
        assert_eq!(headers("event"), [pair("{extension}")]);
        assert_eq!(headers("fail-exit | Lambda-Extension-Identifier: x"), [pair("x")]);
        assert_eq!(headers("register"), []);
        assert_eq!(parse("await").unwrap(), [Step::Await]);
    }

    #[test]
    fn a_body_can_be_given_by_its_size() {
        assert_eq!(parse_body("*5").unwrap(), b"\"xxx\"");
        assert_eq!(parse_body("").unwrap(), b"");
    }

    #[test]
    fn a_line_that_means_nothing_is_quoted() {
        let error = format!("{:#}", parse("next\nfly away").unwrap_err());
        assert_eq!(error, "the step `fly away`: neither a known word nor `METHOD PATH`");
        assert!(parse("exit soon").is_err());
    }
}
