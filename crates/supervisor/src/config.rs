//! What a supervisor is told when it is built.

use crate::Guard;

/// The settings of a [`Supervisor`](crate::Supervisor). The default suits an embedder.
#[derive(Debug, Default)]
pub struct Config {
    /// Whose children are reaped. Default: [`Reaping::Known`].
    pub reaping: Reaping,
    /// The helper that ends the process groups when this process is killed itself. Default: none.
    pub guard: Option<Guard>,
}

/// Whose children a supervisor takes care of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reaping {
    /// Only the processes that it launched, by their ids.
    ///
    /// For programs with children of their own, which must be able to wait for them.
    #[default]
    Known,
    /// Every child of this process, orphans that it adopts included.
    ///
    /// The process becomes a child subreaper, so that a descendant which left its process group is
    /// still found when its ancestor is stopped. For programs that start no other child: whatever
    /// becomes a child of this process counts as a descendant of what it launched. Children that
    /// were there before the supervisor, and what is below them, are left alone; only their
    /// zombies are reaped. One supervisor per process can have it.
    All,
}
