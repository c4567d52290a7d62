//! Reads about processes from `/proc`.

use std::fs;
use std::io;
use std::str;

/// What `/proc/<pid>/stat` says of a process, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The process id.
    pub(crate) pid: i32,
    /// The parent's process id.
    pub(crate) parent: i32,
    /// The process group.
    pub(crate) group: i32,
    /// When it was started, in clock ticks since boot; with the id, it names a process for good.
    pub(crate) start: u64,
    /// Whether it runs still, and is no zombie.
    pub(crate) alive: bool,
}

/// Every process that can be seen. One that ends meanwhile may be missing.
///
/// # Errors
/// When `/proc` cannot be read.
pub(crate) fn scan() -> io::Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            found.extend(stat(pid));
        }
    }
    Ok(found)
}

/// One process, if it can be seen.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(pid: i32, text: &[u8]) -> Option<Stat> {
    // The name comes second, in parentheses; it may hold anything, parentheses included.
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let mut fields = str::from_utf8(text.get(end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // The third field after the name was the fifth of the line; the start is the 22nd.
    let start = fields.nth(16)?.parse().ok()?;
    Some(Stat { pid, parent, group, start, alive: !matches!(state, "Z" | "X" | "x") })
}

/// The peak of a process's resident memory in bytes; zombies have none.
pub(crate) fn peak_memory(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// What a fork of this process has resident before it executes anything, in bytes at least.
pub(crate) fn own_anonymous_memory() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|line| line.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0_u64);
    kib.saturating_mul(1024)
}

/// The children of a process, zombies included.
///
/// Complete for a process that reaps none of them meanwhile.
pub(crate) fn children(pid: i32) -> Vec<Stat> {
    let mut listed = Vec::new();
    if list_children(pid, &mut listed).is_some() {
        return listed.into_iter().filter_map(stat).collect();
    }
    let mut all = scan().unwrap_or_default();
    all.retain(|stat| stat.parent == pid);
    all
}

/// At least the descendants of a process, zombies included.
///
/// Complete as far as its children are concerned, for a process that reaps none of them meanwhile.
pub(crate) fn descendants_of(pid: i32) -> Vec<Stat> {
    match listed_descendants(pid) {
        Some(listed) => listed.into_iter().filter_map(stat).collect(),
        None => scan().unwrap_or_default(),
    }
}

/// The descendants of a process by the lists that each thread has of its children, which is far
/// less to read than every process.
///
/// `None`: this kernel has no such lists, or the process is gone.
pub(crate) fn listed_descendants(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    list_children(pid, &mut found)?;
    let mut next = 0;
    while let Some(&child) = found.get(next) {
        // One that is gone meanwhile has none.
        let _ = list_children(child, &mut found);
        next += 1;
    }
    Some(found)
}

fn list_children(pid: i32, into: &mut Vec<i32>) -> Option<()> {
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let list = match fs::read_to_string(entry.path().join("children")) {
            Ok(list) => list,
            // A thread may end while we look, but the first is there as long as the process.
            Err(_) if entry.file_name().to_str() != Some(pid.to_string().as_str()) => continue,
            Err(_) => return None,
        };
        let children = list.split_ascii_whitespace().filter_map(|child| child.parse::<i32>().ok());
        for child in children {
            // One may have been given to another thread of the same process meanwhile.
            if !into.contains(&child) {
                into.push(child);
            }
        }
    }
    Some(())
}

/// The descendants of `roots` among `all`, without what `stop` says to leave out and all below it.
pub(crate) fn descendants(all: &[Stat], roots: &[i32], stop: impl Fn(&Stat) -> bool) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = roots.to_vec();
    let mut next = 0;
    while let Some(&parent) = parents.get(next) {
        for stat in all.iter().filter(|stat| stat.parent == parent && !stop(stat)) {
            // Processes come and go while they are read, so that there could even be a circle.
            if !parents.contains(&stat.pid) {
                parents.push(stat.pid);
                found.push(*stat);
            }
        }
        next += 1;
    }
    found
}

/// The command of a process for a message: the executable without its arguments, which may be
/// secret.
pub(crate) fn command(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    match line.split(|&byte| byte == 0).next() {
        Some(first) if !first.is_empty() => String::from_utf8_lossy(first).into_owned(),
        _ => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim_end().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let text = b"42 (a) Z 1 (b)) S 7 40 39 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9\n";
        let expected = Stat { pid: 42, parent: 7, group: 40, start: 123_456, alive: true };
        assert_eq!(parse(42, text), Some(expected));
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(parse(42, b"42 (a) S 7"), None);
        assert_eq!(parse(42, b""), None);
    }

    #[test]
    fn we_see_ourselves_alive_and_with_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(scan().unwrap().iter().any(|stat| stat.pid == own && stat.alive));
        assert!(peak_memory(own).unwrap() > 100 * 1024);
        assert!(own_anonymous_memory() > 0);
        assert!(!command(own).is_empty());
    }

    #[test]
    fn descendants_stop_where_they_are_told_to_and_survive_circles() {
        let stat = |pid, parent| Stat { pid, parent, group: 0, start: 0, alive: true };
        let all = [stat(2, 1), stat(3, 2), stat(4, 3), stat(5, 1), stat(6, 5), stat(1, 6)];
        let pids = |found: Vec<Stat>| found.iter().map(|stat| stat.pid).collect::<Vec<_>>();
        assert_eq!(pids(descendants(&all, &[1], |stat| stat.pid == 3)), [2, 5, 6]);
        assert_eq!(pids(descendants(&all, &[3], |_| false)), [4]);
    }
}
