//! Stories about the whole log, by what they are about.

mod basics;

use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::{Append, Entry, Log, Options, Queue, QueueLimits, QueueSet, Reader, Record};

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
