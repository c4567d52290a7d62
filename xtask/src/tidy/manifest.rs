//! What every manifest has to say, and to inherit.

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::tidy::Problem;

/// The manifest of a package of the workspace.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: String,
    text: String,
    table: Table,
    /// The package's name.
    pub(crate) name: String,
}

/// What one package needs of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether it is declared in the root manifest.
    pub(crate) inherited: bool,
}

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
const INHERITED: [&str; 3] = ["version", "edition", "license"];

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is no manifest of a package.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let package = table.get("package").and_then(Value::as_table);
        let name = package.and_then(|package| package.get("name")).and_then(Value::as_str);
        let name = name.context("it has no package.name")?.to_owned();
        Ok(Self { path: path.to_owned(), text: text.to_owned(), table, name })
    }

    /// Everything it depends on, whatever for.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(|all| all.values().filter_map(Value::as_table));
        let mut found = Vec::new();
        for table in targets.chain([&self.table]) {
            for kind in KINDS {
                let list = table.get(kind).and_then(Value::as_table).into_iter().flatten();
                found.extend(list.map(|(name, value)| Dependency {
                    name: name.clone(),
                    inherited: is_inherited(Some(value)),
                }));
            }
        }
        found
    }

    /// A problem at the line of a key, or at the first.
    pub(crate) fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        let is_key = |line: &str| {
            let rest = line.strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with([' ', '.', '=', ']']))
        };
        let line = self.text.lines().position(|line| is_key(line.trim_start_matches('[')));
        Problem::new(&self.path, line.map_or(1, |line| line + 1), text)
    }

    fn package(&self, key: &str) -> Option<&Value> {
        self.table.get("package")?.get(key)
    }
}

/// Checks what is said and inherited.
pub(crate) fn check(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    for key in INHERITED {
        if !is_inherited(manifest.package(key)) {
            let text = format!("{key} is not inherited: say `{key}.workspace = true`");
            problems.push(manifest.problem(key, text));
        }
    }
    if !is_inherited(manifest.table.get("lints")) {
        let text = "the lints are not inherited: add `[lints]` with `workspace = true`";
        problems.push(manifest.problem("lints", text));
    }
    // Nobody reads the page of a package that is not published.
    let published = manifest.package("publish").and_then(Value::as_bool) != Some(false);
    let wanted: &[&str] = if published { &["description", "readme"] } else { &["description"] };
    for key in wanted {
        if manifest.package(key).and_then(Value::as_str).is_none_or(str::is_empty) {
            problems.push(manifest.problem("name", format!("there is no {key}: add one")));
        }
    }
    // The package itself, for a feature that its tests want, has a path alone: then whoever
    // publishes it finds nothing that would have to be published before.
    let of_its_own =
        |dependency: &&Dependency| !dependency.inherited && dependency.name != manifest.name;
    for dependency in manifest.dependencies().iter().filter(of_its_own) {
        let name = &dependency.name;
        let text = format!(
            "{name} has a version or path of its own: declare it in the root manifest's \
             [workspace.dependencies] and say `{name}.workspace = true`"
        );
        problems.push(manifest.problem(name, text));
    }
    problems
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]
name = \"rapid-x\"
description = \"x\"
readme = \"README.md\"
version.workspace = true
edition.workspace = true
license.workspace = true

[dependencies]
bytes.workspace = true

[target.'cfg(unix)'.dev-dependencies]
tokio = { workspace = true, features = [\"rt\"] }

[lints]
workspace = true
";

    fn lines(text: &str) -> Vec<String> {
        let manifest = Manifest::parse("crates/x/Cargo.toml", text).unwrap();
        check(&manifest).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        assert_eq!(lines(GOOD), [""; 0]);
    }

    #[test]
    fn dependencies_are_found_for_every_target_and_purpose() {
        let manifest = Manifest::parse("x", GOOD).unwrap();
        let names: Vec<String> = manifest.dependencies().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["tokio", "bytes"]);
    }

    #[test]
    fn what_a_manifest_says_for_itself_is_pointed_at() {
        let own = GOOD
            .replace("edition.workspace = true", "edition = \"2021\"")
            .replace("bytes.workspace = true", "bytes = \"1\"")
            .replace("[lints]\nworkspace = true", "");
        assert_eq!(
            lines(&own),
            [
                "crates/x/Cargo.toml:6: edition is not inherited: say `edition.workspace = true`",
                "crates/x/Cargo.toml:1: the lints are not inherited: add `[lints]` with `workspace = true`",
                "crates/x/Cargo.toml:10: bytes has a version or path of its own: declare it in the root \
                 manifest's [workspace.dependencies] and say `bytes.workspace = true`",
            ]
        );
    }

    #[test]
    fn a_package_may_name_itself_by_its_path() {
        let itself =
            format!("{GOOD}\n[dev-dependencies.rapid-x]\npath = \".\"\nfeatures = [\"y\"]\n");
        let other = itself.replace("dependencies.rapid-x]", "dependencies.rapid-z]");
        assert_eq!((lines(&itself).len(), lines(&other).len()), (0, 1));
    }

    #[test]
    fn only_a_published_package_needs_a_readme() {
        let without = GOOD.replace("readme = \"README.md\"\n", "");
        assert_eq!(lines(&without), ["crates/x/Cargo.toml:2: there is no readme: add one"]);
        let unpublished = without.replace("description", "publish = false\ndescription");
        assert_eq!(lines(&unpublished), [""; 0]);
    }
}
