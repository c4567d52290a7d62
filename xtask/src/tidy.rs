//! `cargo xtask tidy`: the reviewer that does not get tired.
//!
//! Each rule is a function over the text of a file; what it finds is collected, so that one run
//! tells everything.

mod document;
mod layer;
mod manifest;
mod source;
mod word;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::manifest::Manifest;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// Counted from 1.
    line: usize,
    /// What is wrong, and what to do.
    text: String,
    /// Whether it is only worth knowing.
    warning: bool,
}

impl Problem {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into(), warning: false }
    }

    fn warning(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { warning: true, ..Self::new(path, line, text) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{}", self.path, self.line, self.text)
    }
}

/// The files of the project as the rules see them.
struct Tree<'a> {
    root: &'a Path,
    /// From the root, sorted.
    paths: Vec<String>,
}

impl<'a> Tree<'a> {
    /// Every file that is in version control, or would be after `git add`; without a repository,
    /// every file that is not built or installed.
    fn read(root: &'a Path) -> Result<Self> {
        let mut paths = match listed_by_git(root)? {
            Some(paths) => paths,
            None => {
                let mut paths = Vec::new();
                walk(root, "", &mut paths)?;
                paths
            }
        };
        paths.sort_unstable();
        Ok(Self { root, paths })
    }

    /// A file's text; nothing when it does not exist or is no text.
    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }
}

fn listed_by_git(root: &Path) -> Result<Option<Vec<String>>> {
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let output = Command::new("git")
        // Whoever runs this trusts the directory, whoever owns it.
        .args(["-c", "safe.directory=*"])
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .context("running git")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Some(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()))
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    const LEFT_OUT: [&str; 3] = ["target", "node_modules", "__pycache__"];
    let entries = fs::read_dir(root.join(folder)).with_context(|| format!("reading {folder}"))?;
    for entry in entries {
        let entry = entry.context("reading a directory")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.file_type().context("reading a directory")?.is_dir() {
            paths.push(path);
        } else if !LEFT_OUT.contains(&name.as_str()) {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

/// The project's files from `root`, sorted: what is in version control or would be, and is there.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let mut paths = Tree::read(root)?.paths;
    // Git still lists a file that has just been removed.
    paths.retain(|path| root.join(path).is_file());
    Ok(paths)
}

/// Runs every rule.
///
/// # Errors
/// When something has to be changed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut problems = Vec::new();
    check_manifests(&tree, &mut problems)?;
    for path in &tree.paths {
        let Some(text) = tree.text(path) else { continue };
        problems.extend(word::check(path, &text));
        if is_ours(path) {
            problems.extend(source::check(path, &text));
        }
    }
    problems.extend(document::check_architecture(
        tree.text(document::ARCHITECTURE).as_deref(),
        |path| tree.text(path),
    ));
    problems
        .extend(document::check_wire(tree.text(document::WIRE).as_deref(), |path| tree.text(path)));
    for problem in &problems {
        println!("{problem}");
    }
    let failures = problems.iter().filter(|problem| !problem.warning).count();
    println!("{} files, {failures} problems", tree.paths.len());
    if failures == 0 { Ok(()) } else { bail!("{failures} problems") }
}

/// Whether a path is a Rust file of the workspace; what `tests/peers` has is somebody's function.
fn is_ours(path: &str) -> bool {
    let inside = ["crates/", "xtask/", "tests/"].iter().any(|folder| path.starts_with(folder));
    inside && path.ends_with(".rs") && !path.starts_with("tests/peers/")
}

fn check_manifests(tree: &Tree<'_>, problems: &mut Vec<Problem>) -> Result<()> {
    let is_member = |path: &&String| match path.strip_suffix("/Cargo.toml") {
        Some(folder) => {
            matches!(folder, "tests" | "tests/bench" | "xtask")
                || folder.strip_prefix("crates/").is_some_and(|name| !name.contains('/'))
        }
        None => false,
    };
    for path in tree.paths.iter().filter(is_member) {
        // Git still lists a file that has just been removed.
        let Some(text) = tree.text(path) else { continue };
        let manifest = Manifest::parse(path, &text).with_context(|| format!("in {path}"))?;
        problems.extend(manifest::check(&manifest));
        problems.extend(layer::check(&manifest));
    }
    Ok(())
}
