//! The settings of RocksDB, and why each is not the default.

use rocksdb::{BlockBasedOptions, Cache, DBRecoveryMode, LogLevel, ReadOptions};

use crate::options::Options;
use crate::record::Place;
use crate::store::Care;

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

/// Data files kept open. Every file costs a descriptor, and a backlog of 10 GB has thousands.
const OPEN_FILES: i32 = 256;

/// Of the whole database.
pub(crate) fn database(options: &Options, care: Care) -> rocksdb::Options {
    let mut database = rocksdb::Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_paranoid_checks(care == Care::Strict);
    // The stricter mode refuses to open after some power cuts; what this one hides is found by our
    // own proof when the log is opened.
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_track_and_verify_wals_in_manifest(true);
    database.set_atomic_flush(true);
    // Both families' memtables together, whoever fills them.
    database.set_db_write_buffer_size(options.memtable_bytes);
    database.set_max_background_jobs(2);
    // One writer: nothing to run in parallel, and no threads spinning for their turn.
    database.set_allow_concurrent_memtable_write(false);
    database.set_enable_write_thread_adaptive_yield(false);
    database.set_max_open_files(OPEN_FILES);
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

/// Of records that came in small groups.
pub(crate) fn records(options: &Options) -> rocksdb::Options {
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

/// Of the notes.
pub(crate) fn notes(options: &Options) -> rocksdb::Options {
    let mut notes = rocksdb::Options::default();
    notes.set_write_buffer_size((options.memtable_bytes / 8).max(1 << 20));
    notes.set_arena_block_size(64 << 10);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(1 << 20));
    notes.set_block_based_table_factory(&table);
    notes
}

/// Of records that come as files. They are in order and never overlap, so there is nothing to merge
/// or compact.
pub(crate) fn bulk() -> rocksdb::Options {
    let mut bulk = rocksdb::Options::default();
    bulk.set_disable_auto_compactions(true);
    bulk.set_write_buffer_size(1 << 20);
    bulk.set_arena_block_size(64 << 10);
    let mut table = BlockBasedOptions::default();
    table.disable_cache();
    table.set_block_size(BLOCK_BYTES);
    bulk.set_block_based_table_factory(&table);
    bulk
}

/// Of an iterator that ends before `to`.
pub(crate) fn reading(to: Option<Place>) -> ReadOptions {
    let mut options = ReadOptions::default();
    if let Some(to) = to {
        options.set_iterate_upper_bound(to.key());
        options.set_readahead_size(READAHEAD_BYTES);
    }
    options.fill_cache(false);
    options
}
