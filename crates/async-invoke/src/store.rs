//! [`Store`]: where events are until they have come to their end.

mod disk;
mod memory;

use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;
use rapid_interop::{EpochMillis, RequestId};
use serde::{Deserialize, Serialize};

use self::disk::Disk;
use self::memory::Memory;
use crate::error::AsyncInvokeError;
use crate::event::Event;
use crate::outcome::Response;
use crate::retry::{State, Tally, Verdict};

/// Where events are until they have come to their end. Each has a number, counted up.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(Memory),
    Disk(Disk),
}

/// What is kept of an event.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) event: Event,
    /// The last answer of the function.
    pub(crate) response: Option<Response>,
}

/// An event of an earlier run.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) seq: u64,
    pub(crate) id: RequestId,
    pub(crate) accepted: EpochMillis,
    /// The bytes of its payload and of its response.
    pub(crate) size: usize,
    pub(crate) state: State,
}

/// What earlier runs have left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// In the order in which they were accepted.
    pub(crate) events: Vec<Found>,
    /// The number for the next event; higher than that of any that cannot be read.
    pub(crate) next: u64,
    /// How many are not even known by their ids. They were set aside.
    pub(crate) unreadable: usize,
}

/// How far an event has come, as it is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<Response>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    /// It waits for another attempt.
    Waiting { due: u64, errors: u8 },
    /// It is only to be told.
    Finished(Verdict),
}

impl Progress {
    /// An attempt that runs has not got anywhere yet: there is nothing to be written down.
    pub(crate) fn of(state: State, response: Option<Response>) -> Option<Self> {
        let stage = match state {
            State::Waiting { due, tally } => Stage::Waiting { due: due.0, errors: tally.errors },
            State::Finished(verdict) => Stage::Finished(verdict),
            State::Running { .. } => return None,
        };
        Some(Self { stage, response })
    }

    const fn state(&self) -> State {
        match self.stage {
            Stage::Waiting { due, errors } => {
                State::Waiting { due: EpochMillis(due), tally: Tally { errors, faults: 0 } }
            }
            Stage::Finished(verdict) => State::Finished(verdict),
        }
    }

    fn payload(&self) -> Option<&Bytes> {
        self.response.as_ref()?.payload.as_ref()
    }
}

/// Why the store did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no such event, or it cannot be read, now or later.
    #[error("the event cannot be read")]
    Unreadable {
        /// The function that was invoked, if that is known.
        function_arn: Option<HeaderValue>,
    },
    #[error("{0}")]
    Failed(Box<str>),
}

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// Opens the store in a directory, which is made if need be, and finds what is in it.
    ///
    /// # Errors
    /// [`AsyncInvokeError::Directory`] or [`AsyncInvokeError::Store`].
    pub(crate) async fn open(directory: &Path) -> Result<(Self, Left), AsyncInvokeError> {
        let directory = directory.to_owned();
        let at = directory.clone();
        let opened = tokio::task::spawn_blocking(move || Disk::open(&directory)).await;
        let (disk, left) = opened.unwrap_or_else(|error| {
            Err(AsyncInvokeError::Store { path: at, reason: error.to_string().into() })
        })?;
        Ok((Self::Disk(disk), left))
    }

    /// Whether events outlive the process.
    pub(crate) const fn is_durable(&self) -> bool {
        matches!(self, Self::Disk(_))
    }

    /// Keeps an event: when this returns, it is as safe as it can be.
    ///
    /// # Errors
    /// [`StoreError`]; the event is not kept then.
    pub(crate) async fn put(&self, seq: u64, event: Event) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.put(seq, event);
                Ok(())
            }
            Self::Disk(disk) => disk.put(seq, &event).await,
        }
    }

    /// Reads an event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn load(&self, seq: u64) -> Result<Stored, StoreError> {
        match self {
            Self::Memory(memory) => memory.load(seq),
            Self::Disk(disk) => disk.load(seq).await,
        }
    }

    /// Keeps how far an event has come.
    ///
    /// # Errors
    /// [`StoreError`]; what was kept before still is.
    pub(crate) async fn update(&self, seq: u64, progress: Progress) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.update(seq, progress);
                Ok(())
            }
            Self::Disk(disk) => disk.update(seq, progress).await,
        }
    }

    /// Forgets an event.
    ///
    /// # Errors
    /// [`StoreError`]; the event comes back after a restart then.
    pub(crate) async fn remove(&self, seq: u64) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.remove(seq);
                Ok(())
            }
            Self::Disk(disk) => disk.remove(seq).await,
        }
    }

    /// Puts what is left of an event that cannot be read where nobody comes across it again.
    ///
    /// # Errors
    /// [`StoreError`]; the event comes back after a restart then.
    pub(crate) async fn set_aside(&self, seq: u64) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => {
                memory.remove(seq);
                Ok(())
            }
            Self::Disk(disk) => disk.set_aside(seq).await,
        }
    }

    /// Closes the file, so that it can be opened again.
    pub(crate) async fn close(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Disk(disk) => disk.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::unqualified;
    use crate::retry::Condition;

    fn response(payload: Option<&'static str>) -> Response {
        let payload = payload.map(|payload| Bytes::from_static(payload.as_bytes()));
        Response { error: true, streamed: false, payload }
    }

    fn waiting(due: u64, errors: u8) -> State {
        State::Waiting { due: EpochMillis(due), tally: Tally { errors, faults: 0 } }
    }

    const VERDICT: State =
        State::Finished(Verdict { condition: Condition::RetriesExhausted, invocations: 3 });

    async fn update(store: &Store, seq: u64, state: State, response: Response) {
        store.update(seq, Progress::of(state, Some(response)).unwrap()).await.unwrap();
    }

    /// What both kinds of store have to do.
    async fn keeps_events(store: &Store) {
        store.put(1, unqualified("[1]")).await.unwrap();
        store.put(2, unqualified("[2]")).await.unwrap();
        store.put(3, unqualified("[3]")).await.unwrap();
        let stored = store.load(2).await.unwrap();
        assert_eq!((&stored.event.payload()[..], stored.response), (&b"[2]"[..], None));
        update(store, 1, waiting(9, 1), response(Some("\"e\""))).await;
        update(store, 2, VERDICT, response(None)).await;
        assert_eq!(store.load(1).await.unwrap().response, Some(response(Some("\"e\""))));
        assert_eq!(store.load(2).await.unwrap().response, Some(response(None)));
        store.remove(3).await.unwrap();
        assert!(matches!(store.load(3).await, Err(StoreError::Unreadable { .. })));
        // A later answer takes the place of the one before, also when there was no room for it.
        update(store, 1, waiting(10, 2), response(None)).await;
        assert_eq!(store.load(1).await.unwrap().response, Some(response(None)));
        update(store, 1, waiting(11, 2), response(Some("[]"))).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn memory_keeps_events() {
        keeps_events(&Store::in_memory()).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_directory_keeps_events_and_finds_them_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/here");
        let (store, left) = Store::open(&path).await.unwrap();
        assert!(left.events.is_empty() && left.next == 0);
        keeps_events(&store).await;
        store.close().await;
        let (store, left) = Store::open(&path).await.unwrap();
        assert_eq!(left.next, 3);
        let found: Vec<_> =
            left.events.iter().map(|found| (found.seq, found.size, found.state)).collect();
        assert_eq!(found, [(1, 5, waiting(11, 2)), (2, 3, VERDICT)]);
        assert_eq!(store.load(1).await.unwrap().response, Some(response(Some("[]"))));
        store.remove(1).await.unwrap();
        store.close().await;
        let (_, left) = Store::open(&path).await.unwrap();
        assert_eq!(left.events.len(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_cannot_be_read_is_set_aside_and_found_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).await.unwrap();
        for seq in 0..3 {
            store.put(seq, unqualified("[1]")).await.unwrap();
        }
        store.close().await;
        // Of the first its head is broken, of the last its payload is gone.
        disk::tests::damage(directory.path(), &[0], &[2]);
        let (store, left) = Store::open(directory.path()).await.unwrap();
        let found: Vec<u64> = left.events.iter().map(|found| found.seq).collect();
        assert_eq!((left.unreadable, left.next, found), (1, 3, vec![1, 2]));
        let Err(StoreError::Unreadable { function_arn }) = store.load(2).await else {
            panic!("it cannot be read")
        };
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert_eq!(function_arn, Some(HeaderValue::from_static(arn)));
        store.set_aside(2).await.unwrap();
        store.close().await;
        assert_eq!(disk::tests::set_aside(directory.path()), [0, 2]);
        let (store, left) = Store::open(directory.path()).await.unwrap();
        let found: Vec<u64> = left.events.iter().map(|found| found.seq).collect();
        assert_eq!((left.unreadable, left.next, found), (0, 3, vec![1]));
        store.load(1).await.unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_directory_has_one_user() {
        let directory = tempfile::tempdir().unwrap();
        let (_store, _) = Store::open(directory.path()).await.unwrap();
        let error = Store::open(directory.path()).await.unwrap_err();
        assert!(error.to_string().ends_with("another process has it open"), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_that_was_not_made_to_the_end_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(disk::NEW), [0; 4096]).unwrap();
        let (store, _) = Store::open(directory.path()).await.unwrap();
        store.put(1, unqualified("[1]")).await.unwrap();
        assert!(!directory.path().join(disk::NEW).exists());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_closed_store_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).await.unwrap();
        store.close().await;
        assert!(store.put(1, unqualified("[1]")).await.is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_directory_or_no_store_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = Store::open(&file.join("below")).await.unwrap_err();
        assert!(matches!(error, AsyncInvokeError::Directory { .. }), "{error}");
        std::fs::write(directory.path().join(disk::FILE), "no database").unwrap();
        let error = Store::open(directory.path()).await.unwrap_err();
        assert!(matches!(error, AsyncInvokeError::Store { .. }), "{error}");
    }
}
