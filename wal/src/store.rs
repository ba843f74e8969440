//! RocksDB: with `scan` and `tuning` the only files which name it.
//!
//! Three column families. `default` holds the notes and `records` the records; they are flushed
//! together (`atomic_flush`), so that no file of one is ever ahead of the other and damage in a log
//! file can never make RocksDB refuse to open because the two disagree. `bulk` holds records too,
//! but as whole files that were written in order beside RocksDB and handed to it: such a record is
//! written once, where one in a batch is written to the log first and to a file later. A bulk file
//! counts only when a batch with the notes about it follows.

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
        let damage = matches!(error.kind(), ErrorKind::Corruption);
        let message = error.into_string();
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
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let families = [
            ColumnFamilyDescriptor::new("default", tuning::notes(options)),
            ColumnFamilyDescriptor::new(RECORDS, tuning::records(options)),
            ColumnFamilyDescriptor::new(BULK, tuning::bulk()),
        ];
        let db = DB::open_cf_descriptors(&tuning::database(options), path, families)?;
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
        let found = store.bulk_streams()?;
        store.has_bulk.store(!found.is_empty(), Ordering::Release);
        Ok(store)
    }

    /// Saves what can be saved of a store that cannot be opened.
    pub(crate) fn repair(path: &Path, options: &Options) -> Result<(), StoreError> {
        Ok(DB::repair(&tuning::database(options), path)?)
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

    /// The streams that have bulk files, with the last record of each.
    pub(crate) fn bulk_streams(&self) -> Result<Vec<(Place, Bytes)>, StoreError> {
        let mut streams: Vec<(Place, Bytes)> = Vec::new();
        loop {
            let from = streams
                .last()
                .map_or(0, |(place, _)| place.stream.saturating_add(1));
            let first = self.scan_of(&[self.bulk()], Place::new(from, 0), None);
            let Some(place) = first.place()? else {
                return Ok(streams);
            };
            let end = Place::new(place.stream, u64::MAX);
            let Some(last) = Scan::last(&self.db, self.bulk(), end)? else {
                return Ok(streams);
            };
            streams.push(last);
        }
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

    /// The records of one stream with `from <= sequence < to`, in order.
    pub(crate) fn scan(&self, stream: u32, from: u64, to: u64) -> Scan<'_> {
        let to = Place::new(stream, to);
        self.scan_of(&self.families(), Place::new(stream, from), Some(to))
    }

    fn scan_of(&self, families: &[&ColumnFamily], from: Place, to: Option<Place>) -> Scan<'_> {
        let iterators = families
            .iter()
            .map(|family| self.db.raw_iterator_cf_opt(family, tuning::reading(to)));
        let mut scan = Scan::new(iterators.collect());
        scan.seek(from);
        scan
    }

    /// The first record of a stream from `from` on, read by itself.
    pub(crate) fn first(
        &self,
        stream: u32,
        from: u64,
    ) -> Result<Option<(Place, Bytes)>, StoreError> {
        let scan = self.scan_of(&self.families(), Place::new(stream, from), None);
        Ok(scan.current()?.filter(|(place, _)| place.stream == stream))
    }

    /// The last record of a stream, if it has one.
    pub(crate) fn last(&self, stream: u32) -> Result<Option<(Place, Bytes)>, StoreError> {
        let end = Place::new(stream, u64::MAX);
        let mut last = None;
        for family in self.families() {
            let found = Scan::last(&self.db, family, end)?;
            last =
                std::cmp::max_by_key(last, found, |found| found.as_ref().map(|(place, _)| *place));
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
