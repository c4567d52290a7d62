//! A Lambda extension that writes down what it is told, one line an event, into a file of its own
//! in the directory that `E2E_EVENTS` names.
//!
//! The first word of its name says what it registers for: `both-…`, `invoke-…`, `shutdown-…` or
//! `none-…`. It leaves at `SHUTDOWN`.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a fixture that cannot go on has to end, and says why")]

use std::env;
use std::path::Path;

use rapid_e2e::extension::{Extension, Heard};

fn main() {
    let path = env::args_os().next().expect("every process has a name");
    let name = Path::new(&path).file_name().and_then(|name| name.to_str()).expect("a plain name");
    let events: &[&str] = match name.split('-').next() {
        Some("both") => &["INVOKE", "SHUTDOWN"],
        Some("invoke") => &["INVOKE"],
        Some("shutdown") => &["SHUTDOWN"],
        _ => &[],
    };
    let mut extension = Extension::register(name, events);
    while extension.hear() != Heard::Shutdown {}
}
