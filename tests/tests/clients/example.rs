//! The examples, run as their READMEs say.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rapid_e2e::{Options, Rapid, eventually_some, rapid_binary};
use serde_json::Value;
use tempfile::TempDir;

use crate::peers::{installed, source};

/// What a README says: its blocks of shell commands and of output.
struct Readme {
    commands: Vec<String>,
    outputs: Vec<String>,
}

impl Readme {
    fn of(name: &str) -> Self {
        let text = fs::read_to_string(source("examples").join(name).join("README.md"));
        let text = text.expect("every example has a README");
        let (mut commands, mut outputs) = (Vec::new(), Vec::new());
        // Inside and outside of fences take turns.
        for block in text.split("```").skip(1).step_by(2) {
            let (language, content) = block.split_once('\n').expect("a fence ends its line");
            match language {
                "sh" => commands.extend(content.lines().map(ToOwned::to_owned)),
                "text" => outputs.push(content.to_owned()),
                _ => {}
            }
        }
        Self { commands, outputs }
    }

    #[track_caller]
    fn command(&self, start: &str) -> &str {
        let found = self.commands.iter().find(|command| command.starts_with(start));
        found.unwrap_or_else(|| panic!("no command starts with {start}"))
    }
}

/// Does what the README of the example `name` says, and expects what it says comes of it.
///
/// It is done in a copy, where `links` stand for what the README's first steps install: a name in
/// the example's directory, and what it is below the installed peers.
#[track_caller]
pub(crate) fn does_what_its_readme_says(name: &str, links: &[(&str, &str)]) {
    let readme = Readme::of(name);
    let copy = copy(name, links);

    // The word before the options is the binary under test, whatever it is called here.
    let invoke = readme.command("rapid invoke ").strip_prefix("rapid").unwrap_or_default();
    let printed = shell(&format!("\"$RAPID\"{invoke}"), &copy);
    assert!(readme.outputs.contains(&printed), "the README shows {:?}: {printed}", readme.outputs);

    let bootstrap = readme.command("rapid -- ").split_whitespace().skip(2);
    let rapid = Rapid::serve(Options::new().command(bootstrap).current_dir(copy.path()));
    let (_, payload) = readme.command("curl ").split_once("-d '").expect("curl sends an event");
    let (payload, _) = payload.split_once('\'').expect("a quote has an end");
    let reply = rapid.invoke(payload);
    assert_eq!((reply.status, reply.function_error()), (200, None));
    assert_eq!(reply.text(), printed.trim_end());

    // The name that nobody gives, the one that is given, and one process for all of them.
    let runtime = rapid.runtime();
    assert_eq!(rapid.invoke("{}").json()["message"], "Hello, world!");
    for n in 0..20 {
        let reply = rapid.invoke(format!(r#"{{"name":"number {n}"}}"#)).json();
        assert_eq!(reply["message"], Value::from(format!("Hello, number {n}!")));
    }
    assert_eq!(rapid.runtime().pid, runtime.pid);
}

fn copy(name: &str, links: &[(&str, &str)]) -> TempDir {
    let copy = tempfile::tempdir().expect("a directory can be made");
    for entry in fs::read_dir(source("examples").join(name)).expect("the example is there") {
        let path = entry.expect("a directory can be read").path();
        if path.is_file() {
            let to = copy.path().join(path.file_name().expect("a file has a name"));
            fs::copy(&path, to).expect("files can be copied");
        }
    }
    for (link, to) in links {
        let link = copy.path().join(link);
        fs::create_dir_all(link.parent().expect("it is in the copy")).expect("it can be made");
        symlink(installed(to), link).expect("a link can be made");
    }
    copy
}

/// Runs a line of shell to its end; its standard output.
#[track_caller]
fn shell(line: &str, dir: &TempDir) -> String {
    let mut child = Command::new("sh")
        .args(["-c", line])
        .env("RAPID", rapid_binary())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let status = eventually_some(line, || child.try_wait().expect("a child can be waited for"));
    // It has ended and left little, so that the pipes have held all of it.
    let (mut printed, mut said) = (String::new(), String::new());
    let mut stdout = child.stdout.take().expect("its output is piped");
    stdout.read_to_string(&mut printed).expect("it prints text");
    let mut stderr = child.stderr.take().expect("its errors are piped");
    stderr.read_to_string(&mut said).expect("it says text");
    assert!(status.success(), "{line}: {status}\n{printed}{said}");
    assert!(said.contains("\nREPORT RequestId: "), "{said}");
    printed
}
