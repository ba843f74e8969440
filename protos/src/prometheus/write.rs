//! Write requests in the form in which Corten keeps series: a sample is appended to labels that are
//! encoded already.

use super::histogram::{write_bytes, write_double, write_varint};
use super::{MetricKind, Written};
use crate::varint;

/// The field of a series in a request.
const SERIES: u8 = 0x0a;

/// Puts together one request.
#[derive(Clone, Debug, Default)]
pub struct SeriesWriter {
    out: Vec<u8>,
    /// The series that is being written, if it has more than one sample.
    series: Vec<u8>,
    written: Written,
}

/// What a family of series is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// The family's name.
    pub family: &'a str,
    /// Its type.
    pub kind: MetricKind,
    /// A sentence about it.
    pub help: &'a str,
    /// Its unit.
    pub unit: &'a str,
}

impl SeriesWriter {
    /// A writer of an empty request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of the request so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Appends a series with one number. `labels` are encoded, `timestamp` and `start` in milliseconds
    /// since 1970.
    #[inline]
    pub fn sample(&mut self, labels: &[u8], value: f64, timestamp: i64, start: Option<i64>) {
        let sample = sample_len(timestamp, start);
        self.out.push(SERIES);
        varint::write(&mut self.out, (labels.len() + 2 + sample) as u64);
        self.out.extend_from_slice(labels);
        write_sample(&mut self.out, value, timestamp, start);
        self.written.samples += 1;
    }

    /// Begins a series that has more than one number: exemplars, or a native histogram. Nothing else
    /// may be written until it is finished.
    pub fn begin(&mut self, labels: &[u8]) -> SeriesParts<'_> {
        self.series.clear();
        self.series.extend_from_slice(labels);
        SeriesParts { writer: self }
    }

    /// Appends what a family is.
    pub fn metadata(&mut self, metadata: &Metadata<'_>) {
        self.series.clear();
        write_varint(&mut self.series, 1, metadata.kind.number());
        for (number, text) in [(2, metadata.family), (4, metadata.help), (5, metadata.unit)] {
            if !text.is_empty() {
                write_bytes(&mut self.series, number, text.as_bytes());
            }
        }
        write_bytes(&mut self.out, 3, &self.series);
        self.written.metadata += 1;
    }

    /// Appends a series that is encoded already, with everything in it.
    pub(super) fn raw_series(&mut self, series: &[u8], written: Written) {
        write_bytes(&mut self.out, 1, series);
        self.written += written;
    }

    /// The request; the writer is empty afterwards.
    pub fn take(&mut self) -> (Vec<u8>, Written) {
        (
            std::mem::take(&mut self.out),
            std::mem::take(&mut self.written),
        )
    }
}

/// A series that is being written.
#[derive(Debug)]
pub struct SeriesParts<'w> {
    writer: &'w mut SeriesWriter,
}

impl SeriesParts<'_> {
    /// Appends a number.
    pub fn sample(self, value: f64, timestamp: i64, start: Option<i64>) -> Self {
        write_sample(&mut self.writer.series, value, timestamp, start);
        self.writer.written.samples += 1;
        self
    }

    /// Appends a native histogram in the encoding of remote write, without its timestamps.
    pub fn histogram(self, encoded: &[u8], timestamp: i64, start: Option<i64>) -> Self {
        let time = 1 + varint::len(timestamp as u64);
        let start_len = start.map_or(0, |start| 2 + varint::len(start as u64));
        let series = &mut self.writer.series;
        series.push(0x22);
        varint::write(series, (encoded.len() + time + start_len) as u64);
        series.extend_from_slice(encoded);
        write_varint(series, 15, timestamp as u64);
        if let Some(start) = start {
            write_varint(series, 17, start as u64);
        }
        self.writer.written.histograms += 1;
        self
    }

    /// Appends an exemplar whose labels are encoded.
    pub fn exemplar(self, labels: &[u8], value: f64, timestamp: i64) -> Self {
        let length = labels.len() + 9 + 1 + varint::len(timestamp as u64);
        let series = &mut self.writer.series;
        series.push(0x1a);
        varint::write(series, length as u64);
        series.extend_from_slice(labels);
        write_double(series, 2, value);
        write_varint(series, 3, timestamp as u64);
        self.writer.written.exemplars += 1;
        self
    }

    /// Ends the series.
    pub fn finish(self) {
        write_bytes(&mut self.writer.out, 1, &self.writer.series);
    }
}

/// Bytes of an encoded sample, without key and length.
fn sample_len(timestamp: i64, start: Option<i64>) -> usize {
    let start = start.map_or(0, |start| 1 + varint::len(start as u64));
    9 + 1 + varint::len(timestamp as u64) + start
}

/// Appends a sample as field 2 of a series.
#[inline]
fn write_sample(out: &mut Vec<u8>, value: f64, timestamp: i64, start: Option<i64>) {
    out.push(0x12);
    // At most 31, which is one byte.
    out.push(sample_len(timestamp, start) as u8);
    write_double(out, 1, value);
    write_varint(out, 2, timestamp as u64);
    if let Some(start) = start {
        write_varint(out, 3, start as u64);
    }
}
