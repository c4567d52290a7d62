//! Words that do not belong into the project.

use crate::tidy::Problem;

/// The word, and what to do about it. They are put together here, so that this file has none.
const WORDS: [(&str, &str); 6] = [
    (concat!("../", "shared"), "the path leads out of the project"),
    (concat!("/work", "/"), "the path exists on one machine only"),
    (concat!("TO", "DO"), "do it, or open an issue"),
    (concat!("FIX", "ME"), "mend it, or open an issue"),
    (concat!("to", "do!"), "write it"),
    (concat!("unimple", "mented!"), "write it"),
];

/// Looks for every word in every line.
pub(crate) fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (word, advice) in WORDS.iter().filter(|(word, _)| has_word(line, word)) {
            let text = format!("`{word}` does not belong here: {advice}");
            problems.push(Problem::new(path, number + 1, text));
        }
    }
    problems
}

/// Whether a word stands in a line by itself, not inside a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        // A path that goes on from something is another path.
        let goes_on = |c| is_inside(c) || (word.starts_with('/') && ".-~".contains(c));
        let opens = !before.is_some_and(goes_on);
        // After a sign anything may come.
        let closes = !word.ends_with(char::is_alphanumeric) || after.is_none_or(|c| !is_inside(c));
        opens && closes
    })
}

fn is_inside(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_where_it_stands() {
        for (word, advice) in WORDS {
            let problems = check("a.md", &format!("fine\n({word} x)\n"));
            assert_eq!(
                problems,
                [Problem::new("a.md", 2, format!("`{word}` does not belong here: {advice}"))]
            );
        }
    }

    #[test]
    fn parts_of_other_words_are_fine() {
        let todo = concat!("TO", "DO");
        let work = concat!("/work", "/");
        for line in [
            format!("NO{todo}S"),
            format!("sha512-x{todo}y"),
            format!("https://example.org{work}x"),
            format!("my{work}x"),
            "a to-do list".to_owned(),
            "mistodo!".to_owned(),
        ] {
            assert_eq!(check("a.md", &line), [], "{line}");
        }
    }
}
