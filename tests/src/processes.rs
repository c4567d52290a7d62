//! Looking at processes from outside, through `/proc`.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What `/proc` tells of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its name, 15 bytes at most.
    pub name: String,
    /// `R`, `S`, `Z` and so on.
    pub state: char,
    /// When it started, in clock ticks: an id may get a new owner, this tells.
    pub started: u64,
}

impl Process {
    /// Reads `/proc/<pid>/stat`; `None` when there is no such process.
    pub fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold blanks and parentheses itself.
        let (front, back) = stat.rsplit_once(") ")?;
        let (_, name) = front.split_once(" (")?;
        let mut fields = back.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { pid, parent, name: name.to_owned(), state, started })
    }

    /// Whether it is the same process still, and has not ended.
    pub fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.started == self.started && now.state != 'Z')
    }

    /// Sends SIGKILL, if it is the same process still.
    pub fn kill(&self) {
        if self.is_alive() {
            // It may have ended by itself just now.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
    }
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::read).collect()
}

/// The descendants of `root`, and every process whose environment holds `mark`, wherever its
/// parents went; without `root` itself.
pub fn family(root: i32, mark: &str) -> Vec<Process> {
    let mut all = all();
    let mut kin = BTreeSet::from([root]);
    loop {
        let size = kin.len();
        for process in &all {
            if kin.contains(&process.parent) {
                kin.insert(process.pid);
            }
        }
        if kin.len() == size {
            break;
        }
    }
    all.retain(|p| p.pid != root && (kin.contains(&p.pid) || carries(p.pid, mark)));
    all
}

fn carries(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

/// How many file descriptors are open.
pub fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How many threads there are.
pub fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// The resident memory, in KiB.
pub fn resident_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself() {
        let own = i32::try_from(std::process::id()).unwrap();
        let process = Process::read(own).unwrap();
        assert!(process.is_alive());
        assert!(all().iter().any(|other| other.pid == own && other.started == process.started));
        assert!(descriptors(own) > 2 && threads(own) > 0 && resident_kib(own) > 100);
    }
}
