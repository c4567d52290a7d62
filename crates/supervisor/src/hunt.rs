//! Finds and ends what is left of a group.

use std::collections::HashSet;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::group::Group;
use crate::proc::{self, Stat};
use crate::registry::{Registry, Survey};
use crate::sys;

/// The search for the processes that belong to a group.
#[derive(Debug)]
pub(crate) struct Hunt<'a> {
    registry: &'a Registry,
    group: &'a Group,
    /// Descendants seen so far, by id and start: they may lose their ancestor before they end.
    seen: HashSet<(i32, u64)>,
}

/// What a look around has found.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// The live processes of the group besides its leader, and its descendants elsewhere.
    pub(crate) found: Vec<Stat>,
    /// Whether there may be more, so that another look is needed.
    pub(crate) unclear: bool,
}

impl Sight {
    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.unclear
    }
}

impl<'a> Hunt<'a> {
    pub(crate) fn new(registry: &'a Registry, group: &'a Group) -> Self {
        Self { registry, group, seen: HashSet::new() }
    }

    /// Whether the group itself has no live process besides its leader.
    pub(crate) fn group_is_empty(&self) -> bool {
        let survey = self.registry.survey(self.group);
        !survey.all.iter().any(|stat| self.is_member(stat))
    }

    fn is_member(&self, stat: &Stat) -> bool {
        stat.alive && stat.group == self.group.pid && stat.pid != self.group.pid
    }

    /// Looks for everything that belongs to the group, or may belong to it.
    pub(crate) fn look(&mut self) -> Sight {
        if self.group.is_reaped() {
            // Its id may mean something else.
            return Sight::default();
        }
        let Survey { all, strays, unclear } = self.registry.survey(self.group);
        let mut found = self.kin(&all);
        found.extend(strays);
        found.sort_unstable_by_key(|stat| stat.pid);
        found.dedup_by_key(|stat| stat.pid);
        self.seen.extend(found.iter().map(|stat| (stat.pid, stat.start)));
        Sight { found, unclear }
    }

    /// Looks for what surely belongs to the group.
    pub(crate) fn look_at_kin(&self) -> Vec<Stat> {
        self.kin(&self.registry.survey(self.group).all)
    }

    /// The live members of the group besides its leader, what was seen before, and the live
    /// descendants of all these and of the leader.
    fn kin(&self, all: &[Stat]) -> Vec<Stat> {
        let is_seen = |stat: &Stat| self.seen.contains(&(stat.pid, stat.start));
        let is_kin = |stat: &&Stat| self.is_member(stat) || (stat.alive && is_seen(stat));
        let mut found: Vec<Stat> = all.iter().filter(is_kin).copied().collect();
        let mut roots: Vec<i32> = found.iter().map(|stat| stat.pid).collect();
        roots.push(self.group.pid);
        let below = proc::descendants(all, &roots, |_| false);
        found.extend(below.into_iter().filter(|stat| stat.alive));
        found
    }

    /// Sends SIGKILL to the group and to each of `found` that is not in it.
    pub(crate) fn strike(&self, found: &[Stat]) {
        self.group.signal(Signal::SIGKILL);
        for stat in found.iter().filter(|stat| stat.group != self.group.pid) {
            end(stat);
        }
    }

    /// Names who is left, for whoever wonders.
    pub(crate) fn report(&self, sight: &Sight) {
        if !self.group.has_ended() {
            straggler(self.group, self.group.pid);
        }
        for stat in &sight.found {
            straggler(self.group, stat.pid);
        }
    }
}

fn straggler(group: &Group, pid: i32) {
    tracing::warn!(
        process.name = group.name,
        process.pid = pid,
        process.command = proc::command(pid),
        "process does not end"
    );
}

/// Kills exactly the process that was seen, even if its id should have a new owner.
fn end(seen: &Stat) {
    let is_it = || proc::stat(seen.pid).is_some_and(|now| now.start == seen.start);
    match sys::open_process(seen.pid) {
        Ok(process) if is_it() => {
            tracing::debug!(
                process.pid = seen.pid,
                process.command = proc::command(seen.pid),
                "killing a process that had left its group"
            );
            // It may have ended by itself.
            let _ = sys::kill_process(&process);
        }
        // Before Linux 5.3, or under a filter that does not know the call.
        Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) && is_it() => {
            let _ = kill(Pid::from_raw(seen.pid), Signal::SIGKILL);
        }
        Ok(_) | Err(_) => {}
    }
}
