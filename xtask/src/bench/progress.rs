//! How far it is, on standard error: one line that changes on a terminal, else one a round.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// The cells of the bar.
const WIDTH: usize = 24;

/// The progress of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    done: usize,
    steps: usize,
    start: Instant,
    is_terminal: bool,
    /// The round that was told of last.
    round: Option<usize>,
}

impl Progress {
    /// Begins a run with so many steps.
    pub(crate) fn new(steps: usize) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { done: 0, steps, start: Instant::now(), is_terminal, round: None }
    }

    /// Says that a step begins.
    pub(crate) fn step(&mut self, round: usize, rounds: usize, scenario: &str, subject: &str) {
        let at = format!("round {} of {rounds}", round + 1);
        if self.is_terminal {
            let bar = bar(self.done, self.steps);
            let left = self.seconds_left().map(|left| format!(", {left} s left"));
            let left = left.unwrap_or_default();
            // It goes before whatever is printed next; a terminal that is gone misses nothing.
            let _ = write!(std::io::stderr(), "\r\x1b[K{bar} {at}: {scenario}, {subject}{left}");
        } else if self.round != Some(round) {
            eprintln!("bench: {at} after {} s", self.start.elapsed().as_secs());
        }
        self.round = Some(round);
        self.done += 1;
    }

    /// Says that it is over.
    pub(crate) fn end(&self) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}bench: {} steps took {} s", self.done, self.start.elapsed().as_secs());
    }

    /// What is left, should the rest take as long as what is done.
    fn seconds_left(&self) -> Option<u64> {
        let (done, steps) = (u64::try_from(self.done).ok()?, u64::try_from(self.steps).ok()?);
        (self.start.elapsed().as_secs() * steps.saturating_sub(done)).checked_div(done)
    }
}

fn bar(done: usize, steps: usize) -> String {
    let full = (done * WIDTH).checked_div(steps).unwrap_or(WIDTH).min(WIDTH);
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up_and_keeps_its_width() {
        assert_eq!(bar(0, 8), format!("[{}]", "-".repeat(24)));
        assert_eq!(bar(4, 8), format!("[{}{}]", "#".repeat(12), "-".repeat(12)));
        assert_eq!(bar(8, 8), bar(9, 8));
        assert_eq!(bar(0, 0), format!("[{}]", "#".repeat(24)));
    }
}
