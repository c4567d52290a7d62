//! The licences of everything in a binary that is not ours; most of them ask for their text to be
//! passed on.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cargo;
use crate::dist::target::Target;

/// The package of the binary.
const BINARY: &str = "rapid-cli";

/// The C library of static binaries.
const MUSL: &str = "musl, MIT, https://musl.libc.org\nCopyright © 2005-2020 Rich Felker, et al.";

/// How files that hold a licence begin.
const PREFIXES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// What `cargo metadata` tells.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// Nothing for packages of this workspace.
    source: Option<String>,
    manifest_path: String,
    targets: Vec<Product>,
}

/// What a package makes.
#[derive(Deserialize)]
struct Product {
    kind: Vec<String>,
}

impl Package {
    /// Whether it runs in the compiler, and nothing of it is linked.
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|product| product.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Nothing for an ordinary dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// All of them in one text, sorted by package.
///
/// # Errors
/// When cargo cannot tell, or a package comes without a licence.
pub(crate) fn text(root: &Path, target: &Target) -> Result<Vec<u8>> {
    let args =
        ["metadata", "--format-version", "1", "--locked", "--filter-platform", target.triple];
    let output = cargo::cargo(root, &args).output().context("starting cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {}", errors.trim());
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let linked = linked(&metadata)?;
    let mut packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some() && linked.contains(package.id.as_str()))
        .collect();
    packages.sort_unstable_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let mut text =
        "rapid is linked with the following packages. Each comes under the licence that \
                    is named and quoted with it.\n"
            .to_owned();
    for package in packages {
        text.push_str(&notice(package)?);
    }
    if target.is_musl() {
        let mit = toolchain(root)?.join("licenses/MIT.txt");
        let mit = fs::read_to_string(&mit).with_context(|| format!("reading {}", mit.display()))?;
        text.push_str(&format!("\n{:=<100}\n{MUSL}\n{:-<100}\n{}\n", "", "", mit.trim_end()));
    }
    Ok(text.into_bytes())
}

/// What comes with the toolchain about the standard library and what that is made of.
///
/// # Errors
/// When the toolchain has come without it.
pub(crate) fn of_the_standard_library(root: &Path) -> Result<Vec<u8>> {
    let path = toolchain(root)?.join("COPYRIGHT-library.html");
    fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

/// Where the toolchain keeps its documents.
fn toolchain(root: &Path) -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root).output();
    let output = output.context("starting rustc")?;
    let path = String::from_utf8(output.stdout).context("rustc names no path")?;
    Ok(Path::new(path.trim()).join("share/doc/rust"))
}

/// What the binary is linked with: what it needs to run, and what that needs.
fn linked(metadata: &Metadata) -> Result<BTreeSet<&str>> {
    let nodes: HashMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let binary = metadata.packages.iter().find(|package| package.name == BINARY);
    let macros: BTreeSet<&str> = metadata
        .packages
        .iter()
        .filter(|package| package.is_macro())
        .map(|package| package.id.as_str())
        .collect();
    let mut todo = vec![binary.context("the workspace has no rapid-cli")?.id.as_str()];
    let mut linked = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if macros.contains(id) || !linked.insert(id) {
            continue;
        }
        let node = nodes.get(id).with_context(|| format!("cargo tells nothing of {id}"))?;
        let ordinary =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|one| one.kind.is_none());
        todo.extend(node.deps.iter().filter(ordinary).map(|dependency| dependency.pkg.as_str()));
    }
    Ok(linked)
}

fn notice(package: &Package) -> Result<String> {
    let Package { name, version, license, repository, manifest_path, .. } = package;
    let license = license.as_deref().with_context(|| format!("{name} names no licence"))?;
    let origin = repository.as_deref().unwrap_or("crates.io");
    let mut text = format!("\n{:=<100}\n{name} {version}, {license}, {origin}\n", "");
    let dir = Path::new(manifest_path).parent().context("a manifest without a directory")?;
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry.context("reading a directory")?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        if path.is_file() && PREFIXES.iter().any(|prefix| file.starts_with(prefix)) {
            files.push(path);
        }
    }
    files.sort_unstable();
    for file in files {
        let quoted = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        text.push_str(&format!("{:-<100}\n", ""));
        text.push_str(String::from_utf8_lossy(&quoted).trim_end());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_named_and_quoted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let target = Target::called("x86_64-unknown-linux-musl").expect("a target");
        let text = String::from_utf8(text(root, target).expect("a text")).expect("UTF-8");
        let heads: Vec<&str> = text
            .lines()
            .zip(text.lines().skip(1))
            .filter(|(line, _)| line.len() == 100 && line.bytes().all(|byte| byte == b'='))
            .map(|(_, head)| head)
            .collect();
        let named = |name: &str| heads.iter().any(|head| head.starts_with(name));
        assert!(named("tokio ") && named("hyper ") && named("musl, MIT"), "{heads:#?}");
        assert!(!named("serde_derive ") && !named("rapid") && !named("criterion "), "{heads:#?}");
        assert!(text.contains("Copyright (c) Tokio Contributors"));
        assert!(text.contains("Permission is hereby granted"));
    }

    #[test]
    fn what_only_builds_and_tests_need_is_not_linked() {
        let metadata: Metadata = serde_json::from_str(
            r#"{"packages": [
                {"id": "cli", "name": "rapid-cli", "version": "1", "manifest_path": "/c/Cargo.toml",
                 "targets": [{"kind": ["bin"]}]},
                {"id": "a", "name": "a", "version": "1", "source": "s",
                 "manifest_path": "/a/Cargo.toml", "targets": [{"kind": ["lib"]}]},
                {"id": "m", "name": "m", "version": "1", "source": "s",
                 "manifest_path": "/m/Cargo.toml", "targets": [{"kind": ["proc-macro"]}]}
            ], "resolve": {"nodes": [
                {"id": "cli", "deps": [
                    {"pkg": "a", "dep_kinds": [{"kind": "dev"}, {"kind": null}]},
                    {"pkg": "b", "dep_kinds": [{"kind": "build"}]},
                    {"pkg": "m", "dep_kinds": [{"kind": null}]}
                ]},
                {"id": "a", "deps": [{"pkg": "c", "dep_kinds": [{"kind": null}]}]},
                {"id": "b", "deps": []},
                {"id": "m", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}]},
                {"id": "c", "deps": [{"pkg": "a", "dep_kinds": [{"kind": null}]}]}
            ]}}"#,
        )
        .expect("metadata");
        let linked = linked(&metadata).expect("a graph");
        assert_eq!(linked.into_iter().collect::<Vec<_>>(), ["a", "c", "cli"]);
    }
}
