//! Views of a request as Corten keeps it: nothing is copied.

use super::Labels;
use super::labels::pair;
use crate::field::{self, Fields};

/// A series in a request.
#[derive(Clone, Copy, Debug)]
pub struct SeriesView<'a> {
    message: &'a [u8],
}

/// A number at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleView {
    /// The number.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// When counting began, in milliseconds since 1970; 0 when unknown.
    pub start: i64,
}

/// The series of a request, in its order.
pub fn series(body: &[u8]) -> impl Iterator<Item = SeriesView<'_>> {
    field::all(body, 1).map(|message| SeriesView { message })
}

impl<'a> SeriesView<'a> {
    /// Its labels.
    pub fn labels(self) -> Labels<'a> {
        // They come first, one behind the other.
        let mut fields = Fields::new(self.message);
        let mut end = 0;
        while let Some(found) = fields.next() {
            if found.number != 1 {
                break;
            }
            end = fields.offset();
        }
        Labels::new(&self.message[..end])
    }

    /// Its numbers.
    pub fn samples(self) -> impl Iterator<Item = SampleView> + 'a {
        field::all(self.message, 2).map(|sample| SampleView {
            value: f64::from_bits(field::fixed64(sample, 1)),
            timestamp: field::varint(sample, 2) as i64,
            start: field::varint(sample, 3) as i64,
        })
    }

    /// Its native histograms, encoded.
    pub fn histograms(self) -> impl Iterator<Item = HistogramView<'a>> {
        field::all(self.message, 4).map(|message| HistogramView { message })
    }

    /// Its exemplars.
    pub fn exemplars(self) -> impl Iterator<Item = ExemplarView<'a>> {
        field::all(self.message, 3).map(|message| ExemplarView { message })
    }
}

/// A native histogram in a request.
#[derive(Clone, Copy, Debug)]
pub struct HistogramView<'a> {
    message: &'a [u8],
}

impl<'a> HistogramView<'a> {
    /// All its bytes.
    pub fn encoded(self) -> &'a [u8] {
        self.message
    }

    /// How many observations there are.
    pub fn count(self) -> f64 {
        match Fields::new(self.message).any(|field| field.number == 2) {
            true => f64::from_bits(field::fixed64(self.message, 2)),
            false => field::varint(self.message, 1) as f64,
        }
    }

    /// Their sum; the marker for the end of a series is in it.
    pub fn sum(self) -> f64 {
        f64::from_bits(field::fixed64(self.message, 3))
    }

    /// Milliseconds since 1970.
    pub fn timestamp(self) -> i64 {
        field::varint(self.message, 15) as i64
    }
}

/// An exemplar in a request.
#[derive(Clone, Copy, Debug)]
pub struct ExemplarView<'a> {
    message: &'a [u8],
}

impl<'a> ExemplarView<'a> {
    /// Names and values of its labels.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        field::all(self.message, 1).filter_map(pair)
    }

    /// What was measured.
    pub fn value(self) -> f64 {
        f64::from_bits(field::fixed64(self.message, 2))
    }

    /// Milliseconds since 1970.
    pub fn timestamp(self) -> i64 {
        field::varint(self.message, 3) as i64
    }
}
