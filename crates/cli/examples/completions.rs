//! Prints what a shell needs to complete rapid's command line: `completions bash|zsh|fish`.
//!
//! An example, so that neither rapid's binary nor its start pays for it; `cargo xtask dist` puts
//! its output into the archive.
#![forbid(unsafe_code)]

#[expect(dead_code, reason = "only what the command line may look like is of use here")]
#[path = "../src/args.rs"]
mod args;
#[path = "../src/endpoint.rs"]
mod endpoint;
#[expect(dead_code, reason = "only the settings' flags are of use here")]
#[path = "../src/settings.rs"]
mod settings;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ColorChoice;
use clap_complete::Shell;
use rapid::Persona;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let shell = match words.as_slice() {
        [shell] => shell.parse::<Shell>().ok(),
        _ => None,
    };
    let Some(shell) = shell else {
        eprintln!("usage: completions bash|zsh|fish");
        return ExitCode::from(2);
    };
    let mut script = Vec::new();
    let mut command = args::command(ColorChoice::Never, Persona::Aws);
    clap_complete::generate(shell, &mut command, "rapid", &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("completions: {error}");
            ExitCode::FAILURE
        }
    }
}
