//! Makes one request of neighbouring records: merged where that is lossless, recompressed only
//! where the destination speaks another codec.

use std::num::NonZeroU64;

use bytes::Bytes;
use protos::Signal;

use super::{
    job::Progress,
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
    pub(super) entries: Vec<(wal::Position, u64)>,
    records: Vec<Stored>,
    items: u64,
    plain_bytes: u64,
}

impl Gathered {
    /// Starts with a record.
    pub(super) fn new(entry: &wal::Entry) -> Result<Self, String> {
        let stored = record::decode(&entry.record)?;
        let (items, plain_bytes) = (stored.items, stored.frame.plain_length);
        let entries = vec![(entry.position, items)];
        Ok(Self {
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
        self.items += next.items;
        self.plain_bytes += next.frame.plain_length;
        self.entries.push((entry.position, next.items));
        self.records.push(next);
        true
    }

    /// The body in the destination's codec.
    pub(super) async fn frame(&self, codec: Codec) -> Result<Frame, CodecError> {
        if let [only] = self.records.as_slice()
            && only.frame.codec == codec
        {
            return Ok(only.frame.clone());
        }
        Ok(compress(self.plain()?, codec).await)
    }

    /// The body without compression.
    pub(super) fn plain(&self) -> Result<Bytes, CodecError> {
        if let [only] = self.records.as_slice() {
            return only.plain();
        }
        let bodies = self
            .records
            .iter()
            .map(Stored::plain)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(protos::merge(bodies.iter()))
    }

    /// The next piece of what is left: of one record if they go singly, and of no more items than
    /// the backend takes at once.
    pub(super) fn piece(
        &self,
        signal: Signal,
        progress: &Progress,
    ) -> Result<(Bytes, u64), CodecError> {
        let (mut body, skip, left) = if progress.singly {
            let (record, start) = self.record_at(progress.done);
            (
                record.plain()?,
                progress.done - start,
                self.rest_of_record(progress.done),
            )
        } else {
            (self.plain()?, progress.done, self.items - progress.done)
        };
        if let Some(skip) = NonZeroU64::new(skip) {
            let parts = protos::split_items(signal, &body, skip);
            body = protos::merge(parts.iter().skip(1).map(|part| &part.body));
        }
        match NonZeroU64::new(progress.piece) {
            Some(bound) if bound.get() < left => {
                let first = protos::split_items(signal, &body, bound).into_iter().next();
                Ok(first.map_or((body, left), |part| (part.body, part.items)))
            }
            _ => Ok((body, left)),
        }
    }

    /// Items from this one to the end of its record.
    pub(super) fn rest_of_record(&self, item: u64) -> u64 {
        let (record, start) = self.record_at(item);
        (start + record.items).saturating_sub(item)
    }

    /// The record that has this item, and the number of its first.
    fn record_at(&self, item: u64) -> (&Stored, u64) {
        let mut start = 0;
        for record in &self.records {
            if item < start + record.items {
                return (record, start);
            }
            start += record.items;
        }
        (&self.records[0], 0)
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
