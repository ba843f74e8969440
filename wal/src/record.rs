//! A record, and its form on disk.
//!
//! The header carries two checksums. The one over the body is computed by the caller, on the
//! caller's thread; the one over the header is computed by the writer, which alone knows the
//! record's place. It covers the key too, so that a record found in somebody else's place is not
//! taken for a good one. The totals of the stream, this record included, make the size of a queue
//! a subtraction, and make records that vanished from the middle countable.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::counts::Counts;

/// The version of the layout below; the first byte of every record.
const VERSION: u8 = 1;

/// Bytes before the attributes: version (1) and zeros (3), header checksum (4), body checksum (4),
/// attributes length (4), payload length (8), items (8), accepted (8), previous sequence (8), and
/// the stream's total records, items and bytes (24), all little endian.
pub(crate) const HEADER: usize = 72;

/// What a caller hands to the log and gets back from it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The bytes to deliver; opaque to the log.
    pub payload: Bytes,
    /// What the caller wants to know about the payload without looking into it; opaque to the log.
    pub attributes: Bytes,
    /// How many items the payload holds; the unit of the ledger.
    pub items: u64,
    /// When the payload was accepted; kept with a precision of one millisecond.
    pub accepted_at: SystemTime,
}

/// Where a record is: the key, big endian so that the order of bytes is the order of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) stream: u32,
    pub(crate) sequence: u64,
}

impl Place {
    pub(crate) fn new(stream: u32, sequence: u64) -> Self {
        Self { stream, sequence }
    }

    pub(crate) fn key(self) -> [u8; 12] {
        let mut key = [0; 12];
        key[..4].copy_from_slice(&self.stream.to_be_bytes());
        key[4..].copy_from_slice(&self.sequence.to_be_bytes());
        key
    }

    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        let (stream, sequence) = key.split_first_chunk::<4>()?;
        Some(Self {
            stream: u32::from_be_bytes(*stream),
            sequence: u64::from_be_bytes(sequence.try_into().ok()?),
        })
    }
}

/// A record encoded by its caller, which has no place yet.
#[derive(Debug)]
pub(crate) struct Draft {
    value: Vec<u8>,
    attributes: usize,
    items: u64,
    accepted_ms: u64,
}

/// A record that has its place: sealed by the writer or read from the disk.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) place: Place,
    /// The whole value; the record's payload and attributes are slices of it.
    pub(crate) value: Bytes,
    pub(crate) attributes: usize,
    pub(crate) accepted_ms: u64,
    /// This record alone.
    pub(crate) counts: Counts,
    /// The sequence of the stream's record before this one, 0 for its first.
    pub(crate) previous: u64,
    /// The stream up to and including this record.
    pub(crate) total: Counts,
}

/// Why a stored value is not the record that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Short,
    Version(u8),
    Header,
    Body,
}

impl Draft {
    pub(crate) fn new(record: &Record) -> Self {
        let (attributes, payload) = (record.attributes.len(), record.payload.len());
        let accepted_ms = to_millis(record.accepted_at);
        let mut value = Vec::with_capacity(HEADER + attributes + payload);
        value.extend_from_slice(&[VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        value.extend_from_slice(&(attributes as u32).to_le_bytes());
        value.extend_from_slice(&(payload as u64).to_le_bytes());
        value.extend_from_slice(&record.items.to_le_bytes());
        value.extend_from_slice(&accepted_ms.to_le_bytes());
        value.resize(HEADER, 0);
        value.extend_from_slice(&record.attributes);
        value.extend_from_slice(&record.payload);
        let body = crc32c::crc32c(&value[HEADER..]);
        value[8..12].copy_from_slice(&body.to_le_bytes());
        Self {
            value,
            attributes,
            items: record.items,
            accepted_ms,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            records: 1,
            items: self.items,
            bytes: self.value.len() as u64,
        }
    }

    /// Gives the record its place after `previous`, in a stream that held `before` until now.
    pub(crate) fn seal(mut self, place: Place, previous: u64, before: Counts) -> Stored {
        let counts = self.counts();
        let total = before + counts;
        for (at, number) in [
            (40, previous),
            (48, total.records),
            (56, total.items),
            (64, total.bytes),
        ] {
            self.value[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let sum = header_checksum(place, &self.value);
        self.value[4..8].copy_from_slice(&sum.to_le_bytes());
        Stored {
            place,
            value: Bytes::from(self.value),
            attributes: self.attributes,
            accepted_ms: self.accepted_ms,
            counts,
            previous,
            total,
        }
    }
}

impl Stored {
    /// Checks a value found at `place`.
    pub(crate) fn open(place: Place, value: Bytes) -> Result<Self, Damage> {
        if value.len() < HEADER {
            return Err(Damage::Short);
        }
        if value[0] != VERSION {
            return Err(Damage::Version(value[0]));
        }
        if number::<4>(&value, 4) != u64::from(header_checksum(place, &value)) {
            return Err(Damage::Header);
        }
        let attributes = number::<4>(&value, 12);
        let body = attributes.saturating_add(number::<8>(&value, 16));
        if body != (value.len() - HEADER) as u64 {
            return Err(Damage::Short);
        }
        if number::<4>(&value, 8) != u64::from(crc32c::crc32c(&value[HEADER..])) {
            return Err(Damage::Body);
        }
        let items = number::<8>(&value, 24);
        Ok(Self {
            place,
            attributes: attributes as usize,
            accepted_ms: number::<8>(&value, 32),
            counts: Counts {
                records: 1,
                items,
                bytes: value.len() as u64,
            },
            previous: number::<8>(&value, 40),
            total: Counts {
                records: number::<8>(&value, 48),
                items: number::<8>(&value, 56),
                bytes: number::<8>(&value, 64),
            },
            value,
        })
    }

    /// What the stream held before this record.
    pub(crate) fn before(&self) -> Counts {
        self.total - self.counts
    }

    pub(crate) fn record(&self) -> Record {
        let body = HEADER + self.attributes;
        Record {
            payload: self.value.slice(body..),
            attributes: self.value.slice(HEADER..body),
            items: self.counts.items,
            accepted_at: from_millis(self.accepted_ms),
        }
    }
}

pub(crate) fn to_millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

pub(crate) fn from_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .unwrap_or(UNIX_EPOCH)
}

/// Covers the key and everything in the header but the checksum itself.
fn header_checksum(place: Place, value: &[u8]) -> u32 {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&place.key()), &value[..4]);
    crc32c::crc32c_append(sum, &value[8..HEADER])
}

/// The little-endian number of `N` bytes at `at`, which the caller knows to be inside `value`.
fn number<const N: usize>(value: &[u8], at: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&value[at..at + N]);
    u64::from_le_bytes(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        stream: 3,
        sequence: 9,
    };

    fn sealed() -> (Record, Stored) {
        let record = Record {
            payload: Bytes::from_static(b"payload"),
            attributes: Bytes::from_static(b"tenant"),
            items: 5,
            accepted_at: from_millis(1_790_000_000_123),
        };
        let before = Counts {
            records: 2,
            items: 20,
            bytes: 200,
        };
        (record.clone(), Draft::new(&record).seal(PLACE, 7, before))
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let (record, sealed) = sealed();
        let opened = Stored::open(PLACE, sealed.value).unwrap();
        assert_eq!(opened.record(), record);
        assert_eq!(opened.previous, 7);
        assert_eq!(
            opened.before(),
            Counts {
                records: 2,
                items: 20,
                bytes: 200
            }
        );
        assert_eq!(opened.counts.bytes, (HEADER + 13) as u64);
        assert_eq!(Place::from_key(&PLACE.key()), Some(PLACE));
        assert_eq!(Place::from_key(b"short"), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (_, sealed) = sealed();
        for bit in 0..sealed.value.len() * 8 {
            let mut value = sealed.value.to_vec();
            value[bit / 8] ^= 1 << (bit % 8);
            assert!(Stored::open(PLACE, value.into()).is_err(), "bit {bit}");
        }
        for length in 0..sealed.value.len() {
            assert!(
                Stored::open(PLACE, sealed.value.slice(..length)).is_err(),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_record_in_the_wrong_place_is_noticed() {
        let (_, sealed) = sealed();
        let elsewhere = Place {
            stream: 3,
            sequence: 10,
        };
        assert_eq!(
            Stored::open(elsewhere, sealed.value).unwrap_err(),
            Damage::Header
        );
    }
}
