//! Opening a log, and the proof that nothing acknowledged is missing from it.
//!
//! RocksDB cuts a torn tail by itself, which is right: nobody was answered for it. But it also drops
//! in silence what lies behind damage in the middle. So the recovered end is compared with the
//! high-water mark, and every stream's last record with what the notes say it should be. Neither
//! grows with the backlog. Before RocksDB touches its log files they are linked into a directory
//! beside it; if the proof fails they stay there. Holes further inside are found, and counted
//! exactly, when they are read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::book::{Book, Stream};
use crate::counts::Counts;
use crate::error::OpenError;
use crate::mark::Mark;
use crate::notes::{Clock, FORMAT, Head, Key, Progress, decode_members};
use crate::options::Options;
use crate::record::Stored;
use crate::store::{Changes, Store, StoreError};

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log had been closed properly, or is new.
    pub clean: bool,
    /// Acknowledged sequences that are gone from the end of the log.
    pub missing: u64,
    /// Streams whose last record is gone or damaged.
    pub broken_streams: u64,
    /// Whether RocksDB had to be repaired before it could be opened.
    pub repaired: bool,
    /// Where damaged log files were put aside.
    pub quarantined: Option<PathBuf>,
    /// Queues found.
    pub queues: usize,
    /// What they owe, each record counted for each of its queues.
    pub owed: Counts,
    /// How long opening took.
    pub took: Duration,
}

impl Recovery {
    /// Whether anything acknowledged is known to be gone.
    pub fn is_damaged(&self) -> bool {
        self.missing > 0 || self.broken_streams > 0 || self.repaired
    }
}

/// The notes of a log.
#[derive(Default)]
pub(crate) struct Loaded {
    format: Option<u32>,
    pub(crate) clock: Clock,
    pub(crate) queues: BTreeMap<u32, (String, Progress)>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// Streams that have files and no queues any more.
    pub(crate) discarded: Vec<u32>,
}

impl Loaded {
    /// Goes by a stream's last record where the notes are older: they were lost to damage, and the
    /// record, which is in a file, was not.
    fn extend(&mut self, last: &Stored) {
        let Some(stream) = self.streams.get_mut(&last.place.stream) else {
            return;
        };
        if last.place.sequence <= stream.head.sequence {
            return;
        }
        let found = last.total - stream.head.total;
        stream.head = Head {
            sequence: last.place.sequence,
            total: last.total,
        };
        for member in &stream.members {
            if let Some((_, progress)) = self.queues.get_mut(member) {
                progress.ledger.accepted += found.items;
            }
        }
    }
}

/// An open log.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) book: Book,
    pub(crate) mark: Mark,
    pub(crate) recovery: Recovery,
}

/// Where RocksDB lives.
pub(crate) fn store_path(path: &Path) -> PathBuf {
    path.join("store")
}

/// Where the high-water mark is.
pub(crate) fn mark_path(path: &Path) -> PathBuf {
    path.join("mark")
}

pub(crate) fn open(options: &Options) -> Result<Opened, OpenError> {
    let began = Instant::now();
    let failed = |doing: &'static str| {
        let path = options.path.clone();
        move |error: io::Error| OpenError::Failed {
            path,
            reason: format!("{doing}: {error}"),
        }
    };
    create_directory(&options.path).map_err(failed("cannot make the directory"))?;
    let mut mark = Mark::open(&mark_path(&options.path)).map_err(failed("cannot open the mark"))?;
    let aside = put_aside(&options.path).map_err(failed("cannot link the log files"))?;
    let mut recovery = Recovery::default();
    let store = open_store(options, &mut recovery)?;
    let refused = |error: StoreError| refused(options, error);
    check_format(&store, refused)?;
    let marked = mark.marked();
    let mut loaded = load(&store, marked.sequence).map_err(refused)?;
    if loaded.format.is_none() {
        let notes = vec![(Key::Format, FORMAT.to_le_bytes().to_vec())];
        let changes = Changes {
            notes,
            ..Changes::default()
        };
        store.write(&changes, true).map_err(refused)?;
        sync_directory(&options.path).map_err(failed("cannot sync the directory"))?;
    }
    recovery.clean = marked.closed || loaded.format.is_none();
    recovery.missing = (marked.sequence + 1).saturating_sub(loaded.clock.sequence);
    loaded.clock.sequence = loaded.clock.sequence.max(marked.sequence + 1);
    let mut book = Book::load(loaded);
    recovery.broken_streams = inspect(&store, &mut book).map_err(refused)?;
    recovery.queues = book.queues.len();
    for queue in book.queues.values() {
        recovery.owed += book.owed(queue);
    }
    recovery.quarantined = quarantine(&options.path, &aside, recovery.is_damaged());
    mark.reset(book.clock.sequence - 1);
    recovery.took = began.elapsed();
    report(&recovery);
    Ok(Opened {
        store,
        book,
        mark,
        recovery,
    })
}

fn report(recovery: &Recovery) {
    if recovery.is_damaged() {
        tracing::error!(
            missing = recovery.missing,
            broken_streams = recovery.broken_streams,
            repaired = recovery.repaired,
            quarantined = ?recovery.quarantined,
            "the log was damaged while it was closed; acknowledged records are gone"
        );
    }
    tracing::info!(
        clean = recovery.clean,
        queues = recovery.queues,
        records = recovery.owed.records,
        items = recovery.owed.items,
        bytes = recovery.owed.bytes,
        took = ?recovery.took,
        "the log is open"
    );
}

fn open_store(options: &Options, recovery: &mut Recovery) -> Result<Store, OpenError> {
    let path = store_path(&options.path);
    // Without its CURRENT file RocksDB takes the directory for empty and deletes what is in it.
    let headless = !path.join("CURRENT").exists() && has_data(&path);
    if !headless {
        match Store::open(&path, options) {
            Err(error) if error.damage => tracing::error!(
                reason = error.message,
                "the store of the log is damaged; saving what can be read"
            ),
            other => return other.map_err(|error| refused(options, error)),
        }
    }
    recovery.repaired = true;
    Store::repair(&path, options).map_err(|error| refused(options, error))?;
    Store::open(&path, options).map_err(|error| refused(options, error))
}

/// Refuses a newer format before anything else is read, or changed.
fn check_format(store: &Store, refused: impl Fn(StoreError) -> OpenError) -> Result<(), OpenError> {
    let notes = store.notes().map_err(refused)?;
    let format = notes.iter().find(|(key, _)| *key == Key::Format);
    let format = format.and_then(|(_, note)| <[u8; 4]>::try_from(&note[..]).ok());
    match format.map(u32::from_le_bytes) {
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
            found,
            supported: FORMAT,
        }),
        _ => Ok(()),
    }
}

fn refused(options: &Options, error: StoreError) -> OpenError {
    let path = options.path.clone();
    if error.locked {
        return OpenError::Locked { path };
    }
    OpenError::Failed {
        path,
        reason: error.message,
    }
}

/// Reads all notes and compares them with the bulk files. `marked` is the last sequence known to
/// have been acknowledged.
pub(crate) fn load(store: &Store, marked: u64) -> Result<Loaded, StoreError> {
    let mut loaded = read_notes(store)?;
    for (last, value) in store.bulk_streams()? {
        let acknowledged = marked.max(loaded.clock.sequence - 1);
        if last.sequence > acknowledged {
            // Handed over in a group that was not finished. Its numbers are not used again.
            store.disown(acknowledged + 1, last)?;
            loaded.clock.sequence = loaded.clock.sequence.max(last.sequence + 1);
            loaded.clock.stream = loaded.clock.stream.max(last.stream + 1);
        } else if !loaded.streams.contains_key(&last.stream) {
            loaded.discarded.push(last.stream);
        } else if let Ok(stored) = Stored::open(last, value) {
            loaded.extend(&stored);
        }
    }
    Ok(loaded)
}

fn read_notes(store: &Store) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut progress: BTreeMap<u32, Progress> = BTreeMap::new();
    for (key, note) in store.notes()? {
        let read = match key {
            Key::Format => <[u8; 4]>::try_from(&note[..])
                .map(|bytes| loaded.format = Some(u32::from_le_bytes(bytes)))
                .ok(),
            Key::Clock => Clock::decode(&note).map(|clock| loaded.clock = clock),
            Key::Queue(id) => String::from_utf8(note).ok().map(|name| {
                loaded.queues.insert(id, (name, Progress::default()));
            }),
            Key::Progress(id) => {
                Progress::decode(&note).map(|found| drop(progress.insert(id, found)))
            }
            Key::Stream(id) => decode_members(&note).map(|members| {
                let stream = loaded.streams.entry(id).or_default();
                (stream.members, stream.defined) = (members, true);
            }),
            Key::Head(id) => {
                Head::decode(&note).map(|head| loaded.streams.entry(id).or_default().head = head)
            }
        };
        if read.is_none() {
            return Err(StoreError::other(&format!(
                "the note {key:?} cannot be read"
            )));
        }
    }
    for (id, found) in progress {
        if let Some(queue) = loaded.queues.get_mut(&id) {
            queue.1 = found;
        }
    }
    Ok(loaded)
}

/// Compares the last record of each stream that owes something with what it should be, and learns
/// how old the first one is; gives the number of streams that are not as they should be.
fn inspect(store: &Store, book: &mut Book) -> Result<u64, StoreError> {
    let mut broken = 0;
    for (id, stream) in &book.streams {
        let members: Vec<u32> = stream.members.clone();
        let owing = members
            .iter()
            .filter_map(|member| book.queues.get(member))
            .any(|queue| {
                queue
                    .below
                    .get(id)
                    .is_some_and(|place| place.below != stream.head.total)
            });
        if !owing {
            continue;
        }
        let last = match store.last(*id) {
            Err(error) if error.damage => None,
            other => other?,
        };
        let last = last.and_then(|(place, value)| Stored::open(place, value).ok());
        let whole = last.is_some_and(|last| {
            last.place.sequence == stream.head.sequence && last.total == stream.head.total
        });
        broken += u64::from(!whole);
        for member in members {
            let Some(queue) = book.queues.get_mut(&member) else {
                continue;
            };
            let first = match store.first(*id, queue.next) {
                Err(error) if error.damage => None,
                other => other?,
            };
            let first = first.and_then(|(place, value)| Stored::open(place, value).ok());
            let first = first.map(|stored| stored.accepted_ms);
            queue.unread_ms = [queue.unread_ms, first].into_iter().flatten().min();
        }
    }
    Ok(broken)
}

fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    // The entry in the parent must survive a power cut too, or the log is gone with it.
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => sync_directory(parent),
        None => sync_directory(Path::new(".")),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn has_data(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with(".sst") || name.ends_with(".log") || name.starts_with("MANIFEST")
    })
}

/// Links RocksDB's log files into a directory of their own.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.join("quarantine").join("pending");
    let Ok(entries) = fs::read_dir(store_path(path)) else {
        return Ok(aside);
    };
    for entry in entries {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_none_or(|extension| extension != "log")
        {
            continue;
        }
        fs::create_dir_all(&aside)?;
        match fs::hard_link(entry.path(), aside.join(entry.file_name())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// Keeps the files put aside when the log was damaged, and forgets them otherwise.
fn quarantine(path: &Path, aside: &Path, damaged: bool) -> Option<PathBuf> {
    if !aside.exists() {
        return None;
    }
    if !damaged {
        if let Err(error) = fs::remove_dir_all(path.join("quarantine").join("pending")) {
            tracing::warn!(%error, "cannot remove the links to the log files");
        }
        // Fails, as it should, while older damage is kept in there.
        let _ = fs::remove_dir(path.join("quarantine"));
        return None;
    }
    let kept = (1..)
        .map(|number: u32| path.join("quarantine").join(format!("damage-{number}")))
        .find(|kept| !kept.exists())?;
    match fs::rename(aside, &kept) {
        Ok(()) => Some(kept),
        Err(error) => {
            tracing::warn!(%error, "cannot keep the damaged log files");
            None
        }
    }
}
