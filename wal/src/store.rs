//! RocksDB: with `scan` and `tuning` the only files which name it.
//!
//! Three column families. `default` holds the notes and `records` the records; they are flushed
//! together (`atomic_flush`), so that no file of one is ever ahead of the other and damage in a log
//! file can never make RocksDB refuse to open because the two disagree. `bulk` holds records too,
//! but as whole files that were written in order beside RocksDB and handed to it: such a record is
//! written once, where one in a batch is written to the log first and to a file later. A bulk file
//! counts only when a batch with the notes about it follows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use bytes::Bytes;
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, ErrorKind, IngestExternalFileOptions, IteratorMode,
    SstFileWriter, WriteBatch, WriteOptions,
};

use crate::notes::Key;
use crate::options::Options;
use crate::record::{Place, Stored};
use crate::scan::Scan;
use crate::tuning;

/// The column family of the records that came in small groups.
const RECORDS: &str = "records";

/// The column family of the records that came in large groups, each stream's part as a file.
const BULK: &str = "bulk";

/// What to do about files that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Refuse to open, so that somebody notices.
    Strict,
    /// Go on without them: reading them fails, and compacting them does not stop writing.
    Tolerant,
}

/// Why the store refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreError {
    /// Whether a file is damaged, as opposed to unreadable or unwritable just now.
    pub(crate) damage: bool,
    /// Whether another process holds the store.
    pub(crate) locked: bool,
    /// RocksDB's words.
    pub(crate) message: String,
}

impl StoreError {
    /// An error that RocksDB did not speak of.
    pub(crate) fn other(message: &str) -> Self {
        Self {
            damage: false,
            locked: false,
            message: message.to_owned(),
        }
    }
}

impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        let kind = error.kind();
        let message = error.into_string();
        let damage = kind == ErrorKind::Corruption || message.contains("No such file or directory");
        let locked =
            message.contains("lock hold by current process") || message.contains("While lock file");
        Self {
            damage,
            locked,
            message,
        }
    }
}

/// One batch: applied as a whole or not at all.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) records: Vec<Stored>,
    pub(crate) notes: Vec<(Key, Vec<u8>)>,
    pub(crate) forgotten: Vec<Key>,
    /// Streams, and the sequences `from..to` to delete in each.
    pub(crate) trims: Vec<(u32, u64, u64)>,
}

/// An open RocksDB.
pub(crate) struct Store {
    db: DB,
    /// Where bulk files are written before they are handed over.
    outbox: PathBuf,
    /// Whether there is anything in bulk files.
    has_bulk: AtomicBool,
}

impl Store {
    pub(crate) fn open(path: &Path, options: &Options, care: Care) -> Result<Self, StoreError> {
        let families = [
            ColumnFamilyDescriptor::new("default", tuning::notes(options)),
            ColumnFamilyDescriptor::new(RECORDS, tuning::records(options)),
            ColumnFamilyDescriptor::new(BULK, tuning::bulk()),
        ];
        let db = DB::open_cf_descriptors(&tuning::database(options, care), path, families)?;
        let outbox = path.with_extension("outbox");
        // A bulk file that was not handed over was not acknowledged.
        let emptied = match fs::remove_dir_all(&outbox) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&outbox),
        };
        emptied.map_err(|error| StoreError::other(&format!("{}: {error}", outbox.display())))?;
        let store = Self {
            db,
            outbox,
            has_bulk: AtomicBool::new(true),
        };
        let found = store.bulk_ends()?;
        store.has_bulk.store(!found.is_empty(), Ordering::Release);
        Ok(store)
    }

    /// Saves what can be saved of a store that cannot be opened.
    pub(crate) fn repair(path: &Path, options: &Options) -> Result<(), StoreError> {
        Ok(DB::repair(
            &tuning::database(options, Care::Tolerant),
            path,
        )?)
    }

    pub(crate) fn write(&self, changes: &Changes, sync: bool) -> Result<(), StoreError> {
        let records = self.records();
        let payload: usize = changes
            .records
            .iter()
            .map(|stored| stored.value.len() + 32)
            .sum();
        let notes: usize = changes.notes.iter().map(|(_, note)| note.len() + 32).sum();
        let mut batch = WriteBatch::with_capacity_bytes(payload + notes + 1024);
        for stored in &changes.records {
            batch.put_cf(records, stored.place.key(), &stored.value);
        }
        for (key, note) in &changes.notes {
            batch.put(key.bytes(), note);
        }
        for key in &changes.forgotten {
            batch.delete(key.bytes());
        }
        for &(stream, from, to) in &changes.trims {
            let from = Place::new(stream, from).key();
            batch.delete_range_cf(records, from, Place::new(stream, to).key());
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        Ok(self.db.write_opt(batch, &options)?)
    }

    /// Makes everything written so far durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        Ok(self.db.flush_wal(true)?)
    }

    /// Writes the memtables to files.
    #[cfg(test)]
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(true);
        let notes = self.db.cf_handle("default");
        let all: Vec<_> = notes
            .into_iter()
            .chain([self.records(), self.bulk()])
            .collect();
        Ok(self.db.flush_cfs_opt(&all, &options)?)
    }

    /// All notes, with the keys this version does not know left out.
    pub(crate) fn notes(&self) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let mut notes = Vec::new();
        for entry in self.db.iterator(IteratorMode::Start) {
            let (key, value) = entry?;
            notes.extend(Key::parse(&key).map(|key| (key, value.into_vec())));
        }
        Ok(notes)
    }

    /// Hands over the records of one stream, in order, as a file. They count only when a batch with
    /// the notes about them has been written too.
    pub(crate) fn ingest(&self, records: &[Stored]) -> Result<(), StoreError> {
        let Some(first) = records.first() else {
            return Ok(());
        };
        let path = self
            .outbox
            .join(format!("{}-{}", first.place.stream, first.place.sequence));
        let options = tuning::bulk();
        let mut file = SstFileWriter::create(&options);
        file.open(&path)?;
        for stored in records {
            file.put(stored.place.key(), &stored.value)?;
        }
        file.finish()?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.has_bulk.store(true, Ordering::Release);
        Ok(self
            .db
            .ingest_external_file_cf_opts(self.bulk(), &options, vec![path])?)
    }

    /// Takes over those of the files that are bulk files, after a repair has lost sight of them.
    pub(crate) fn adopt(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        for file in files {
            // RocksDB refuses files that were not written to be handed over, and damaged ones.
            match self
                .db
                .ingest_external_file_cf_opts(self.bulk(), &options, vec![file])
            {
                Ok(()) => self.has_bulk.store(true, Ordering::Release),
                Err(error) => tracing::info!(file = %file.display(), %error, "not a bulk file"),
            }
        }
        // The repair has put their records among the notes, whose keys begin with a letter.
        Ok(self.db.delete_range_cf(self.notes_family(), [0], [b'a'])?)
    }

    /// Whether the files every read has to look into can be read.
    pub(crate) fn probe(self) -> Result<Self, StoreError> {
        for family in [self.notes_family(), self.records()] {
            let end = Place::new(u32::MAX, u64::MAX);
            Scan::new(&self.db, family, end, None).place()?;
        }
        Ok(self)
    }

    /// The last place in the bulk files of each stream. It comes from the list of files: nothing is
    /// read, so a damaged file is no obstacle.
    pub(crate) fn bulk_ends(&self) -> Result<Vec<Place>, StoreError> {
        let mut ends: BTreeMap<u32, Place> = BTreeMap::new();
        for file in self.db.live_files()? {
            let end = file.end_key.as_deref().and_then(Place::from_key);
            if let Some(end) = end.filter(|_| file.column_family_name == BULK) {
                let last = ends.entry(end.stream).or_insert(end);
                *last = end.max(*last);
            }
        }
        Ok(ends.into_values().collect())
    }

    /// Takes back the bulk records of a stream from `from` to its last one; they were handed over
    /// and do not count.
    pub(crate) fn disown(&self, from: u64, last: Place) -> Result<(), StoreError> {
        let stream = last.stream;
        let from = Place::new(stream, from).key();
        // A range that went on would lie over the stream's later files and keep them from their
        // place at the lowest level.
        let to = Place::new(stream, last.sequence + 1).key();
        Ok(self.db.delete_range_cf(self.bulk(), from, to)?)
    }

    /// The records of one stream with `from <= sequence < to`, in order; each of the iterators has
    /// some of them. They are not merged in here so that damage in one does not hide the other.
    pub(crate) fn scan(&self, stream: u32, from: u64, to: u64) -> Vec<Scan<'_>> {
        let (from, to) = (Place::new(stream, from), Place::new(stream, to));
        let families = self.families().into_iter();
        families
            .map(|family| Scan::new(&self.db, family, from, Some(to)))
            .collect()
    }

    /// The first record of a stream from `from` on, read by itself.
    pub(crate) fn first(
        &self,
        stream: u32,
        from: u64,
    ) -> Result<Option<(Place, Bytes)>, StoreError> {
        let mut first: Option<(Place, Bytes)> = None;
        for family in self.families() {
            let scan = Scan::new(&self.db, family, Place::new(stream, from), None);
            let found = scan.current()?.filter(|(place, _)| place.stream == stream);
            first = first
                .into_iter()
                .chain(found)
                .min_by_key(|(place, _)| *place);
        }
        Ok(first)
    }

    /// The last record of a stream, if it has one.
    pub(crate) fn last(&self, stream: u32) -> Result<Option<(Place, Bytes)>, StoreError> {
        let mut last: Option<(Place, Bytes)> = None;
        for family in self.families() {
            let found = Scan::last(&self.db, family, stream).current()?;
            last = last
                .into_iter()
                .chain(found)
                .max_by_key(|(place, _)| *place);
        }
        Ok(last)
    }

    /// Gives back the files that hold nothing but sequences below `to`.
    pub(crate) fn drop_files(&self, stream: u32, to: u64) -> Result<(), StoreError> {
        let first = Place::new(stream, 0).key();
        let last = Place::new(stream, to.saturating_sub(1)).key();
        for family in self.families() {
            self.db.delete_file_in_range_cf(family, first, last)?;
        }
        Ok(())
    }

    /// Rewrites the files that hold sequences below `to` without them.
    pub(crate) fn compact(&self, stream: u32, to: u64) {
        let first = Place::new(stream, 0).key();
        let last = Place::new(stream, to).key();
        self.db
            .compact_range_cf(self.records(), Some(first), Some(last));
    }

    /// Bytes in data files.
    pub(crate) fn file_bytes(&self) -> u64 {
        let bytes = self.families().into_iter().map(|family| {
            let bytes = self
                .db
                .property_int_value_cf(family, "rocksdb.total-sst-files-size");
            bytes.ok().flatten().unwrap_or(0)
        });
        bytes.sum()
    }

    /// Bytes in data files whose records came in batches.
    pub(crate) fn batch_file_bytes(&self) -> u64 {
        let bytes = self
            .db
            .property_int_value_cf(self.records(), "rocksdb.total-sst-files-size");
        bytes.ok().flatten().unwrap_or(0)
    }

    /// Bytes in memtables, of which some may wait for their flush.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        let bytes = self
            .db
            .property_int_value_cf(self.records(), "rocksdb.cur-size-all-mem-tables");
        bytes.ok().flatten().unwrap_or(0)
    }

    fn records(&self) -> &ColumnFamily {
        self.db
            .cf_handle(RECORDS)
            .expect("the store is opened with this column family")
    }

    fn notes_family(&self) -> &ColumnFamily {
        self.db
            .cf_handle("default")
            .expect("every store has this column family")
    }

    fn bulk(&self) -> &ColumnFamily {
        self.db
            .cf_handle(BULK)
            .expect("the store is opened with this column family")
    }

    /// Where records may be.
    fn families(&self) -> Vec<&ColumnFamily> {
        let bulk = self.has_bulk.load(Ordering::Acquire).then(|| self.bulk());
        [self.records()].into_iter().chain(bulk).collect()
    }
}
