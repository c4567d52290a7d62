//! The table for people, in Markdown.

use std::collections::BTreeMap;

use crate::bench::metric::{Bound, METRICS, Metric};
use crate::bench::results::Results;
use crate::bench::subject::Subject;

/// Writes the table and what went wrong, each with a line feed at its end.
pub(crate) fn render(results: &Results) -> String {
    let mut rows = vec![header(results)];
    rows.extend(METRICS.iter().filter_map(|metric| row(results, metric)));
    let mut text = align(&rows);
    let failures = failures(results);
    if !failures.is_empty() {
        text.push('\n');
    }
    for (what, rounds) in failures {
        text += &format!("{what} ({rounds} of {} rounds)\n", results.rounds);
    }
    text
}

/// What went wrong, and in how many rounds it did so.
fn failures(results: &Results) -> BTreeMap<String, usize> {
    let mut rounds = BTreeMap::new();
    for failure in &results.failures {
        let (subject, scenario) = (failure.subject.name(), failure.scenario.name);
        *rounds.entry(format!("{subject}, {scenario}: {}", failure.how)).or_default() += 1;
    }
    rounds
}

fn header(results: &Results) -> Vec<String> {
    let subjects = results.subjects.iter().map(|subject| subject.name());
    let words = ["what"].into_iter().chain(subjects);
    words.chain(["× floor", "× emulator", "goal", "met"]).map(str::to_owned).collect()
}

/// A metric's row; nothing when nobody was asked for it.
fn row(results: &Results, metric: &Metric) -> Option<Vec<String>> {
    let measured = |subject: &Subject| results.summary(metric, *subject).is_some();
    if !results.subjects.iter().any(measured) {
        return None;
    }
    let mut cells = vec![metric.title.to_owned()];
    cells.extend(results.subjects.iter().map(|subject| cell(results, metric, *subject)));
    cells.push(results.times_floor(metric).map(figure).unwrap_or_default());
    cells.push(results.times_emulator(metric).map(figure).unwrap_or_default());
    cells.push(metric.goal.map(|goal| wish(metric, goal)).unwrap_or_default());
    let met = metric.goal.and_then(|goal| results.keeps(metric, goal));
    cells.push(met.map_or("", |met| if met { "yes" } else { "no" }).to_owned());
    Some(cells)
}

fn cell(results: &Results, metric: &Metric, subject: Subject) -> String {
    let failed = results.failed(metric, subject);
    let Some(summary) = results.summary(metric, subject) else {
        return if failed > 0 { "failed" } else { "–" }.to_owned();
    };
    let value = format!("{} {}", figure(summary.median), metric.unit.name());
    // Of what survived; how often it did not is not to be overlooked.
    let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
    match results.values(metric, subject).len() {
        0 | 1 => format!("{value}{failed}"),
        // Around nothing, a percentage says nothing.
        _ if summary.median.abs() <= summary.spread => {
            format!("{value} ±{} {}{failed}", figure(summary.spread), metric.unit.name())
        }
        _ => format!("{value} ±{:.0} %{failed}", summary.spread / summary.median.abs() * 100.0),
    }
}

fn wish(metric: &Metric, goal: Bound) -> String {
    match goal {
        Bound::Floor(_) | Bound::Emulator(_) => goal.to_string(),
        Bound::AtMost(_) => format!("{goal} {}", metric.unit.name()),
    }
}

/// A number with three digits that mean something, and more if it has more before the point.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    if decimals > 0 || digits.len() <= 3 {
        return text;
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// Puts the cells of a column under each other.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length = |cell: &String| cell.chars().count();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0).max(3)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text += &format!("| {cell:<width$} ");
        }
        text += "|\n";
        if number == 0 {
            text.extend(widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))));
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenario::SCENARIOS;

    #[test]
    fn figures_have_three_digits_that_mean_something() {
        let figures = [0.5149, 9.9, 71.26, 138.4, 999.6, 24_512.0, 1_234_567.0, -12.3, -4321.0];
        let texts =
            ["0.51", "9.90", "71.3", "138", "1,000", "24,512", "1,234,567", "-12.3", "-4,321"];
        assert_eq!(figures.map(figure), texts);
    }

    #[test]
    fn a_row_has_medians_spreads_ratios_and_the_verdict() {
        let mut results = Results::new(&Subject::ALL, 3);
        for (round, noise) in [(0, 0.9), (1, 1.0), (2, 1.1)] {
            results.add(Subject::Rapid, round, &[("warm_p50", 80.0 * noise)]);
            results.add(Subject::Emulator, round, &[("warm_p50", 160.0)]);
            results.add(Subject::Floor, round, &[("warm_p50", 40.0)]);
        }
        let text = render(&results);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[2],
            "| warm, p50 | 80.0 µs ±5 % | 160 µs ±0 % | 40.0 µs ±0 % | 2.00    | 2.00       \
             | ≤ 1.5 × floor | no  |"
        );
        assert!(lines[0].starts_with("| what      | rapid        | emulator    | floor "));
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
    }

    #[test]
    fn a_subject_that_died_is_said_to_have_failed_and_how() {
        let mut results = Results::new(&[Subject::Rapid, Subject::Emulator], 2);
        let four = SCENARIOS.iter().find(|one| one.name == "four").unwrap();
        results.add(Subject::Rapid, 0, &[("four_rate", 20_000.0)]);
        results.fail(Subject::Emulator, 0, four, "died (exit status 2) after 3 invokes".to_owned());
        let text = render(&results);
        assert!(text.contains("| 20,000 /s | failed   |"), "{text}");
        results.add(Subject::Emulator, 1, &[("four_rate", 5_000.0)]);
        let later = render(&results);
        assert!(later.contains("| 20,000 /s | 5,000 /s (1 failed) |"), "{later}");
        let line = "\nemulator, four: died (exit status 2) after 3 invokes (1 of 2 rounds)\n";
        assert!(text.ends_with(line), "{text}");
    }
}
