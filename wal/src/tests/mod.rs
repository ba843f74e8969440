//! Stories about the whole log, by what they are about.

mod basics;
mod behind;
mod budgets;
mod bulk;
mod damage;
mod faults;
mod kill;
mod model;
mod power;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tempfile::TempDir;

use crate::{Append, Entry, Log, Options, Outcome, Queue, QueueLimits, QueueSet, Reader, Record};

/// A directory in memory where there is one: these tests ask what is in the files, and not whether
/// the disk keeps them.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Settings small enough that a test meets every limit, on a disk that may be nearly full.
fn options(path: &Path) -> Options {
    let mut options = Options::new(path);
    options.disk_reserve_bytes = 0;
    options.memtable_bytes = 4 << 20;
    options
}

fn open(path: &Path) -> Log {
    Log::open(options(path)).unwrap()
}

fn queue(log: &Log, name: &str) -> Queue {
    log.queue(name, QueueLimits::default()).unwrap()
}

/// A record whose contents follow from its number.
fn record(number: u64, size: usize) -> Record {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(size.max(8), number as u8);
    Record {
        payload: payload.into(),
        attributes: Bytes::from(format!("#{number}")),
        items: number % 7 + 1,
        accepted_at: SystemTime::now(),
    }
}

fn append(queues: &[&Queue], number: u64, size: usize) -> Append {
    let queues: QueueSet = queues.iter().copied().cloned().collect();
    Append {
        queues,
        record: record(number, size),
    }
}

/// The number of an entry, after a check that its contents are the ones that follow from it.
fn number(entry: &Entry) -> u64 {
    let number = u64::from_le_bytes(entry.record.payload[..8].try_into().unwrap());
    let expected = record(number, entry.record.payload.len());
    assert_eq!(entry.record.payload, expected.payload);
    assert_eq!(entry.record.attributes, expected.attributes);
    assert_eq!(entry.record.items, expected.items);
    number
}

/// The next entry, which must come soon.
async fn next(reader: &mut Reader) -> Entry {
    let next = tokio::time::timeout(Duration::from_secs(10), reader.next());
    next.await.expect("a record should have come").unwrap()
}

/// Nothing comes, and nothing is on its way.
async fn nothing(reader: &mut Reader) {
    let next = tokio::time::timeout(Duration::from_millis(50), reader.next());
    assert!(next.await.is_err(), "a record came that nobody owes");
}

/// Everything a queue still hands out, by number; settled on the way.
async fn drain(queue: &Queue) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut reader = queue.reader().unwrap();
    let mut patience = 100;
    while queue.stats().unwrap().records > 0 {
        // The end of what is owed may be damage, which is accounted for while waiting for more.
        let next = tokio::time::timeout(Duration::from_millis(100), reader.next());
        if let Ok(entry) = next.await {
            let entry = entry.unwrap();
            numbers.push(number(&entry));
            queue.settle(entry.position, Outcome::Delivered);
            patience = 100;
        } else {
            patience -= 1;
            assert!(
                patience > 0,
                "{:?} and nothing is handed out",
                queue.stats()
            );
        }
    }
    numbers
}

/// Commits the numbers one after the other.
async fn fill(log: &Log, queues: &[&Queue], numbers: std::ops::Range<u64>, size: usize) {
    for n in numbers {
        log.commit(vec![append(queues, n, size)]).await.unwrap();
    }
}

/// The files a log would leave if its process was killed now; for a log that is at rest.
fn copy(from: &Path, to: &Path) {
    let list = || {
        let folders = ["", "store"].map(|folder| fs::read_dir(from.join(folder)).unwrap());
        let mut files: Vec<_> = folders
            .into_iter()
            .flatten()
            .map(|file| file.unwrap())
            .collect();
        files.retain(|file| file.metadata().is_ok_and(|found| found.is_file()));
        files.sort_by_key(|file| file.path());
        files
            .into_iter()
            .map(|file| file.path())
            .collect::<Vec<_>>()
    };
    // RocksDB may be deleting old files in the background: only a quiet moment counts.
    loop {
        fs::create_dir_all(to.join("store")).unwrap();
        let files = list();
        let copied = files
            .iter()
            .filter(|file| !file.ends_with("LOCK"))
            .all(|file| fs::copy(file, to.join(file.strip_prefix(from).unwrap())).is_ok());
        if copied && list() == files {
            return;
        }
        fs::remove_dir_all(to).unwrap();
    }
}

/// RocksDB's files with this extension, in the order in which they were made.
fn store_files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.join("store")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}
