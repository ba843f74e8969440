//! RocksDB, and the only file which names it.
//!
//! Two column families: `default` holds the notes, `records` the records. They are flushed together
//! (`atomic_flush`), so that no file of one is ever ahead of the other and damage in a log file can
//! never make RocksDB refuse to open because the two disagree. Recovery is point-in-time: the
//! stricter mode refuses to open after some power cuts. What that mode may hide is found by our own
//! proof, see [`crate::recovery`].

use std::path::Path;

use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRawIterator,
    DBRecoveryMode, ErrorKind, IteratorMode, LogLevel, ReadOptions, WriteBatch, WriteOptions,
};

use crate::notes::Key;
use crate::options::Options;
use crate::record::{Place, Stored};

/// The column family of the records.
const RECORDS: &str = "records";

/// The cache of data blocks. Records are read once and in order, so it serves only the indexes.
const BLOCK_CACHE_BYTES: usize = 8 << 20;

/// A block of a data file. Records larger than that have a block to themselves.
const BLOCK_BYTES: usize = 32 << 10;

/// What is read ahead of an iterator: a whole chunk of a reader that is behind.
const READAHEAD_BYTES: usize = crate::options::READ_CHUNK_BYTES;

/// Files a compaction waits for. More of them gives trims time to arrive first; each is also one
/// more place to look at for a reader that is behind.
const LEVEL0_FILES: i32 = 8;

/// Out of reach: the log has budgets of its own, and a stall would hit every destination.
const NEVER: i32 = 1 << 30;

/// Pending compaction at which RocksDB would stop writes: out of reach as well.
const NEVER_BYTES: usize = 1 << 46;

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
}

impl Store {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let records = ColumnFamilyDescriptor::new(RECORDS, records_options(options));
        let notes = ColumnFamilyDescriptor::new("default", notes_options(options));
        Ok(Self {
            db: DB::open_cf_descriptors(&database_options(options), path, [notes, records])?,
        })
    }

    /// Saves what can be saved of a store that cannot be opened.
    pub(crate) fn repair(path: &Path, options: &Options) -> Result<(), StoreError> {
        Ok(DB::repair(&database_options(options), path)?)
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
            let from = Place {
                stream,
                sequence: from,
            }
            .key();
            batch.delete_range_cf(
                records,
                from,
                Place {
                    stream,
                    sequence: to,
                }
                .key(),
            );
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
        let all: Vec<&ColumnFamily> = notes.into_iter().chain([self.records()]).collect();
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

    /// The records of one stream with `from <= sequence < to`, in order.
    pub(crate) fn scan(&self, stream: u32, from: u64, to: u64) -> Scan<'_> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(
            Place {
                stream,
                sequence: to,
            }
            .key(),
        );
        options.set_readahead_size(READAHEAD_BYTES);
        options.fill_cache(false);
        let mut iterator = self.db.raw_iterator_cf_opt(self.records(), options);
        iterator.seek(
            Place {
                stream,
                sequence: from,
            }
            .key(),
        );
        Scan { iterator }
    }

    /// The last record of a stream, if it has one.
    pub(crate) fn last(&self, stream: u32) -> Result<Option<(Place, Bytes)>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(
            Place {
                stream,
                sequence: 0,
            }
            .key(),
        );
        options.fill_cache(false);
        let mut iterator = self.db.raw_iterator_cf_opt(self.records(), options);
        iterator.seek_for_prev(
            Place {
                stream,
                sequence: u64::MAX,
            }
            .key(),
        );
        Scan { iterator }.current()
    }

    /// Gives back the files that hold nothing but sequences below `to`.
    pub(crate) fn drop_files(&self, stream: u32, to: u64) -> Result<(), StoreError> {
        let first = Place {
            stream,
            sequence: 0,
        }
        .key();
        let last = Place {
            stream,
            sequence: to.saturating_sub(1),
        }
        .key();
        Ok(self
            .db
            .delete_file_in_range_cf(self.records(), first, last)?)
    }

    /// Rewrites the files that hold sequences below `to` without them.
    pub(crate) fn compact(&self, stream: u32, to: u64) {
        let first = Place {
            stream,
            sequence: 0,
        }
        .key();
        let last = Place {
            stream,
            sequence: to,
        }
        .key();
        self.db
            .compact_range_cf(self.records(), Some(first), Some(last));
    }

    /// Bytes in data files.
    pub(crate) fn file_bytes(&self) -> u64 {
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
}

/// An iterator over the records of one stream.
pub(crate) struct Scan<'a> {
    iterator: DBRawIterator<'a>,
}

impl Scan<'_> {
    /// The record under the iterator, `None` at the end. The value is copied out of the block.
    pub(crate) fn current(&self) -> Result<Option<(Place, Bytes)>, StoreError> {
        match self.iterator.item() {
            Some((key, value)) => {
                Ok(Place::from_key(key).map(|place| (place, Bytes::copy_from_slice(value))))
            }
            None => self
                .iterator
                .status()
                .map(|()| None)
                .map_err(StoreError::from),
        }
    }

    /// Where the iterator is, without its value.
    pub(crate) fn place(&self) -> Result<Option<Place>, StoreError> {
        match self.iterator.key() {
            Some(key) => Ok(Place::from_key(key)),
            None => self
                .iterator
                .status()
                .map(|()| None)
                .map_err(StoreError::from),
        }
    }

    pub(crate) fn advance(&mut self) {
        self.iterator.next();
    }

    pub(crate) fn seek(&mut self, place: Place) {
        self.iterator.seek(place.key());
    }
}

fn database_options(options: &Options) -> rocksdb::Options {
    let mut database = rocksdb::Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_paranoid_checks(true);
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_track_and_verify_wals_in_manifest(true);
    database.set_atomic_flush(true);
    // Both families' memtables together, whoever fills them.
    database.set_db_write_buffer_size(options.memtable_bytes);
    database.set_max_background_jobs(2);
    // One writer: nothing to run in parallel, and no threads spinning for their turn.
    database.set_allow_concurrent_memtable_write(false);
    database.set_enable_write_thread_adaptive_yield(false);
    database.set_max_open_files(-1);
    database.set_skip_stats_update_on_db_open(true);
    database.set_bytes_per_sync(1 << 20);
    // No periodic threads and no growing text log beside the data.
    database.set_stats_dump_period_sec(0);
    database.set_stats_persist_period_sec(0);
    database.set_log_level(LogLevel::Warn);
    database.set_max_log_file_size(1 << 20);
    database.set_keep_log_file_num(2);
    database
}

fn records_options(options: &Options) -> rocksdb::Options {
    let mut records = rocksdb::Options::default();
    records.set_write_buffer_size(options.memtable_bytes / 2);
    records.set_max_write_buffer_number(3);
    records.set_arena_block_size(256 << 10);
    records.set_level_zero_file_num_compaction_trigger(LEVEL0_FILES);
    records.set_level_zero_slowdown_writes_trigger(NEVER);
    records.set_level_zero_stop_writes_trigger(NEVER);
    records.set_soft_pending_compaction_bytes_limit(NEVER_BYTES);
    records.set_hard_pending_compaction_bytes_limit(NEVER_BYTES);
    records.set_max_bytes_for_level_base(512 << 20);
    records.set_target_file_size_base(64 << 20);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));
    table.set_block_size(BLOCK_BYTES);
    records.set_block_based_table_factory(&table);
    records
}

fn notes_options(options: &Options) -> rocksdb::Options {
    let mut notes = rocksdb::Options::default();
    notes.set_write_buffer_size((options.memtable_bytes / 8).max(1 << 20));
    notes.set_arena_block_size(64 << 10);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(1 << 20));
    notes.set_block_based_table_factory(&table);
    notes
}
