//! The high-water mark: the last sequence that was acknowledged, kept outside of RocksDB.
//!
//! After damage in the middle of its log RocksDB opens without what lies behind and says nothing.
//! The mark tells. It is written after each group and synced by the housekeeping thread twice a
//! second: a crash of the process cannot lose it, and after a power cut it may be older than the
//! log, never newer. Two slots in
//! different sectors take turns, so that a torn write leaves the other one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Distance of the two slots, a sector of any disk.
const SLOT: u64 = 4096;

/// Bytes of a slot: turn, sequence, records, whether closed, checksum.
const BYTES: usize = 29;

/// What a mark says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The last acknowledged sequence.
    pub(crate) sequence: u64,
    /// Records acknowledged in all.
    pub(crate) records: u64,
    /// Whether the log was closed properly after it.
    pub(crate) closed: bool,
}

pub(crate) struct Mark {
    file: File,
    turn: u64,
    marked: Marked,
}

impl Mark {
    /// Opens the mark, or makes a new one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let slots = [read(&file, 0), read(&file, SLOT)];
        let (turn, marked) = slots
            .into_iter()
            .flatten()
            .max_by_key(|(turn, _)| *turn)
            .unwrap_or_default();
        Ok(Self { file, turn, marked })
    }

    pub(crate) fn marked(&self) -> Marked {
        self.marked
    }

    /// Marks everything up to `sequence` as acknowledged, `records` more than before.
    pub(crate) fn set(&mut self, sequence: u64, records: u64) {
        let records = self.marked.records + records;
        self.write(Marked {
            sequence,
            records,
            closed: false,
        });
    }

    /// Goes back to what was found, after it was reported that more had been acknowledged.
    pub(crate) fn reset(&mut self, sequence: u64) {
        self.write(Marked {
            sequence,
            records: self.marked.records,
            closed: false,
        });
    }

    /// The last mark of a log that is closed properly.
    pub(crate) fn close(&mut self, sequence: u64) {
        self.write(Marked {
            sequence,
            records: self.marked.records,
            closed: true,
        });
        if let Err(error) = self.file.sync_all() {
            tracing::warn!(%error, "cannot sync the high-water mark of the log");
        }
    }

    fn write(&mut self, marked: Marked) {
        self.turn += 1;
        self.marked = marked;
        let mut slot = [0; BYTES];
        slot[..8].copy_from_slice(&self.turn.to_le_bytes());
        slot[8..16].copy_from_slice(&marked.sequence.to_le_bytes());
        slot[16..24].copy_from_slice(&marked.records.to_le_bytes());
        slot[24] = u8::from(marked.closed);
        let sum = crc32c::crc32c(&slot[..25]);
        slot[25..].copy_from_slice(&sum.to_le_bytes());
        // The mark only helps to find damage; the data does not depend on it.
        if let Err(error) = self.file.write_all_at(&slot, (self.turn % 2) * SLOT) {
            tracing::warn!(%error, "cannot write the high-water mark of the log");
        }
    }
}

fn read(file: &File, at: u64) -> Option<(u64, Marked)> {
    let mut slot = [0; BYTES];
    file.read_exact_at(&mut slot, at).ok()?;
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&slot[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let sum = crc32c::crc32c(&slot[..25]).to_le_bytes();
    let marked = Marked {
        sequence: number(8),
        records: number(16),
        closed: slot[24] == 1,
    };
    (slot[25..] == sum).then(|| (number(0), marked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_mark_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let mut mark = Mark::open(&path).unwrap();
        assert_eq!(mark.marked(), Marked::default());
        mark.set(7, 7);
        mark.set(9, 2);
        let newest = Marked {
            sequence: 9,
            records: 9,
            closed: false,
        };
        assert_eq!(Mark::open(&path).unwrap().marked(), newest);

        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"torn", 10).unwrap();
        let before = Marked {
            sequence: 7,
            records: 7,
            closed: false,
        };
        assert_eq!(Mark::open(&path).unwrap().marked(), before);

        let mut mark = Mark::open(&path).unwrap();
        mark.close(9);
        assert!(Mark::open(&path).unwrap().marked().closed);
    }
}
