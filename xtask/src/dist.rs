//! `cargo xtask dist`: what is released, built so that anybody can build the same bytes.
//!
//! For each target an archive with the static binary, what one needs to read beside it and the
//! shells' completions; an SBOM; and the hashes of all of them. Nothing is published.

mod archive;
mod build;
mod check;
mod notices;
mod options;
mod proof;
mod sbom;
mod sources;
mod target;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::archive::{Content, Entry};
use self::build::Build;
use self::options::Options;
use self::proof::Proof;
use self::target::Target;
use crate::cargo;

/// All packages of the workspace share one version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is put into the archive as it is.
const DOCUMENTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// A shell, and what it wants its completions to be called.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "rapid.bash"), ("zsh", "_rapid"), ("fish", "rapid.fish")];

/// Builds what the arguments ask for.
///
/// # Errors
/// When something cannot be built or is not as it should be: too large, not static, or another the
/// second time. A target that this machine cannot build is an error only if it was asked for.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help") {
        println!("{}", options::usage());
        return Ok(());
    }
    let options = Options::parse(args)?;
    let targets = possible(root, &options)?;
    let date = date(root)?;
    if let Some(changes) = changes(root) {
        println!("==> not what any commit has: {changes} files differ from the last one");
    }
    let dist = root.join("target/dist");
    remove_older(&dist)?;
    let mut files = Vec::new();
    for target in targets {
        let released = release(root, target, date, options.verify);
        files.extend(released.with_context(|| format!("releasing {}", target.triple))?);
    }
    // One file for all: its lines are what `sha256sum --check` reads.
    let sums = sha256(&dist, &files)?;
    write(&dist.join("SHA256SUMS"), sums.as_bytes())?;
    println!("==> {}\n{}", dist.join("SHA256SUMS").display(), sums.trim_end());
    Ok(())
}

/// Those of the wanted targets that can be built here; says what the others lack.
fn possible(root: &Path, options: &Options) -> Result<Vec<&'static Target>> {
    let asked = !options.targets.is_empty();
    let wanted: Vec<_> = if asked { options.targets.clone() } else { Target::released().collect() };
    let mut possible = Vec::new();
    for target in wanted {
        let missing = target.missing(root)?;
        if missing.is_empty() {
            possible.push(target);
            continue;
        }
        let text = format!("{} cannot be built here\n  {}", target.triple, missing.join("\n  "));
        if asked {
            bail!("{text}");
        }
        println!("==> left out: {text}");
    }
    ensure!(!possible.is_empty(), "no target can be built here");
    Ok(possible)
}

/// Builds, checks and packs one target, and names the files for it in `target/dist`.
fn release(root: &Path, target: &'static Target, date: u64, verify: bool) -> Result<Vec<String>> {
    let dist = root.join("target/dist");
    println!("==> rapid {VERSION} for {}", target.triple);
    // Taken first: somebody may go on working while this builds.
    let copy = verify.then(|| sources::copy(root)).transpose()?;
    let build = Build { root, dir: &dist.join("build"), target, date };
    let path = build.binary("rapid-cli", "rapid")?;
    let binary = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    println!("    binary: {} bytes ({})", binary.len(), check::mebibytes(binary.len()));
    check::size(&binary)?;
    check::is_static(&binary, target.machine)?;
    println!("    static: no loader, no shared library");
    check::names_no_path(&binary, &[root, &build::cargo_home()?])?;
    match proof::run(&build, &path)? {
        Proof::Ran => println!("    empty root: it invoked a function there"),
        Proof::Untried(reason) => println!("    empty root: not tried, {reason}"),
    }
    if let Some(copy) = copy {
        compare(&path, copy.path(), target, date)?;
    }
    let name = name(target);
    let packed = archive::pack(&name, &entries(root, target, binary)?, date)?;
    let files = vec![format!("{name}.tar.gz"), format!("{name}.cdx.json")];
    write(&dist.join(&files[0]), &packed)?;
    write(&dist.join(&files[1]), &sbom::list(root, target, date)?)?;
    Ok(files)
}

/// What the files of a target are called, before their extension.
fn name(target: &Target) -> String {
    format!("rapid-{VERSION}-{}", target.triple)
}

/// Builds again, from the sources in `copy`, and compares.
fn compare(first: &Path, copy: &Path, target: &'static Target, date: u64) -> Result<()> {
    // The system may name the directory by way of a link, and rustc by what it leads to.
    let place = copy.canonicalize().context("looking for the copy")?;
    println!("    building again in {}", place.display());
    let build = Build { root: &place, dir: &place.join("target"), target, date };
    let second = build.binary("rapid-cli", "rapid")?;
    let mut hashes = Vec::new();
    for (pass, path) in [("first", first), ("second", &second)] {
        let line = sha256(&place, &[path.display().to_string()])?;
        let hash = line.split_whitespace().next().unwrap_or_default().to_owned();
        println!("    {pass} pass: {hash}");
        hashes.push(hash);
    }
    ensure!(hashes[0] == hashes[1], "the two passes differ: the build is not reproducible");
    Ok(())
}

/// What is in the archive.
fn entries(root: &Path, target: &Target, binary: Vec<u8>) -> Result<Vec<Entry>> {
    let mut entries = vec![
        Entry { path: "rapid".to_owned(), content: Content::Program(binary) },
        // Called so, it has the emulator's manners.
        Entry { path: "aws-lambda-rie".to_owned(), content: Content::Link("rapid".to_owned()) },
    ];
    for document in DOCUMENTS {
        let text = fs::read(root.join(document)).with_context(|| format!("reading {document}"))?;
        entries.push(Entry { path: document.to_owned(), content: Content::File(text) });
    }
    for (path, notices) in [
        ("THIRD-PARTY-LICENSES", notices::text(root, target)?),
        ("RUST-STANDARD-LIBRARY.html", notices::of_the_standard_library(root)?),
    ] {
        entries.push(Entry { path: path.to_owned(), content: Content::File(notices) });
    }
    for (shell, file) in COMPLETIONS {
        let script = completions(root, shell)?;
        let path = format!("completions/{file}");
        entries.push(Entry { path, content: Content::File(script) });
    }
    Ok(entries)
}

/// What a shell needs, from an example of rapid-cli: clap's generator would be a part of the binary
/// that everybody carries around and hardly anybody runs.
fn completions(root: &Path, shell: &str) -> Result<Vec<u8>> {
    let args = ["run", "--quiet", "--locked", "--package", "rapid-cli", "--example", "completions"];
    let mut command = cargo::cargo(root, &args);
    let output = command.args(["--", shell]).output().context("starting cargo")?;
    ensure!(
        output.status.success(),
        "the completions for {shell} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}

/// The date of everything, in seconds since 1970: `SOURCE_DATE_EPOCH`, or when the last commit was
/// made; without a repository 0.
fn date(root: &Path) -> Result<u64> {
    if let Some(text) = env::var_os("SOURCE_DATE_EPOCH") {
        let text = text.to_string_lossy();
        return text.parse().with_context(|| format!("SOURCE_DATE_EPOCH is no time: {text:?}"));
    }
    if !root.join(".git").exists() {
        return Ok(0);
    }
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "log", "-1", "--format=%ct"]).current_dir(root);
    let output = git.output().context("running git")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context("`git log` names no date: set SOURCE_DATE_EPOCH")
}

/// How many files are not as the last commit has them, if git can say and there are any.
fn changes(root: &Path) -> Option<usize> {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "status", "--porcelain"]).current_dir(root);
    let output = git.output().ok().filter(|output| output.status.success())?;
    let changes = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Some(changes.count()).filter(|count| *count > 0)
}

/// Removes what an earlier run has left, so that what lies there belongs together.
fn remove_older(dist: &Path) -> Result<()> {
    fs::create_dir_all(dist).with_context(|| format!("making {}", dist.display()))?;
    let entries = fs::read_dir(dist).with_context(|| format!("reading {}", dist.display()))?;
    for entry in entries {
        let path = entry.context("reading a directory")?.path();
        if path.is_file() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// The lines that `sha256sum`, which every Linux has, writes about some files.
fn sha256(dir: &Path, files: &[String]) -> Result<String> {
    let output = Command::new("sha256sum").args(files).current_dir(dir).output();
    let output = output.context("starting sha256sum")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "sha256sum failed: {}", errors.trim());
    String::from_utf8(output.stdout).context("sha256sum wrote no text")
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_version_and_target() {
        let target = Target::called("x86_64-unknown-linux-musl").expect("a target");
        assert_eq!(name(target), format!("rapid-{VERSION}-x86_64-unknown-linux-musl"));
    }

    #[test]
    fn what_lies_there_from_before_goes_and_the_builds_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("build")).expect("a directory");
        fs::write(dir.path().join("rapid-0.0.1-x.tar.gz"), "old").expect("a file");
        remove_older(dir.path()).expect("removed");
        let left: Vec<_> = fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert_eq!(left, [dir.path().join("build")]);
    }

    #[test]
    fn the_hashes_are_those_that_everybody_computes() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a"), "abc").expect("a file");
        let line = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n";
        assert_eq!(sha256(dir.path(), &["a".to_owned()]).expect("a hash"), line);
    }
}
