//! Makes one request of neighbouring records: merged where that is lossless, recompressed only
//! where the destination speaks another codec.

use std::{num::NonZeroU64, ops::Range};

use bytes::Bytes;

use super::{
    form::Form,
    record::{self, Stored},
};
use crate::batch::{Codec, CodecError, Frame, Merging};

/// Size above which records are no longer merged, in bytes uncompressed: half of the 4 MiB that
/// gRPC servers take by default, so that a record which just fits does not tip a request over.
const MERGE_BYTES_MAX: u64 = 2 << 20;

/// Bodies above this size are compressed on a thread that may take its time; below, handing over
/// costs more than the work.
const OFFLOAD_BYTES_MIN: usize = 32 << 10;

/// Neighbouring records on their way into one request.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) form: Form,
    pub(super) entries: Vec<(wal::Position, u64)>,
    records: Vec<Stored>,
    items: u64,
    plain_bytes: u64,
}

impl Gathered {
    /// Starts with a record.
    pub(super) fn new(form: Form, entry: &wal::Entry) -> Result<Self, String> {
        let stored = record::decode(&entry.record)?;
        let (items, plain_bytes) = (stored.items, stored.frame.plain_length);
        let entries = vec![(entry.position, items)];
        Ok(Self {
            form,
            entries,
            records: vec![stored],
            items,
            plain_bytes,
        })
    }

    /// Items in all records.
    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// The first record, whose wishes count for all.
    pub(super) fn first(&self) -> &Stored {
        &self.records[0]
    }

    /// Whether the request should not wait for more.
    pub(super) fn is_full(&self, fallback: Option<Merging>) -> bool {
        let enough = self
            .first()
            .merging
            .or(fallback)
            .map_or(u64::MAX, |merging| merging.items);
        self.items >= enough || self.plain_bytes >= MERGE_BYTES_MAX
    }

    /// Adds the next record if it may go into the same request.
    pub(super) fn add(
        &mut self,
        entry: &wal::Entry,
        codec: Codec,
        fallback: Option<Merging>,
    ) -> bool {
        let Ok(next) = record::decode(&entry.record) else {
            return false;
        };
        let first = self.first();
        let merging = first.merging.or(fallback);
        // A frame that can go as it is should: inflating it to merge costs more than a request,
        // unless the operator asked for merging.
        let ready = |stored: &Stored| codec != Codec::Identity && stored.frame.codec == codec;
        let apart = merging.is_none() && (ready(first) || ready(&next));
        let items_max = merging.map_or(0, |merging| merging.items_max);
        let too_many = items_max > 0 && self.items + next.items > items_max;
        let too_big = self.plain_bytes + next.frame.plain_length > MERGE_BYTES_MAX;
        let alike = first.metadata == next.metadata && first.merging == next.merging;
        if apart || too_many || too_big || !alike {
            return false;
        }
        self.push(entry.position, next);
        true
    }

    /// Adds a record that was in the request when it was first made.
    ///
    /// # Errors
    /// As [`record::decode`].
    pub(super) fn append(&mut self, entry: &wal::Entry) -> Result<(), String> {
        let next = record::decode(&entry.record)?;
        self.push(entry.position, next);
        Ok(())
    }

    fn push(&mut self, position: wal::Position, next: Stored) {
        self.items += next.items;
        self.plain_bytes += next.frame.plain_length;
        self.entries.push((position, next.items));
        self.records.push(next);
    }

    /// The body without compression.
    fn plain(&self) -> Result<Bytes, CodecError> {
        if let [only] = self.records.as_slice() {
            return only.plain();
        }
        let bodies: Result<Vec<_>, _> = self.records.iter().map(Stored::plain).collect();
        Ok(self.form.merge(&bodies?))
    }

    /// The body of some of the items.
    pub(super) fn body(&self, items: &Range<u64>) -> Result<Bytes, CodecError> {
        if *items == (0..self.items) {
            return self.plain();
        }
        let mut bodies = Vec::new();
        for (record, span) in self.spans() {
            let (start, end) = (items.start.max(span.start), items.end.min(span.end));
            if start >= end {
                continue;
            }
            let plain = record.plain()?;
            bodies.push(match (start..end) == span {
                true => plain,
                false => self
                    .form
                    .cut(&plain, &(start - span.start..end - span.start)),
            });
        }
        Ok(self.form.merge(&bodies))
    }

    /// The body of some of the items in a codec; of a whole record, the very frame that it holds if
    /// that is in the codec.
    pub(super) async fn frame_of(
        &self,
        items: &Range<u64>,
        codec: Codec,
    ) -> Result<Frame, CodecError> {
        let mut spans = self.spans();
        let whole = spans.find(|(record, span)| span == items && record.frame.codec == codec);
        match whole {
            Some((record, _)) => Ok(record.frame.clone()),
            None => Ok(compress(self.body(items)?, codec).await),
        }
    }

    /// Where to cut some of the items in two: between records, so that one client's bad data does not
    /// cost another's; or else inside of the only one. None if they cannot be cut.
    pub(super) fn middle(&self, items: &Range<u64>) -> Option<u64> {
        self.between_records(items).or_else(|| {
            let body = self.body(items).ok()?;
            let middle = self.form.middle(&body, items.end - items.start)?;
            Some(items.start + middle)
        })
    }

    /// The end of a record as near to the middle of the items as may be.
    pub(super) fn between_records(&self, items: &Range<u64>) -> Option<u64> {
        let middle = items.start + (items.end - items.start) / 2;
        self.spans()
            .map(|(_, span)| span.end)
            .filter(|end| (items.start + 1..items.end).contains(end))
            .min_by_key(|end| end.abs_diff(middle))
    }

    /// Where to cut some of the items so that no piece has more bytes, as far as that is possible.
    pub(super) fn joints(
        &self,
        items: &Range<u64>,
        body: &Bytes,
        bytes_max: NonZeroU64,
    ) -> Vec<u64> {
        let joints = self.form.joints(body, bytes_max).into_iter();
        joints.map(|joint| items.start + joint).collect()
    }

    /// The records, and which items of the request are theirs.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Stored, Range<u64>)> {
        let mut start = 0;
        self.records.iter().map(move |record| {
            let span = start..start + record.items;
            start = span.end;
            (record, span)
        })
    }

    /// Where the first record is.
    pub(super) fn first_position(&self) -> wal::Position {
        self.entries[0].0
    }

    /// Where the last record is.
    pub(super) fn last(&self) -> wal::Position {
        self.entries[self.entries.len() - 1].0
    }
}

/// What a task that did not end leaves to do: pass its panic on, or wait for the end of the process,
/// which alone cancels it. The data stays in the log.
pub(super) async fn interrupted<T>(error: tokio::task::JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => std::future::pending().await,
    }
}

/// A plain body in a codec.
pub(super) async fn compress(plain: Bytes, codec: Codec) -> Frame {
    let plain_length = plain.len() as u64;
    let bytes = match codec {
        Codec::Identity => plain,
        codec if plain.len() < OFFLOAD_BYTES_MIN => codec.compress(&plain),
        codec => {
            let work = tokio::task::spawn_blocking(move || codec.compress(&plain));
            match work.await {
                Ok(bytes) => bytes,
                Err(error) => interrupted(error).await,
            }
        }
    };
    Frame {
        codec,
        bytes,
        plain_length,
    }
}
