//! Native histograms: from the form that targets expose to that of remote write, and whether one is
//! consistent.
//!
//! Both forms hold the same numbers under other field numbers, so a histogram is translated by writing
//! other keys before the same bytes.

use std::fmt;

use crate::check::check_message;
use crate::field::{self, Fields, Value};
use crate::schema::Name;
use crate::{Budget, varint};

/// The schema that means buckets with bounds of their own.
const CUSTOM: i32 = -53;

/// Schemas of exponential buckets: Prometheus takes up to 52 and makes coarser what is above 8.
const EXPONENTIAL: std::ops::RangeInclusive<i32> = -4..=8;

/// Buckets that one histogram may have: 16 times what client libraries allow by default (160). Each is
/// a few bytes on the wire and can be much more to a backend.
const BUCKETS_MAX: u64 = 2560;

/// What is wrong with a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistogramFault {
    /// Its bytes are no histogram.
    Malformed,
    /// A schema that does not exist.
    Schema,
    /// Spans that overlap.
    Offset,
    /// Spans that say another number of buckets than there are.
    Spans,
    /// A bucket with less than nothing in it.
    Negative,
    /// More observations in buckets than there are, or fewer.
    Count,
    /// Custom buckets whose bounds are not in order, not finite, or too few.
    Bounds,
    /// Custom buckets beside a zero bucket or negative ones, or bounds beside exponential buckets.
    Mixed,
    /// More buckets than any backend takes.
    Buckets,
}

impl HistogramFault {
    /// A few words for a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Schema => "no such schema",
            Self::Offset => "spans overlap",
            Self::Spans => "the spans say another number of buckets than there are",
            Self::Negative => "a bucket has a negative count",
            Self::Count => "the buckets do not add up to the count",
            Self::Bounds => "the custom bounds are out of order, not finite or too few",
            Self::Mixed => "custom and exponential buckets in one",
            Self::Buckets => "too many buckets",
        }
    }
}

impl fmt::Display for HistogramFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::error::Error for HistogramFault {}

/// Whether an encoded `io.prometheus.client.Histogram` has a native part: a span, or a zero bucket.
pub(super) fn is_native(client: &[u8]) -> bool {
    field::bytes(client, 12).is_some()
        || field::bytes(client, 9).is_some()
        || f64::from_bits(field::fixed64(client, 6)) > 0.0
        || field::varint(client, 7) > 0
}

/// Appends the remote write form of an encoded `io.prometheus.client.Histogram`, without timestamps.
pub(super) fn translate(client: &[u8], is_gauge: bool, out: &mut Vec<u8>) {
    let double = |number| f64::from_bits(field::fixed64(client, number));
    let is_float = double(4) > 0.0 || double(8) > 0.0;
    if is_float {
        write_double(out, 2, double(4));
        write_double(out, 3, double(2));
        write_double(out, 7, double(8));
    } else {
        write_varint(out, 1, field::varint(client, 1));
        write_double(out, 3, double(2));
        write_varint(out, 6, field::varint(client, 7));
    }
    for found in Fields::new(client) {
        let number = match found.number {
            5 => 4,
            6 => 5,
            9 => 8,
            10 if !is_float => 9,
            11 if is_float => 10,
            12 => 11,
            13 if !is_float => 12,
            14 if is_float => 13,
            _ => continue,
        };
        match found.value {
            Value::Varint(value) => write_varint(out, number, value),
            Value::Fixed64(bits) => write_double(out, number, f64::from_bits(bits)),
            Value::Bytes(bytes) => write_bytes(out, number, bytes),
            Value::Fixed32(_) | Value::Group(_) => {}
        }
    }
    if is_gauge {
        write_varint(out, 14, 3);
    }
}

pub(super) fn write_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    varint::write(out, u64::from(number) << 3);
    varint::write(out, value);
}

pub(super) fn write_double(out: &mut Vec<u8>, number: u32, value: f64) {
    varint::write(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

pub(super) fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint::write(out, u64::from(number) << 3 | 2);
    varint::write(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Whether an encoded histogram of remote write is one that a backend can take: the rules of
/// Prometheus's `Histogram.Validate`.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn check_histogram(encoded: &[u8]) -> Result<(), HistogramFault> {
    check_message(Name::NativeHistogram, encoded, &Budget::UNLIMITED)
        .map_err(|_| HistogramFault::Malformed)?;
    let schema = zigzag32(field::varint(encoded, 4));
    let zero_threshold = f64::from_bits(field::fixed64(encoded, 5));
    let is_float = Fields::new(encoded).any(|field| field.number == 2);
    let mut tally = Tally::default();
    let positive = spans(encoded, 11)?;
    let negative = spans(encoded, 8)?;
    let bounds = doubles(encoded, 16);
    let have = if is_float { (13, 10) } else { (12, 9) };
    let positive_buckets = tally.add(encoded, have.0, is_float)?;
    let negative_buckets = tally.add(encoded, have.1, is_float)?;
    if positive.length != positive_buckets || negative.length != negative_buckets {
        return Err(HistogramFault::Spans);
    }
    if positive_buckets + negative_buckets > BUCKETS_MAX {
        return Err(HistogramFault::Buckets);
    }
    let zero = if is_float {
        f64::from_bits(field::fixed64(encoded, 7))
    } else {
        field::varint(encoded, 6) as f64
    };
    if schema == CUSTOM {
        if negative.count > 0 || negative_buckets > 0 || zero != 0.0 || zero_threshold != 0.0 {
            return Err(HistogramFault::Mixed);
        }
        check_bounds(bounds, &positive)?;
    } else if !EXPONENTIAL.contains(&schema) {
        return Err(HistogramFault::Schema);
    } else if bounds.count() > 0 {
        return Err(HistogramFault::Mixed);
    }
    tally.check(encoded, is_float, zero)
}

/// What the spans of one side say.
#[derive(Default)]
struct Spans {
    count: u64,
    /// Buckets.
    length: u64,
    /// Buckets, with those left out between them.
    reach: i64,
    first: i32,
}

fn spans(encoded: &[u8], number: u32) -> Result<Spans, HistogramFault> {
    let mut spans = Spans::default();
    for span in field::all(encoded, number) {
        let offset = zigzag32(field::varint(span, 1));
        let length = field::varint(span, 2) & u64::from(u32::MAX);
        match spans.count {
            0 => spans.first = offset,
            _ if offset < 0 => return Err(HistogramFault::Offset),
            _ => {}
        }
        spans.count += 1;
        // Neither can overflow: each span took bytes, and is below 2^33.
        spans.length += length;
        spans.reach += i64::from(offset) + length as i64;
    }
    Ok(spans)
}

fn check_bounds(bounds: impl Iterator<Item = f64>, spans: &Spans) -> Result<(), HistogramFault> {
    let mut before = f64::NEG_INFINITY;
    let mut count = 0;
    for bound in bounds {
        if bound.is_nan() || (count > 0 && bound <= before) {
            return Err(HistogramFault::Bounds);
        }
        before = bound;
        count += 1;
    }
    if before == f64::INFINITY || spans.first < 0 || count + 1 < spans.reach {
        return Err(HistogramFault::Bounds);
    }
    Ok(())
}

/// The observations in buckets.
#[derive(Default)]
struct Tally {
    integers: u64,
}

impl Tally {
    /// Adds the buckets in a field, and says how many there are.
    fn add(&mut self, encoded: &[u8], number: u32, is_float: bool) -> Result<u64, HistogramFault> {
        let mut buckets = 0;
        if is_float {
            for count in doubles(encoded, number) {
                buckets += 1;
                if count < 0.0 {
                    return Err(HistogramFault::Negative);
                }
            }
            return Ok(buckets);
        }
        let mut count = 0i64;
        for delta in varints(encoded, number) {
            buckets += 1;
            count = count
                .checked_add(zigzag64(delta))
                .filter(|count| *count >= 0)
                .ok_or(HistogramFault::Negative)?;
            let sum = self.integers.checked_add(count as u64);
            self.integers = sum.ok_or(HistogramFault::Count)?;
        }
        Ok(buckets)
    }

    /// Integers must add up; floats need not, because they are rounded.
    fn check(&self, encoded: &[u8], is_float: bool, zero: f64) -> Result<(), HistogramFault> {
        let count = field::varint(encoded, 1);
        if is_float {
            let count = f64::from_bits(field::fixed64(encoded, 2));
            return match count < 0.0 || zero < 0.0 {
                true => Err(HistogramFault::Negative),
                false => Ok(()),
            };
        }
        let zero = field::varint(encoded, 6);
        let sum = self
            .integers
            .checked_add(zero)
            .ok_or(HistogramFault::Count)?;
        // Observations that are not a number are counted, and are in no bucket.
        let may_be_more = f64::from_bits(field::fixed64(encoded, 3)).is_nan();
        match sum == count || (may_be_more && sum < count) {
            true => Ok(()),
            false => Err(HistogramFault::Count),
        }
    }
}

fn zigzag32(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

fn zigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The varints of a repeated field, packed or not.
pub(super) fn varints(message: &[u8], number: u32) -> impl Iterator<Item = u64> + '_ {
    Fields::new(message)
        .filter(move |field| field.number == number)
        .flat_map(|field| {
            let (packed, single) = match field.value {
                Value::Bytes(packed) => (packed, None),
                Value::Varint(value) => (&[][..], Some(value)),
                _ => (&[][..], None),
            };
            let mut at = 0;
            single.into_iter().chain(std::iter::from_fn(move || {
                let (value, end) = varint::read(packed, at)?;
                at = end;
                Some(value)
            }))
        })
}

/// The doubles of a repeated field, packed or not.
fn doubles(message: &[u8], number: u32) -> impl Iterator<Item = f64> + '_ {
    Fields::new(message)
        .filter(move |field| field.number == number)
        .flat_map(|field| {
            let (packed, single) = match field.value {
                Value::Bytes(packed) => (packed, None),
                Value::Fixed64(bits) => (&[][..], Some(bits)),
                _ => (&[][..], None),
            };
            let packed = packed
                .chunks_exact(8)
                .filter_map(|bits| bits.first_chunk())
                .map(|bits| u64::from_le_bytes(*bits));
            single.into_iter().chain(packed).map(f64::from_bits)
        })
}
