//! [`Disk`]: events that outlive the process, in one file with a thread of its own.
//!
//! Writing waits for the disk, so it is done on a thread that has nothing else to do. What comes in
//! while it waits is written together: many events cost one wait.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};

use bytes::Bytes;
use http::HeaderValue;
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    TableError, WriteTransaction,
};
use tokio::sync::{oneshot, watch};

use super::{Found, Left, Progress, StoreError, Stored};
use crate::error::AsyncInvokeError;
use crate::event::{Event, Head};
use crate::retry::State;

/// The name of the file.
pub(super) const FILE: &str = "async-events.redb";

/// What it is called until it is whole.
pub(super) const NEW: &str = "async-events.new";

/// Held by whoever uses the directory.
const LOCK: &str = "async-events.lock";

/// How much of the file is kept in memory, in bytes.
const CACHE: usize = 4 * 1024 * 1024;

/// How many changes are written together at most.
const BATCH: usize = 256;

type Table<'a> = TableDefinition<'a, u64, &'static [u8]>;

/// By number. Heads and progress are small, so that they can be read through without the payloads.
const HEADS: Table<'_> = TableDefinition::new("heads-1");
const PAYLOADS: Table<'_> = TableDefinition::new("payloads-1");
const PROGRESS: Table<'_> = TableDefinition::new("progress-1");
const RESPONSES: Table<'_> = TableDefinition::new("responses-1");

/// The tables, and where what they have of an event goes that cannot be read.
const TABLES: [(Table<'_>, Table<'_>); 4] = [
    (HEADS, ASIDE),
    (PAYLOADS, TableDefinition::new("aside-payloads-1")),
    (PROGRESS, TableDefinition::new("aside-progress-1")),
    (RESPONSES, TableDefinition::new("aside-responses-1")),
];
const ASIDE: Table<'_> = TableDefinition::new("aside-heads-1");

/// Events that outlive the process. The thread ends when this is dropped or closed.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    /// As many jobs as there are events at most, each with one at a time; `None` once closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// Its sender is the thread's, and gone once that has closed the file.
    closed: watch::Receiver<()>,
}

enum Job {
    Load { seq: u64, done: oneshot::Sender<Result<Stored, StoreError>> },
    Write { write: Write, done: oneshot::Sender<Result<(), StoreError>> },
}

enum Write {
    Put { seq: u64, head: Vec<u8>, payload: Bytes },
    Update { seq: u64, progress: Progress },
    Remove { seq: u64 },
    SetAside { seq: u64 },
}

impl Disk {
    pub(super) fn open(directory: &Path) -> Result<(Self, Left), AsyncInvokeError> {
        let unusable = |error| AsyncInvokeError::Directory { path: directory.to_owned(), error };
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let path = directory.join(FILE);
        let lock = File::create(directory.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = "another process has it open".into();
                return Err(AsyncInvokeError::Store { path, reason });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let unreadable = |error: redb::Error| AsyncInvokeError::Store {
            path: path.clone(),
            reason: error.to_string().into(),
        };
        if !path.exists() {
            // A process that is killed while it makes the file leaves one that cannot be opened.
            let new = directory.join(NEW);
            make(&new).map_err(unreadable)?;
            std::fs::rename(&new, &path).map_err(unusable)?;
            // The name of a new file has to be as safe as what is in it.
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(unusable)?;
        }
        let database = open(&path).map_err(unreadable)?;
        let (left, broken) = find(&database).map_err(unreadable)?;
        // Told of once: the next start does not find them any more.
        let aside: Vec<Write> = broken.into_iter().map(|seq| Write::SetAside { seq }).collect();
        if !aside.is_empty() {
            write(&database, aside.iter()).map_err(unreadable)?;
        }
        let (jobs, inbox) = mpsc::channel();
        let (open_file, closed) = watch::channel(());
        let file = path.clone();
        std::thread::Builder::new()
            .name("async-events".to_owned())
            .spawn(move || {
                Worker { path: file, database: Some(database) }.work(&inbox);
                drop(lock);
                drop(open_file);
            })
            .map_err(unusable)?;
        let jobs = Mutex::new(Some(jobs));
        Ok((Self { path, jobs, closed }, left))
    }

    pub(super) async fn put(&self, seq: u64, event: &Event) -> Result<(), StoreError> {
        let (head, payload) = (event.head(), event.payload().clone());
        self.write(Write::Put { seq, head, payload }).await
    }

    pub(super) async fn load(&self, seq: u64) -> Result<Stored, StoreError> {
        self.ask(|done| Job::Load { seq, done }).await
    }

    pub(super) async fn update(&self, seq: u64, progress: Progress) -> Result<(), StoreError> {
        self.write(Write::Update { seq, progress }).await
    }

    pub(super) async fn remove(&self, seq: u64) -> Result<(), StoreError> {
        self.write(Write::Remove { seq }).await
    }

    pub(super) async fn set_aside(&self, seq: u64) -> Result<(), StoreError> {
        self.write(Write::SetAside { seq }).await
    }

    pub(super) async fn close(&self) {
        drop(self.jobs().take());
        // Nothing is ever sent: the error is what is waited for.
        let _ = self.closed.clone().changed().await;
    }

    async fn write(&self, write: Write) -> Result<(), StoreError> {
        self.ask(|done| Job::Write { write, done }).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Failed(format!("{} is closed", self.path.display()).into());
        let (done, answer) = oneshot::channel();
        {
            let jobs = self.jobs();
            let jobs = jobs.as_ref().ok_or_else(closed)?;
            jobs.send(job(done)).map_err(|_| closed())?;
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the file, in place of one that was not made to the end.
fn make(path: &Path) -> Result<(), redb::Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    Ok(Database::create(path)?.close()?)
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    Ok(Database::builder().set_cache_size(CACHE).open(path)?)
}

/// Reads through the file, but for payloads and responses; also returns the numbers of those of
/// which not even the id can be read.
fn find(database: &Database) -> Result<(Left, Vec<u64>), redb::Error> {
    let transaction = database.begin_read()?;
    let (mut left, mut broken) = (Left::default(), Vec::new());
    // A number is given once, also when its event was set aside.
    if let Some(aside) = table(&transaction, ASIDE)?
        && let Some((seq, _)) = aside.last()?
    {
        left.next = seq.value().saturating_add(1);
    }
    let Some(heads) = table(&transaction, HEADS)? else { return Ok((left, broken)) };
    let progress = table(&transaction, PROGRESS)?;
    let responses = table(&transaction, RESPONSES)?;
    for row in heads.iter()? {
        let (seq, head) = row?;
        let seq = seq.value();
        left.next = left.next.max(seq.saturating_add(1));
        let state = match &progress {
            Some(progress) => progress.get(seq)?.map(|json| serde_json::from_slice(json.value())),
            None => None,
        };
        let response = match &responses {
            Some(responses) => responses.get(seq)?.map_or(0, |bytes| bytes.value().len()),
            None => 0,
        };
        let state: Option<Progress> = state.transpose().unwrap_or_else(|error| {
            // It is tried once too often then, which is better than not at all.
            tracing::error!(seq, %error, "how far an event has come cannot be read");
            None
        });
        let head = Head::read(head.value());
        let Some((id, head)) = head.and_then(|head| Some((head.id()?, head))) else {
            broken.push(seq);
            continue;
        };
        let accepted = head.accepted();
        let state = state.map_or(State::accepted(accepted), |progress| progress.state());
        left.events.push(Found { seq, id, accepted, size: head.size() + response, state });
    }
    left.unreadable = broken.len();
    Ok((left, broken))
}

/// A table; `None` if nothing was ever written to it.
fn table(
    transaction: &ReadTransaction,
    definition: Table<'_>,
) -> Result<Option<redb::ReadOnlyTable<u64, &'static [u8]>>, redb::Error> {
    match transaction.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What runs on the thread.
struct Worker {
    path: PathBuf,
    /// `None` after a failure: a file that failed has to be opened again.
    database: Option<Database>,
}

impl Worker {
    fn work(mut self, inbox: &mpsc::Receiver<Job>) {
        while let Ok(job) = inbox.recv() {
            let mut writes = Vec::new();
            for job in std::iter::once(job).chain(inbox.try_iter().take(BATCH)) {
                match job {
                    Job::Load { seq, done } => {
                        // Whoever asked may have gone meanwhile.
                        let _ = done.send(self.load(seq));
                    }
                    Job::Write { write, done } => writes.push((write, done)),
                }
            }
            if writes.is_empty() {
                continue;
            }
            self.write_all(writes);
        }
    }

    /// Writes everything together, or each for itself if that fails: what does not fit on a disk
    /// that is nearly full must not keep what does from it, least of all what makes room.
    fn write_all(&mut self, writes: Vec<(Write, oneshot::Sender<Result<(), StoreError>>)>) {
        let together = self.write(writes.iter().map(|(write, _)| write));
        let alone = together.is_err() && writes.len() > 1;
        for (write, done) in writes {
            let written =
                if alone { self.write(std::iter::once(&write)) } else { together.clone() };
            // Whoever asked may have gone meanwhile.
            let _ = done.send(written);
        }
    }

    fn load(&mut self, seq: u64) -> Result<Stored, StoreError> {
        let loaded = self.with_database(|database| match load(database, seq) {
            // It would be as broken the next time.
            Err(redb::Error::Corrupted(_)) => Ok(Loaded::Unreadable(None)),
            loaded => loaded,
        })?;
        match loaded {
            Loaded::Whole(stored) => Ok(*stored),
            Loaded::Unreadable(function_arn) => Err(StoreError::Unreadable { function_arn }),
        }
    }

    fn write<'a>(&mut self, writes: impl Iterator<Item = &'a Write>) -> Result<(), StoreError> {
        self.with_database(|database| write(database, writes))
    }

    fn with_database<T>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let failed = |error: redb::Error| StoreError::Failed(error.to_string().into());
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path).map_err(failed)?,
        };
        let done = work(&database).map_err(failed)?;
        self.database = Some(database);
        Ok(done)
    }
}

/// What the file has of an event.
enum Loaded {
    Whole(Box<Stored>),
    /// Something of it is missing or broken; the function's ARN may be known.
    Unreadable(Option<HeaderValue>),
}

fn load(database: &Database, seq: u64) -> Result<Loaded, redb::Error> {
    let transaction = database.begin_read()?;
    let get = |definition| -> Result<Option<Bytes>, redb::Error> {
        let Some(table) = table(&transaction, definition)? else { return Ok(None) };
        Ok(table.get(seq)?.map(|bytes| Bytes::copy_from_slice(bytes.value())))
    };
    let Some(head) = get(HEADS)?.and_then(|head| Head::read(&head)) else {
        return Ok(Loaded::Unreadable(None));
    };
    let function_arn = head.function_arn();
    let Some(event) = get(PAYLOADS)?.and_then(|payload| head.with(payload)) else {
        return Ok(Loaded::Unreadable(function_arn));
    };
    let progress = get(PROGRESS)?;
    let progress: Option<Progress> =
        progress.and_then(|progress| serde_json::from_slice(&progress).ok());
    let mut response = progress.and_then(|progress| progress.response);
    if let Some(response) = &mut response {
        response.payload = get(RESPONSES)?;
    }
    Ok(Loaded::Whole(Box::new(Stored { event, response })))
}

/// Writes everything together, and waits for the disk.
fn write<'a>(
    database: &Database,
    writes: impl Iterator<Item = &'a Write>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for write in writes {
        carry_out(&transaction, write)?;
    }
    transaction.commit()?;
    Ok(())
}

fn carry_out(transaction: &WriteTransaction, write: &Write) -> Result<(), redb::Error> {
    let set = |definition, seq, bytes: Option<&[u8]>| -> Result<(), redb::Error> {
        let mut table = transaction.open_table(definition)?;
        match bytes {
            Some(bytes) => table.insert(seq, bytes)?,
            None => table.remove(seq)?,
        };
        Ok(())
    };
    match write {
        Write::Put { seq, head, payload } => {
            set(HEADS, *seq, Some(head))?;
            set(PAYLOADS, *seq, Some(payload))
        }
        Write::Update { seq, progress } => {
            // Texts and numbers only: this cannot fail.
            let json = serde_json::to_vec(progress).unwrap_or_default();
            set(PROGRESS, *seq, Some(&json))?;
            set(RESPONSES, *seq, progress.payload().map(|bytes| &bytes[..]))
        }
        Write::Remove { seq } => {
            TABLES.into_iter().try_for_each(|(definition, _)| set(definition, *seq, None))
        }
        Write::SetAside { seq } => TABLES.into_iter().try_for_each(|(from, to)| {
            let mut from = transaction.open_table(from)?;
            if let Some(row) = from.remove(*seq)? {
                transaction.open_table(to)?.insert(*seq, row.value())?;
            }
            Ok(())
        }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Breaks the heads of some events, and loses the payloads of others.
    pub(crate) fn damage(directory: &Path, heads: &[u64], payloads: &[u64]) {
        let database = open(&directory.join(FILE)).unwrap();
        let transaction = database.begin_write().unwrap();
        for seq in heads {
            transaction.open_table(HEADS).unwrap().insert(seq, &b"{"[..]).unwrap();
        }
        for seq in payloads {
            transaction.open_table(PAYLOADS).unwrap().remove(seq).unwrap().unwrap();
        }
        transaction.commit().unwrap();
    }

    /// The numbers of the events that were set aside.
    pub(crate) fn set_aside(directory: &Path) -> Vec<u64> {
        let database = open(&directory.join(FILE)).unwrap();
        let aside = database.begin_read().unwrap().open_table(ASIDE).unwrap();
        aside.iter().unwrap().map(|row| row.unwrap().0.value()).collect()
    }
}
