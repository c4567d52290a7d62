//! [`Memory`]: events that end with the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Progress, StoreError, Stored};
use crate::event::Event;

/// Events that end with the process.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<u64, Stored>>);

impl Memory {
    pub(super) fn put(&self, seq: u64, event: Event) {
        self.events().insert(seq, Stored { event, response: None });
    }

    pub(super) fn load(&self, seq: u64) -> Result<Stored, StoreError> {
        self.events().get(&seq).cloned().ok_or(StoreError::Unreadable { function_arn: None })
    }

    pub(super) fn update(&self, seq: u64, progress: Progress) {
        if let Some(stored) = self.events().get_mut(&seq) {
            stored.response = progress.response;
        }
    }

    pub(super) fn remove(&self, seq: u64) {
        self.events().remove(&seq);
    }

    /// Every change is one call: nothing is half done when somebody panics.
    fn events(&self) -> MutexGuard<'_, HashMap<u64, Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
