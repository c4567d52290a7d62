//! The processes that this supervisor has launched and not reaped yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Reaping;
use crate::group::Group;
use crate::guard::Guard;
use crate::proc::{self, Stat};
use crate::sys::{self, Whom};

/// The table of groups; its lock is taken before that of a group, never after.
#[derive(Debug)]
pub(crate) struct Registry {
    table: Mutex<Table>,
    reaping: Reaping,
    /// The children that this process had before, by id and start. They and all below them are
    /// somebody else's: the image's entry point may have left some behind before it became us.
    before: HashSet<(i32, u64)>,
    pub(crate) guard: Option<Guard>,
}

#[derive(Debug, Default)]
struct Table {
    groups: HashMap<i32, Arc<Group>>,
    /// A child may exist that is not in the table yet.
    launching: bool,
}

/// While it lives, a child may exist that is not in the table yet.
///
/// Such a child is no orphan: it must be neither hunted nor reaped, also because a launch that
/// fails waits for its own child.
#[derive(Debug)]
pub(crate) struct Launching<'a>(&'a Registry);

impl Launching<'_> {
    /// Enters the new group, in the same moment in which the launch ends.
    pub(crate) fn done(self, group: Arc<Group>) {
        let replaced = self.0.table().groups.insert(group.pid, group);
        debug_assert!(replaced.is_none(), "an id was given away while its zombie was held");
    }
}

impl Drop for Launching<'_> {
    fn drop(&mut self) {
        self.0.table().launching = false;
    }
}

/// What there is to see around a group.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Every process among which its members and their descendants are.
    pub(crate) all: Vec<Stat>,
    /// The live processes that may belong to the group although they have left it and have no
    /// ancestor in it: those that this process adopted, and what descends from them.
    pub(crate) strays: Vec<Stat>,
    /// Whether there may be more of these: a launch was under way, or one of them has just ended
    /// and may have left children that came too late to be seen.
    pub(crate) unclear: bool,
}

impl Registry {
    /// With [`Reaping::All`] it comes after the process has begun to adopt, so that no orphan is
    /// taken for a descendant of what is launched later.
    pub(crate) fn new(reaping: Reaping, guard: Option<Guard>) -> Self {
        let before = match reaping {
            Reaping::All => proc::children(own_pid()),
            Reaping::Known => Vec::new(),
        };
        let before = before.iter().map(|stat| (stat.pid, stat.start)).collect();
        Self { table: Mutex::default(), reaping, before, guard }
    }

    /// Says that a child is about to appear. One at a time: there is one launching thread.
    pub(crate) fn launching(&self) -> Launching<'_> {
        self.table().launching = true;
        Launching(self)
    }

    /// Looks after every launched process, and tells whether any is left.
    pub(crate) fn look(&self) -> bool {
        let mut table = self.table();
        let mut gone = Vec::new();
        for group in table.groups.values() {
            group.look();
            if group.is_left() {
                group.reap();
            }
            if group.is_reaped() {
                gone.push(group.pid);
            }
        }
        for pid in gone {
            self.forget(&mut table, pid);
        }
        if let Some(guard) = &self.guard {
            guard.check();
        }
        !table.groups.is_empty()
    }

    /// Reaps the leader of a group that is over.
    pub(crate) fn release(&self, group: &Arc<Group>) {
        let mut table = self.table();
        group.look();
        group.reap();
        let is_it = |known: &Arc<Group>| Arc::ptr_eq(known, group);
        if group.is_reaped() && table.groups.get(&group.pid).is_some_and(is_it) {
            self.forget(&mut table, group.pid);
        }
    }

    /// Every group that has not been reaped.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        self.table().groups.values().cloned().collect()
    }

    fn forget(&self, table: &mut Table, pid: i32) {
        if let (Some(group), Some(guard)) = (table.groups.remove(&pid), &self.guard) {
            guard.remove(group.token);
        }
    }

    /// Reaps the adopted children that have ended.
    pub(crate) fn reap_orphans(&self) {
        let table = self.table();
        if self.reaping != Reaping::All || table.launching {
            return;
        }
        // The first that has ended may be a held leader again and again, with orphans behind it.
        while let Ok(Some(ended)) = sys::peek(Whom::Any) {
            if self.is_ours(&table, ended.pid) {
                for stat in proc::children(own_pid()) {
                    if !stat.alive && !self.is_ours(&table, stat.pid) {
                        reap_orphan(stat.pid);
                    }
                }
                return;
            }
            reap_orphan(ended.pid);
        }
    }

    fn is_ours(&self, table: &Table, pid: i32) -> bool {
        table.groups.contains_key(&pid) || self.is_guard(pid)
    }

    fn is_guard(&self, pid: i32) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.pid() == pid)
    }

    /// Looks for the processes of `group` and for those that may be.
    pub(crate) fn survey(&self, group: &Group) -> Survey {
        if self.reaping != Reaping::All {
            let all = proc::scan().unwrap_or_default();
            return Survey { all, ..Survey::default() };
        }
        // Locked until all processes are read: a child launched meanwhile would be among them, and
        // one reaped meanwhile could have forked before it ended, without leaving a trace.
        let table = self.table();
        let all = proc::descendants_of(own_pid());
        if table.launching {
            return Survey { all, unclear: true, ..Survey::default() };
        }
        let elsewhere = |stat: &Stat| {
            let other = |pid| pid != group.pid && table.groups.contains_key(&pid);
            let is_older = stat.pid != group.pid && stat.start < group.start;
            // What is older than the leader does not descend from it, and neither does what is
            // below that, however young.
            self.is_guard(stat.pid)
                || other(stat.pid)
                || other(stat.group)
                || self.before.contains(&(stat.pid, stat.start))
                || is_older
        };
        let mut strays = proc::descendants(&all, &[own_pid()], elsewhere);
        strays.retain(|stat| stat.pid != group.pid);
        let (strays, ended): (Vec<_>, Vec<_>) = strays.into_iter().partition(|stat| stat.alive);
        for stat in ended.iter().filter(|stat| stat.parent == own_pid()) {
            reap_orphan(stat.pid);
        }
        Survey { all, strays, unclear: !ended.is_empty() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reap_orphan(pid: i32) {
    match sys::reap(pid) {
        Ok(Some(_)) => tracing::debug!(process.pid = pid, "orphan reaped"),
        Ok(None) => {}
        Err(error) => tracing::debug!(process.pid = pid, %error, "orphan not reaped"),
    }
}

/// Our own process id.
pub(crate) fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}
