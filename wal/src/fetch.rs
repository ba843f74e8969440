//! Reading records back from the disk, for readers that are behind.
//!
//! The reads block, so they are done by threads of their own, started when the first reader falls
//! behind. A chunk is a merge of the queue's streams by sequence. A record that is damaged is left
//! out: the totals in the record after it say exactly what is missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::oneshot;

use crate::delivery::Reading;
use crate::error::Error;
use crate::meters::Meters;
use crate::options::READ_CHUNK_BYTES;
use crate::record::{Place, Stored};
use crate::scan::Scan;
use crate::shared::Shared;
use crate::store::{Store, StoreError};

/// Threads that read. Two keep a disk busy while one of them copies; more would take turns.
const READ_THREADS: usize = 2;

/// Records in one chunk, whatever their size.
const READ_CHUNK_RECORDS: usize = 8192;

/// A part of a queue, read from the disk.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) records: std::collections::VecDeque<Stored>,
    /// Everything below was read.
    pub(crate) end: u64,
}

type Answer = oneshot::Sender<Result<Chunk, Error>>;
type Request = (Reading, Answer);

/// Hands reads to the reading threads.
#[derive(Default)]
pub(crate) struct Fetcher {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    closed: AtomicBool,
}

impl Fetcher {
    /// Asks for a chunk.
    pub(crate) fn fetch(
        &self,
        shared: &Arc<Shared>,
        reading: Reading,
    ) -> oneshot::Receiver<Result<Chunk, Error>> {
        let (answer, receiver) = oneshot::channel();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Acquire) {
            return receiver;
        }
        let sender = requests.get_or_insert_with(|| start(shared));
        // A thread that died drops the request, and the reader sees a closed answer.
        let _ = sender.send((reading, answer));
        receiver
    }

    /// Lets the threads end; later requests are answered as closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

fn start(shared: &Arc<Shared>) -> mpsc::Sender<Request> {
    let (sender, receiver) = mpsc::channel::<Request>();
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..READ_THREADS {
        let (receiver, shared) = (receiver.clone(), Arc::downgrade(shared));
        let thread = std::thread::Builder::new().name(format!("wal-read-{number}"));
        let body = move || {
            loop {
                let request = receiver
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok((reading, answer)) = request else {
                    return;
                };
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                // A reader that is gone does not want the answer.
                let _ = answer.send(read(&shared, &reading));
            }
        };
        if let Err(error) = thread.spawn(body) {
            tracing::error!(%error, "cannot start a thread to read the log with");
        }
    }
    sender
}

/// Reads one chunk.
pub(crate) fn read(shared: &Shared, reading: &Reading) -> Result<Chunk, Error> {
    let store = shared.store()?;
    Meters::add(&shared.meters.disk_reads, 1);
    let mut damaged = 0;
    let chunk = merge(&store, reading, &mut damaged);
    if damaged > 0 {
        Meters::add(&shared.meters.damaged, damaged);
        tracing::error!(damaged, "records on the disk are damaged and were left out");
    }
    chunk.map_err(|error| Error::Store(error.message))
}

fn merge(store: &Store, reading: &Reading, damaged: &mut u64) -> Result<Chunk, StoreError> {
    let mut scans = Vec::new();
    for stream in &reading.streams {
        for mut scan in store.scan(*stream, reading.from, reading.to) {
            let place = settle_on(&mut scan, *stream, reading.from, reading.to, damaged)?;
            scans.extend(place.map(|place| (place, scan)));
        }
    }
    let mut chunk = Chunk {
        end: reading.to,
        ..Chunk::default()
    };
    let mut bytes = 0;
    while let Some(first) = (0..scans.len()).min_by_key(|index| scans[*index].0.sequence) {
        let (place, scan) = &mut scans[first];
        if bytes >= READ_CHUNK_BYTES || chunk.records.len() >= READ_CHUNK_RECORDS {
            chunk.end = place.sequence;
            break;
        }
        let at = *place;
        if let Some((_, value)) = scan.current()? {
            match Stored::open(at, value) {
                Ok(stored) => {
                    bytes += stored.value.len();
                    chunk.records.push_back(stored);
                }
                Err(damage) => {
                    *damaged += 1;
                    tracing::error!(
                        stream = at.stream,
                        sequence = at.sequence,
                        ?damage,
                        "damaged"
                    );
                }
            }
        }
        scan.advance();
        match settle_on(scan, at.stream, at.sequence + 1, reading.to, damaged)? {
            Some(next) => *place = next,
            None => drop(scans.swap_remove(first)),
        }
    }
    Ok(chunk)
}

/// Where an iterator is. When it stands before a damaged block, it is moved behind it.
fn settle_on(
    scan: &mut Scan<'_>,
    stream: u32,
    from: u64,
    to: u64,
    damaged: &mut u64,
) -> Result<Option<Place>, StoreError> {
    match scan.place() {
        Err(error) if error.damage => {
            *damaged += 1;
            tracing::error!(
                stream,
                from,
                reason = error.message,
                "a part of the disk is damaged"
            );
            skip(scan, stream, from, to)
        }
        place => place,
    }
}

/// Finds the first readable record behind damage: with growing steps until one can be read, then
/// back by halves.
fn skip(scan: &mut Scan<'_>, stream: u32, from: u64, to: u64) -> Result<Option<Place>, StoreError> {
    let mut readable = |sequence: u64| {
        scan.seek(Place::new(stream, sequence));
        match scan.place() {
            Err(error) if error.damage => Ok(false),
            Err(error) => Err(error),
            Ok(_) => Ok(true),
        }
    };
    let (mut bad, mut step) = (from, 1);
    let mut good = loop {
        let next = bad.saturating_add(step).min(to);
        if next == to || readable(next)? {
            break next;
        }
        (bad, step) = (next, step * 2);
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if readable(middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    if good == to {
        // Nothing can be read up to the end; looking there would fail as well.
        return Ok(None);
    }
    scan.seek(Place::new(stream, good));
    scan.place()
}
