//! A request as Corten keeps it, into remote write 2.0.

use std::collections::HashMap;

use super::histogram::{write_bytes, write_varint};
use super::labels::pair;
use super::symbols::Symbols;
use super::{Labels, MetricKind, NAME};
use crate::field::{self, Fields, Value};
use crate::varint;

/// Ends of the names that the series of one family have.
const SUFFIXES: [&str; 4] = ["_bucket", "_count", "_sum", "_total"];

/// Makes requests of 2.0. One is used again and again, so that its tables stay.
#[derive(Clone, Debug, Default)]
pub struct Translator {
    symbols: Symbols,
    series: Vec<u8>,
    one: Vec<u8>,
    refs: Vec<u8>,
}

impl Translator {
    /// A translator.
    pub fn new() -> Self {
        Self::default()
    }

    /// The encoded `io.prometheus.write.v2.Request` for `body`, a checked request as Corten keeps it.
    /// Each series has the metadata that the same request has for its name.
    pub fn translate(&mut self, body: &[u8]) -> Vec<u8> {
        self.symbols.clear();
        self.series.clear();
        let families = self.families(body);
        for series in field::all(body, 1) {
            self.one.clear();
            self.labels(series);
            for field in Fields::new(series) {
                match (field.number, field.value) {
                    (2, Value::Bytes(sample)) => write_bytes(&mut self.one, 2, sample),
                    (4, Value::Bytes(histogram)) => write_bytes(&mut self.one, 3, histogram),
                    (3, Value::Bytes(exemplar)) => self.exemplar(exemplar),
                    _ => {}
                }
            }
            if !families.is_empty() {
                let name = name_of(series);
                if let Some(family) = family_of(name, &families) {
                    write_bytes(&mut self.one, 5, family);
                }
            }
            write_bytes(&mut self.series, 5, &self.one);
        }
        let mut request = Vec::with_capacity(self.series.len() * 2);
        for symbol in self.symbols.iter() {
            write_bytes(&mut request, 4, symbol.as_bytes());
        }
        request.extend_from_slice(&self.series);
        request
    }

    /// The encoded metadata of each family that the request has some for.
    fn families<'a>(&mut self, body: &'a [u8]) -> HashMap<&'a str, Vec<u8>> {
        field::all(body, 3)
            .map(|metadata| {
                let mut encoded = Vec::new();
                write_varint(&mut encoded, 1, field::varint(metadata, 1));
                let help = self.symbols.place(field::text(metadata, 4));
                let unit = self.symbols.place(field::text(metadata, 5));
                write_varint(&mut encoded, 3, help.into());
                write_varint(&mut encoded, 4, unit.into());
                (field::text(metadata, 2), encoded)
            })
            .collect()
    }

    fn labels(&mut self, series: &[u8]) {
        self.refs.clear();
        for (name, value) in field::all(series, 1).filter_map(pair) {
            for text in [name, value] {
                let place = self.symbols.place(text);
                varint::write(&mut self.refs, place.into());
            }
        }
        write_bytes(&mut self.one, 1, &self.refs);
    }

    fn exemplar(&mut self, exemplar: &[u8]) {
        self.refs.clear();
        for (name, value) in field::all(exemplar, 1).filter_map(pair) {
            for text in [name, value] {
                let place = self.symbols.place(text);
                varint::write(&mut self.refs, place.into());
            }
        }
        let mut encoded = Vec::with_capacity(self.refs.len() + 24);
        write_bytes(&mut encoded, 1, &self.refs);
        for field in Fields::new(exemplar).filter(|field| matches!(field.number, 2 | 3)) {
            encoded.extend_from_slice(field.raw);
        }
        write_bytes(&mut self.one, 4, &encoded);
    }
}

/// The name of an encoded series.
fn name_of(series: &[u8]) -> &str {
    field::all(series, 1)
        .filter_map(pair)
        .find(|(name, _)| *name == NAME)
        .map_or("", |(_, name)| name)
}

/// The family that a series of that name belongs to, of those that are known.
fn family_of<'f>(name: &str, families: &'f HashMap<&str, Vec<u8>>) -> Option<&'f Vec<u8>> {
    families.get(name).or_else(|| {
        SUFFIXES
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find_map(|stem| families.get(stem))
    })
}

/// The family that a series belongs to, by its own name and kind: histograms and summaries have
/// several series.
pub(super) fn family_name(name: &str, kind: MetricKind) -> &str {
    let suffixes: &[&str] = match kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram => &SUFFIXES[..3],
        MetricKind::Summary => &SUFFIXES[1..3],
        _ => &[],
    };
    suffixes
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}

/// Names and values of encoded labels, for messages.
pub(super) fn show(labels: &[u8]) -> String {
    Labels::new(labels).to_string()
}
