//! The peak of memory over the processes of a group.

use std::time::{Duration, Instant};

use crate::proc;

/// How old a sample may be.
const MAX_AGE: Duration = Duration::from_millis(100);

/// The highest memory seen so far; it never falls.
#[derive(Debug)]
pub(crate) struct Peak {
    bytes: u64,
    sampled: Option<Instant>,
    /// What the process had resident before it executed anything: a copy of ours.
    at_fork: u64,
    /// The peak of the leader itself, as last seen.
    leader: u64,
    /// Whether it has ended.
    ended: bool,
}

impl Peak {
    pub(crate) const fn new(at_fork: u64) -> Self {
        Self { bytes: 0, sampled: None, at_fork, leader: 0, ended: false }
    }

    /// Measures, unless that was done a moment ago.
    pub(crate) fn sample(&mut self, leader: i32) {
        if self.sampled.is_some_and(|sampled| sampled.elapsed() < MAX_AGE) {
            return;
        }
        // The descendants of an ended leader are nobody's, but most are in its group still.
        let mut found = if self.ended { members_of_all(leader) } else { members(leader) };
        found.retain(|&pid| pid != leader);
        self.sample_of(leader, found);
    }

    /// Measures the leader and these processes, however short ago that was done.
    pub(crate) fn sample_of(&mut self, leader: i32, others: impl IntoIterator<Item = i32>) {
        // An ended leader has no memory any more that could be read, and what the kernel says of
        // it may be ours.
        self.leader = proc::peak_memory(leader).unwrap_or(self.leader);
        let others: u64 = others.into_iter().filter_map(proc::peak_memory).sum();
        self.bytes = self.bytes.max(others.saturating_add(self.leader));
        self.sampled = Some(Instant::now());
    }

    /// Takes in what the kernel says of the ended leader.
    ///
    /// The kernel counts the time between fork and exec, too, so that a small program seems to be
    /// as large as we are. Such a number is only better than none.
    pub(crate) fn ended(&mut self, max_rss: u64) {
        if max_rss > self.at_fork || self.bytes == 0 {
            self.bytes = self.bytes.max(max_rss);
        }
        self.ended = true;
        // Its descendants may have grown since the last sample, and there may be no later one.
        self.sampled = None;
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The leader and what belongs to it: its descendants, or where the kernel keeps no lists of
/// children, the members of its group and its descendants by a look at every process.
fn members(leader: i32) -> Vec<i32> {
    if let Some(mut found) = proc::listed_descendants(leader) {
        found.push(leader);
        return found;
    }
    members_of_all(leader)
}

fn members_of_all(leader: i32) -> Vec<i32> {
    let all = proc::scan().unwrap_or_default();
    let mut roots: Vec<i32> =
        all.iter().filter(|stat| stat.group == leader).map(|stat| stat.pid).collect();
    if !roots.contains(&leader) {
        roots.push(leader);
    }
    let below = proc::descendants(&all, &roots, |_| false);
    roots.extend(below.iter().map(|stat| stat.pid));
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_looking_find_the_same_processes() {
        use std::io::Read;
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};

        let script = "sh -c 'echo; exec sleep 60' & sh -c 'echo; exec sleep 60' & wait";
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let leader = i32::try_from(child.id()).unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 2]).unwrap();
        let sorted = |mut pids: Vec<i32>| {
            pids.sort_unstable();
            pids
        };
        let (some, all) = (sorted(members(leader)), sorted(members_of_all(leader)));
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), nix::sys::signal::SIGKILL)
            .unwrap();
        child.wait().unwrap();
        assert_eq!(some.len(), 3);
        assert_eq!(some, all);
    }

    #[test]
    fn what_was_resident_before_exec_does_not_count_unless_nothing_else_is_known() {
        let mut peak = Peak::new(1_000);
        peak.bytes = 300;
        peak.ended(900);
        assert_eq!(peak.bytes(), 300);
        peak.ended(1_200);
        assert_eq!(peak.bytes(), 1_200);

        let mut unmeasured = Peak::new(1_000);
        unmeasured.ended(900);
        assert_eq!(unmeasured.bytes(), 900);
    }
}
