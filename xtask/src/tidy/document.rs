//! Documents that have to keep up with the code.

use crate::fnv;
use crate::tidy::Problem;
use crate::tidy::source::without_tests;

/// Its invariants name their tests.
pub(crate) const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
/// It describes what the wire modules spell.
pub(crate) const WIRE: &str = "docs/wire.md";

const WIRE_MODULES: [&str; 3] = [
    "crates/runtime-api/src/wire.rs",
    "crates/runtime-api/src/extension/wire.rs",
    "crates/invoke-api/src/wire.rs",
];

/// Every invariant, a row that starts with `| I1 |`, names at least one test that exists, as
/// `` `crates/x/src/y.rs::name` ``.
pub(crate) fn check_architecture(
    document: Option<&str>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Problem> {
    let Some(document) = document else {
        return vec![Problem::warning(ARCHITECTURE, 1, "it is not written yet")];
    };
    let mut problems = Vec::new();
    for (number, line) in document.lines().enumerate() {
        let Some(invariant) = invariant(line) else { continue };
        let mut problem =
            |text: String| problems.push(Problem::new(ARCHITECTURE, number + 1, text));
        let tests = tests(line);
        if tests.is_empty() {
            problem(format!("{invariant} names no test: add `path/to/file.rs::name_of_the_test`"));
        }
        for (path, name) in tests {
            match read(path) {
                None => problem(format!("{invariant} names {path}, which does not exist")),
                Some(text) if !has_function(&text, name) => {
                    problem(format!("{invariant} names {name}, which is not in {path}"));
                }
                Some(_) => {}
            }
        }
    }
    problems
}

/// `I` and a number in the first cell of a row.
fn invariant(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?.trim();
    let number = cell.strip_prefix('I')?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(cell)
}

/// The path and the name of each test in a line; modules between them do not matter.
fn tests(line: &str) -> Vec<(&str, &str)> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| {
            let end = text.find(".rs::")? + ".rs".len();
            let (path, rest) = text.split_at(end);
            Some((path, rest.rsplit("::").next()?))
        })
        .collect()
}

fn has_function(text: &str, name: &str) -> bool {
    text.match_indices(&format!("fn {name}")).any(|(at, found)| {
        let after = text[at + found.len()..].chars().next();
        after.is_some_and(|c| c == '(' || c == '<')
    })
}

/// The document carries `<!-- wire-hash: PATH HASH -->` for each wire module.
pub(crate) fn check_wire(
    document: Option<&str>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Problem> {
    let Some(document) = document else {
        return vec![Problem::warning(WIRE, 1, "it is not written yet")];
    };
    let mut problems = strange_hashes(document);
    for path in WIRE_MODULES {
        let Some(text) = read(path) else {
            problems.push(Problem::new(
                path,
                1,
                "the wire module is gone: tell xtask/src/tidy/document.rs",
            ));
            continue;
        };
        let hash = wire_hash(&text);
        let start = format!("<!-- wire-hash: {path} ");
        let found = document.lines().enumerate().find(|(_, line)| line.starts_with(&start));
        match found {
            None => {
                let text = format!("a line is missing: add `{start}{hash} -->`");
                problems.push(Problem::new(WIRE, 1, text));
            }
            Some((number, line)) if line.trim_end() != format!("{start}{hash} -->") => {
                let text = format!(
                    "a literal of the wire changed in {path}: bring the document up to date, \
                     then set the hash to {hash}"
                );
                problems.push(Problem::new(WIRE, number + 1, text));
            }
            Some(_) => {}
        }
    }
    problems
}

/// Hashes of what is no wire module: nobody would notice that they are wrong.
fn strange_hashes(document: &str) -> Vec<Problem> {
    let path = |line: &str| {
        let rest = line.strip_prefix("<!-- wire-hash:")?.trim_start();
        Some(rest.split(' ').next().unwrap_or_default().to_owned())
    };
    let lines = document.lines().enumerate();
    let strange = lines
        .filter(|(_, line)| path(line).is_some_and(|path| !WIRE_MODULES.contains(&path.as_str())));
    let problem = |(line, _)| Problem::new(WIRE, line + 1, "a hash of no wire module: remove it");
    strange.map(problem).collect()
}

/// The hash of what a wire module spells: without its tests, its comments and its layout.
fn wire_hash(text: &str) -> String {
    let lines = without_tests(text).filter(|line| !line.trim_start().starts_with("//"));
    let bytes = lines.flat_map(str::bytes).filter(|byte| !byte.is_ascii_whitespace());
    format!("{:016x}", fnv::hash(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    fn file(path: &str) -> Option<String> {
        (path == "crates/x/src/y.rs").then(|| "fn it_holds() {}\nfn held<T>() {}\n".to_owned())
    }

    #[test]
    fn invariants_name_tests_that_exist() {
        let good = "| I1 | x | `crates/x/src/y.rs::tests::it_holds`, `crates/x/src/y.rs::held` |\n| Id | - |\n";
        assert_eq!(check_architecture(Some(good), file), []);
        let bad =
            "# A\n| I1 | x | |\n| I2 | `crates/z.rs::a` |\n| I3 | `crates/x/src/y.rs::it_hold` |\n";
        assert_eq!(
            lines(&check_architecture(Some(bad), file)),
            [
                "docs/ARCHITECTURE.md:2: I1 names no test: add `path/to/file.rs::name_of_the_test`",
                "docs/ARCHITECTURE.md:3: I2 names crates/z.rs, which does not exist",
                "docs/ARCHITECTURE.md:4: I3 names it_hold, which is not in crates/x/src/y.rs",
            ]
        );
    }

    #[test]
    fn a_document_that_does_not_exist_is_only_a_warning() {
        assert!(check_architecture(None, file).iter().all(|problem| problem.warning));
        assert!(check_wire(None, file).iter().all(|problem| problem.warning));
    }

    #[test]
    fn the_hash_follows_literals_and_nothing_else() {
        let code = "const A: &str = \"/x\";\n";
        let dressed =
            "//! Wire.\n\n  const A: &str =\n    \"/x\";\n#[cfg(test)]\nmod tests {\n    x\n}\n";
        assert_eq!(wire_hash(code), wire_hash(dressed));
        assert_ne!(wire_hash(code), wire_hash(&code.replace("/x", "/y")));
    }

    #[test]
    fn a_changed_wire_asks_for_its_document() {
        let read = |_: &str| Some("const A: &str = \"/x\";\n".to_owned());
        let hash = wire_hash("const A: &str = \"/x\";\n");
        let line = |path: &str, hash: &str| format!("<!-- wire-hash: {path} {hash} -->\n");
        let good: String = WIRE_MODULES.map(|path| line(path, &hash)).concat();
        assert_eq!(check_wire(Some(&good), read), []);
        let strange = check_wire(Some(&format!("{good}<!-- wire-hash: 0 -->")), read);
        assert_eq!(lines(&strange), ["docs/wire.md:4: a hash of no wire module: remove it"]);
        let old = line(WIRE_MODULES[0], "0123456789abcdef");
        let missing = |path| {
            format!("docs/wire.md:1: a line is missing: add `<!-- wire-hash: {path} {hash} -->`")
        };
        assert_eq!(
            lines(&check_wire(Some(&old), read)),
            [
                format!(
                    "docs/wire.md:1: a literal of the wire changed in {}: bring the document up to \
                     date, then set the hash to {hash}",
                    WIRE_MODULES[0]
                ),
                missing(WIRE_MODULES[1]),
                missing(WIRE_MODULES[2]),
            ]
        );
    }
}
