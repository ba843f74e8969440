//! One request, several: by owner, by count, by size.
//!
//! Nothing is decoded. A part copies the bytes of what it holds and writes new lengths around them;
//! the fields of the wrappers (resource, scope, a metric's name and temporality, unknown fields) are in
//! every part that needs them, once. A request that turns out to be one part is handed back as it is.
//!
//! Wrappers without anything in them go into no part. Bodies must have passed
//! [`check`](crate::check): what follows a broken field would be in no part either.

use std::num::NonZeroU64;

use bytes::Bytes;

use crate::outline::{Grain, Leaf, Outline};
use crate::{Signal, count_items};

/// A request that was cut out of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whom it was given to, or which one it is, from 0.
    pub bucket: u64,
    /// Log records, data points or spans in it.
    pub items: u64,
    /// The encoded request.
    pub body: Bytes,
}

/// Splits a request by `key`, which is asked once for each piece of the size `grain` and sees the
/// content of its message: a [`Resource`](crate::Resource), a [`LogRecord`](crate::LogRecord), a
/// [`Metric`](crate::Metric), a [`Span`](crate::Span), or a data point. The parts are ordered by key,
/// and a part keeps the order of the request.
///
/// Wrappers are written once for each part, so keys should be few: members of a ring, not traces.
pub fn split<'a>(
    signal: Signal,
    body: &'a Bytes,
    grain: Grain,
    mut key: impl FnMut(&'a [u8]) -> u64,
) -> Vec<Part> {
    let mut outline = Outline::new(signal, body, grain, &mut key);
    // Stable, so that each part keeps its order.
    outline.leaves.sort_by_key(|leaf| leaf.bucket);
    parts(signal, body, &outline)
}

/// Cuts a request into parts of at most `items_max` log records, data points or spans. A metric may be
/// cut between its points.
pub fn split_items(signal: Signal, body: &Bytes, items_max: NonZeroU64) -> Vec<Part> {
    let mut items = 0;
    let outline = Outline::new(signal, body, Grain::Item, &mut |_| {
        items += 1;
        (items - 1) / items_max
    });
    parts(signal, body, &outline)
}

/// Cuts a request into parts of at most `bytes_max` bytes, as few as a single pass finds. A part with
/// one item may be larger, because an item is not cut.
pub fn split_bytes(signal: Signal, body: &Bytes, bytes_max: usize) -> Vec<Part> {
    let mut outline = Outline::new(signal, body, Grain::Item, &mut |_| 0);
    if body.len() <= bytes_max {
        return parts(signal, body, &outline);
    }
    let mut buckets = Vec::with_capacity(outline.leaves.len());
    let mut previous: Option<&Leaf> = None;
    let (mut bucket, mut bytes) = (0, 0);
    for leaf in &outline.leaves {
        let mut growth = outline.growth(previous, leaf);
        if previous.is_some() && bytes + growth > bytes_max {
            bucket += 1;
            bytes = 0;
            growth = outline.growth(None, leaf);
        }
        bytes += growth;
        buckets.push(bucket);
        previous = Some(leaf);
    }
    for (leaf, bucket) in outline.leaves.iter_mut().zip(buckets) {
        leaf.bucket = bucket;
    }
    // Even a single part is assembled: without its empty wrappers it is small enough.
    assemble(signal, &outline)
}

/// One part for each run of leaves with the same bucket. A single part is the request as it is.
fn parts(signal: Signal, body: &Bytes, outline: &Outline<'_>) -> Vec<Part> {
    match (outline.leaves.first(), outline.leaves.last()) {
        (Some(first), Some(last)) if first.bucket == last.bucket => vec![Part {
            bucket: first.bucket,
            items: count_items(signal, body),
            body: body.clone(),
        }],
        _ => assemble(signal, outline),
    }
}

fn assemble(signal: Signal, outline: &Outline<'_>) -> Vec<Part> {
    outline
        .leaves
        .chunk_by(|one, next| one.bucket == next.bucket)
        .map(|leaves| {
            let body = outline.assemble(leaves);
            let items = count_items(signal, &body);
            Part {
                bucket: leaves[0].bucket,
                items,
                body,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
