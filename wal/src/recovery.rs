//! Opening a log, and the proof that nothing acknowledged is missing from it.
//!
//! RocksDB cuts a torn tail by itself, which is right: nobody was answered for it. But it also drops
//! in silence what lies behind damage in the middle. So the recovered end is compared with the
//! high-water mark, and every stream's last record with what the notes say it should be. Neither
//! grows with the backlog. Before RocksDB touches its log files they are linked into a directory
//! beside it; if the proof fails they stay there. Holes further inside are found, and counted
//! exactly, when they are read.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::book::Book;
use crate::counts::Counts;
use crate::error::OpenError;
use crate::load;
use crate::mark::Mark;
use crate::notes::{FORMAT, Key};

use crate::options::Options;
use crate::quarantine;
use crate::record::Stored;
use crate::store::{Care, Changes, Store, StoreError};

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log had been closed properly, or is new.
    pub clean: bool,
    /// Acknowledged sequences that are gone from the end of the log.
    pub missing: u64,
    /// Streams whose last record is gone or damaged.
    pub broken_streams: u64,
    /// Whether there are data files that cannot be read; what they held is counted as it is missed.
    pub unreadable_files: bool,
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
        self.missing > 0 || self.broken_streams > 0 || self.unreadable_files || self.repaired
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
    let aside =
        quarantine::put_aside(&options.path).map_err(failed("cannot link the log files"))?;
    let mut recovery = Recovery::default();
    let store = open_store(options, &mut recovery)?;
    let refused = |error: StoreError| refused(options, error);
    load::check_format(&store, refused)?;
    let marked = mark.marked();
    let mut loaded = load::load(&store, marked.sequence).map_err(refused)?;
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
    recovery.quarantined = quarantine::keep(&options.path, &aside, recovery.is_damaged());
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
            unreadable_files = recovery.unreadable_files,
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
    let refused = |error| refused(options, error);
    // Without its CURRENT file RocksDB takes the directory for empty and deletes what is in it.
    let headless = !path.join("CURRENT").exists() && has_data(&path);
    for care in [Care::Strict, Care::Tolerant] {
        if headless {
            break;
        }
        match Store::open(&path, options, care).and_then(Store::probe) {
            Ok(store) => {
                recovery.unreadable_files = care == Care::Tolerant;
                return Ok(store);
            }
            Err(error) if error.damage => {
                tracing::error!(
                    ?care,
                    reason = error.message,
                    "the store of the log is damaged"
                );
            }
            Err(error) => return Err(refused(error)),
        }
    }
    recovery.repaired = true;
    repair(&path, options).map_err(|error| OpenError::Failed {
        path: options.path.clone(),
        reason: error,
    })
}

/// Lets RocksDB save what it can. It would take bulk files for notes, since they do not say what
/// family they are of; so all files are kept aside, and those that are bulk files handed over again.
fn repair(path: &Path, options: &Options) -> Result<Store, String> {
    let aside = path.with_extension("rescue");
    let link = || -> io::Result<()> {
        fs::create_dir_all(&aside)?;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "sst")
            {
                fs::hard_link(entry.path(), aside.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    let unlink = || match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let words = |error: io::Error| format!("cannot keep the data files aside: {error}");
    unlink().and_then(|()| link()).map_err(words)?;
    let repaired = Store::repair(path, options)
        .and_then(|()| Store::open(path, options, Care::Tolerant))
        .map_err(|error| error.message)?;
    let mut files: Vec<PathBuf> = fs::read_dir(&aside)
        .map_err(words)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    repaired.adopt(&files).map_err(|error| error.message)?;
    unlink().map_err(words)?;
    Ok(repaired)
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
