//! What every Rust file has to be like.

use crate::tidy::Problem;

/// More lines than this are worth a thought.
const LONG: usize = 500;
/// More lines than this are too many.
const TOO_LONG: usize = 800;

/// The crate that may have `unsafe`, item by item.
const WITH_UNSAFE: &str = "crates/supervisor/";

/// Checks a file.
pub(crate) fn check(path: &str, text: &str) -> Vec<Problem> {
    let checks = [check_docs(path, text), check_unsafe(path, text), check_length(path, text)];
    checks.into_iter().flatten().chain(check_ignored(path, text)).collect()
}

fn check_docs(path: &str, text: &str) -> Option<Problem> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let documented = first.starts_with("//!") || first.starts_with("#![doc");
    (!documented).then(|| Problem::new(path, 1, "the module says nothing: start it with `//!`"))
}

fn check_unsafe(path: &str, text: &str) -> Option<Problem> {
    let forbids = text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]");
    (is_crate_root(path) && !path.starts_with(WITH_UNSAFE) && !forbids).then(|| {
        Problem::new(path, 1, "the crate does not rule out unsafe: add `#![forbid(unsafe_code)]`")
    })
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs") || path.contains("/src/bin/")
}

fn check_length(path: &str, text: &str) -> Option<Problem> {
    let lines = without_tests(text).count();
    let text = format!("{lines} lines without tests: split it by what it is about");
    if lines > TOO_LONG {
        Some(Problem::new(path, 1, format!("{text}; {TOO_LONG} is the limit")))
    } else if lines > LONG {
        Some(Problem::warning(path, 1, text))
    } else {
        None
    }
}

/// The lines outside modules for tests, which end at the next closing brace in the first column.
pub(crate) fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().peekable();
    let mut in_tests = false;
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let next = lines.peek().copied().unwrap_or_default();
            if in_tests {
                in_tests = line != "}";
            } else if line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
                in_tests = true;
            } else {
                return Some(line);
            }
        }
    })
}

fn check_ignored(path: &str, text: &str) -> Vec<Problem> {
    let lines = text.lines().enumerate();
    let ignored = lines.filter(|(_, line)| line.trim_start().starts_with("#[ignore"));
    let problem = |(line, _)| {
        Problem::new(path, line + 1, "a test that is ignored tests nothing: mend or remove it")
    };
    ignored.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn modules_say_what_they_are_for() {
        assert_eq!(texts("crates/x/src/a.rs", "\n//! A.\n"), [""; 0]);
        assert_eq!(
            texts("crates/x/src/a.rs", "use b;\n"),
            ["crates/x/src/a.rs:1: the module says nothing: start it with `//!`"]
        );
    }

    #[test]
    fn crates_rule_out_unsafe_except_one() {
        let doc = "#![doc = include_str!(\"../README.md\")]\n";
        let safe = format!("{doc}#![forbid(unsafe_code)]\n");
        assert_eq!(texts("crates/x/src/lib.rs", &safe), [""; 0]);
        assert_eq!(texts("crates/x/src/lib.rs", doc).len(), 1);
        assert_eq!(texts("crates/x/src/main.rs", doc).len(), 1);
        assert_eq!(texts("crates/x/src/other.rs", doc), [""; 0]);
        assert_eq!(texts("crates/supervisor/src/lib.rs", doc), [""; 0]);
    }

    #[test]
    fn only_lines_outside_tests_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x\n".repeat(2000));
        let file = |lines: usize| format!("//! A.\n{}{tests}", "x\n".repeat(lines - 1));
        assert_eq!(texts("a.rs", &file(500)), [""; 0]);
        assert_eq!(
            texts("a.rs", &file(501)),
            ["a.rs:1: warning: 501 lines without tests: split it by what it is about"]
        );
        assert!(!check("a.rs", &file(801))[0].warning);
        // After the tests the file goes on.
        assert_eq!(without_tests(&format!("a\n{tests}b\n")).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn no_test_is_ignored() {
        let text = "//! A.\n    #[ignore = \"slow\"]\n";
        assert_eq!(
            texts("a.rs", text),
            ["a.rs:2: a test that is ignored tests nothing: mend or remove it"]
        );
    }
}
