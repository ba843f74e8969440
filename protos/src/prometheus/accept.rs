//! Requests that others send: checked, brought into the form in which Corten keeps series, without the
//! series that break the rules.
//!
//! A request that keeps all rules and is of 1.0 stays the bytes it was, so whoever holds it compressed
//! may keep it so. Series that only their sender's carelessness separates from a good one (labels out
//! of order, empty values) are put right, as Prometheus does; others are left out and counted, as the
//! specification of 2.0 asks for.

use std::collections::HashSet;
use std::ops::AddAssign;

use super::histogram::{check_histogram, varints, write_bytes};
use super::labels::{LabelSet, pair, write_label};
use super::translate::{family_name, show};
use super::write::{Metadata, SeriesWriter};
use super::{MetricKind, NAME};
use crate::check::check_message;
use crate::field::{self, Fields, Value};
use crate::schema::Name;
use crate::{Budget, Counts, WireError};

/// Bytes of a message about rejected series: it goes to a client and to a log.
const MESSAGE_BYTES: usize = 300;

/// A version of remote write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// How much is in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Samples that are numbers.
    pub samples: u64,
    /// Samples that are native histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Families that are described.
    pub metadata: u64,
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.histograms += other.histograms;
        self.exemplars += other.exemplars;
        self.metadata += other.metadata;
    }
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What was taken.
    pub written: Written,
    /// Samples and histograms that were not.
    pub rejected: u64,
    /// Why the first of them was not, in words for the client.
    pub reason: Option<String>,
    /// The request as Corten keeps it; none if the one that came is that already.
    pub body: Option<Vec<u8>>,
}

/// Whether `body` is a request of that version, within a budget, and how much is in it: samples and
/// histograms are the items, series the resources.
///
/// # Errors
///
/// When the body is malformed, or holds more than `budget` allows.
pub fn check_write(version: Version, body: &[u8], budget: &Budget) -> Result<Counts, WireError> {
    let root = match version {
        Version::V1 => Name::WriteRequest,
        Version::V2 => Name::WriteRequestV2,
    };
    check_message(root, body, budget)
}

/// Takes a request: what [`check_write`] checks, and the rules of every series.
///
/// # Errors
///
/// When the body is malformed, or holds more than `budget` allows; nothing of it is taken then.
pub fn accept(version: Version, body: &[u8], budget: &Budget) -> Result<Accepted, WireError> {
    let counts = check_write(version, body, budget)?;
    Ok(match version {
        Version::V1 => accept_v1(body),
        Version::V2 => accept_v2(body, counts.resources as usize),
    })
}

/// What is wrong with a series.
#[derive(Clone, Debug)]
enum Fault {
    NoName,
    Empty,
    Mixed,
    Duplicate(String),
    Reference,
    Histogram(&'static str),
    EmptyLabelName,
}

impl Fault {
    /// A sentence about the series whose labels are encoded in `labels`.
    fn sentence(&self, labels: &[u8]) -> String {
        let what = match self {
            Self::NoName => "the series has no name".to_owned(),
            Self::Empty => "the series has neither samples nor histograms".to_owned(),
            Self::Mixed => "the series has both samples and histograms".to_owned(),
            Self::Duplicate(name) => format!("label {name:?} is there twice"),
            Self::Reference => {
                "a reference points to no symbol, or a label has no value".to_owned()
            }
            Self::Histogram(what) => format!("native histogram: {what}"),
            Self::EmptyLabelName => "a label has no name".to_owned(),
        };
        let mut sentence = format!("{what}: {}", show(labels));
        if sentence.len() > MESSAGE_BYTES {
            let end = sentence.floor_char_boundary(MESSAGE_BYTES);
            sentence.truncate(end);
            sentence.push_str("...");
        }
        sentence
    }
}

impl Accepted {
    fn reject(&mut self, items: u64, fault: &Fault, labels: &[u8]) {
        self.rejected += items;
        self.reason.get_or_insert_with(|| fault.sentence(labels));
    }
}

/// What a look at the labels of a series says.
enum Order {
    /// They are as they should be.
    Good,
    /// They must be sorted, or have empty values.
    Careless,
}

fn accept_v1(body: &[u8]) -> Accepted {
    let mut accepted = Accepted::default();
    let mut set = LabelSet::new();
    // The bytes before the first series that cannot stay as it is need no writer.
    let mut writer: Option<Vec<u8>> = None;
    let mut fields = Fields::new(body);
    let mut at = 0;
    while let Some(field) = fields.next() {
        let start = std::mem::replace(&mut at, fields.offset());
        let keep = match (field.number, field.value) {
            (1, Value::Bytes(series)) => {
                let written = count_v1(series);
                match (look(series), check_series(series, &written)) {
                    (Ok(Order::Good), Ok(())) => {
                        accepted.written += written;
                        true
                    }
                    (Ok(Order::Careless), Ok(())) => {
                        let out = writer.get_or_insert_with(|| body[..start].to_vec());
                        match rewrite(series, &mut set, out) {
                            Ok(()) => accepted.written += written,
                            Err(fault) => {
                                accepted.reject(written.items(), &fault, series);
                            }
                        }
                        continue;
                    }
                    (Err(fault), _) | (_, Err(fault)) => {
                        accepted.reject(written.items(), &fault, series);
                        false
                    }
                }
            }
            (3, Value::Bytes(_)) => {
                accepted.written.metadata += 1;
                true
            }
            _ => false,
        };
        match (&mut writer, keep) {
            (Some(out), true) => out.extend_from_slice(field.raw),
            (None, false) => writer = Some(body[..start].to_vec()),
            _ => {}
        }
    }
    accepted.body = writer;
    accepted
}

impl Written {
    /// Samples and histograms.
    pub fn items(&self) -> u64 {
        self.samples + self.histograms
    }
}

fn count_v1(series: &[u8]) -> Written {
    let mut written = Written::default();
    for field in Fields::new(series) {
        match field.number {
            2 => written.samples += 1,
            3 => written.exemplars += 1,
            4 => written.histograms += 1,
            _ => {}
        }
    }
    written
}

/// Looks whether the labels of a series of 1.0 are in order.
fn look(series: &[u8]) -> Result<Order, Fault> {
    let mut order = Order::Good;
    let mut before = "";
    let mut named = false;
    for label in field::all(series, 1) {
        let Some((name, value)) = pair(label) else {
            continue;
        };
        if name.is_empty() {
            return Err(Fault::EmptyLabelName);
        }
        if name == before {
            return Err(Fault::Duplicate(name.to_owned()));
        }
        if name < before || value.is_empty() {
            order = Order::Careless;
        }
        named |= name == NAME && !value.is_empty();
        before = name;
    }
    match named {
        true => Ok(order),
        false => Err(Fault::NoName),
    }
}

fn check_series(series: &[u8], written: &Written) -> Result<(), Fault> {
    if written.items() == 0 && written.exemplars == 0 {
        return Err(Fault::Empty);
    }
    field::all(series, 4).try_for_each(check_one)
}

fn check_one(histogram: &[u8]) -> Result<(), Fault> {
    check_histogram(histogram).map_err(|fault| Fault::Histogram(fault.as_str()))
}

/// Appends a series of 1.0 with its labels put right.
fn rewrite(series: &[u8], set: &mut LabelSet, out: &mut Vec<u8>) -> Result<(), Fault> {
    set.clear();
    for (name, value) in field::all(series, 1).filter_map(pair) {
        set.push(name, value);
    }
    let mut whole = Vec::with_capacity(series.len());
    set.encode(&mut whole)
        .map_err(|duplicate| Fault::Duplicate(duplicate.0))?;
    for field in Fields::new(series).filter(|field| field.number != 1) {
        whole.extend_from_slice(field.raw);
    }
    write_bytes(out, 1, &whole);
    Ok(())
}

/// A request of 2.0 on its way into the form of 1.0.
struct FromV2<'a> {
    symbols: Vec<&'a str>,
    set: LabelSet,
    series: Vec<u8>,
    families: HashSet<&'a str>,
    writer: SeriesWriter,
}

fn accept_v2(body: &[u8], series_count: usize) -> Accepted {
    let symbols = field::all(body, 4)
        .map(|symbol| std::str::from_utf8(symbol).unwrap_or_default())
        .collect();
    let mut from = FromV2 {
        symbols,
        set: LabelSet::new(),
        series: Vec::new(),
        families: HashSet::with_capacity(series_count.min(64)),
        writer: SeriesWriter::new(),
    };
    let mut accepted = Accepted::default();
    for series in field::all(body, 5) {
        let written = count_v2(series);
        if let Err(fault) = from.series(series, &written) {
            accepted.reject(written.items(), &fault, &from.series);
        }
    }
    let (body, written) = from.writer.take();
    accepted.written = written;
    accepted.body = Some(body);
    accepted
}

fn count_v2(series: &[u8]) -> Written {
    let mut written = Written::default();
    for field in Fields::new(series) {
        match field.number {
            2 => written.samples += 1,
            3 => written.histograms += 1,
            4 => written.exemplars += 1,
            _ => {}
        }
    }
    written
}

impl<'a> FromV2<'a> {
    /// Takes a series over. `self.series` has its labels then, also if it is refused.
    fn series(&mut self, series: &'a [u8], written: &Written) -> Result<(), Fault> {
        self.series.clear();
        let mut labels = std::mem::take(&mut self.series);
        let done = self.labels(series, 1, &mut labels);
        self.series = labels;
        done?;
        if self.set.get(NAME).is_empty() {
            return Err(Fault::NoName);
        }
        match (written.samples > 0, written.histograms > 0) {
            (true, true) => return Err(Fault::Mixed),
            (false, false) => return Err(Fault::Empty),
            _ => {}
        }
        for field in Fields::new(series) {
            match (field.number, field.value) {
                (2, Value::Bytes(sample)) => write_bytes(&mut self.series, 2, sample),
                (3, Value::Bytes(histogram)) => {
                    check_one(histogram)?;
                    write_bytes(&mut self.series, 4, histogram);
                }
                (4, Value::Bytes(exemplar)) => self.exemplar(exemplar)?,
                _ => {}
            }
        }
        if let Some(metadata) = field::bytes(series, 5) {
            self.metadata(series, metadata)?;
        }
        self.writer.raw_series(&self.series, *written);
        Ok(())
    }

    /// Appends the labels that the references in a message name, sorted.
    fn labels(&mut self, message: &[u8], number: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.set.clear();
        let mut sorted = true;
        let mut before = "";
        let mut refs = varints(message, number);
        while let Some(name) = refs.next() {
            let name = self.symbol(name)?;
            let value = self.symbol(refs.next().ok_or(Fault::Reference)?)?;
            if name.is_empty() {
                return Err(Fault::EmptyLabelName);
            }
            sorted &= before < name;
            before = name;
            self.set.push(name, value);
        }
        if sorted {
            for (name, value) in self.set.iter().filter(|(_, value)| !value.is_empty()) {
                write_label(out, 1, name, value);
            }
            return Ok(());
        }
        let encoded = self.set.encode(out);
        encoded.map_err(|duplicate| Fault::Duplicate(duplicate.0))
    }

    fn symbol(&self, reference: u64) -> Result<&'a str, Fault> {
        usize::try_from(reference)
            .ok()
            .and_then(|reference| self.symbols.get(reference))
            .copied()
            .ok_or(Fault::Reference)
    }

    fn exemplar(&mut self, exemplar: &[u8]) -> Result<(), Fault> {
        let mut encoded = Vec::new();
        self.labels(exemplar, 1, &mut encoded)?;
        for field in Fields::new(exemplar).filter(|field| matches!(field.number, 2 | 3)) {
            encoded.extend_from_slice(field.raw);
        }
        write_bytes(&mut self.series, 3, &encoded);
        Ok(())
    }

    /// Writes what the family of a series is, once for each family.
    fn metadata(&mut self, series: &'a [u8], metadata: &[u8]) -> Result<(), Fault> {
        let kind = MetricKind::from_number(field::varint(metadata, 1));
        let help = self.symbol(field::varint(metadata, 3))?;
        let unit = self.symbol(field::varint(metadata, 4))?;
        if kind == MetricKind::Unknown && help.is_empty() && unit.is_empty() {
            return Ok(());
        }
        let mut name = "";
        let mut refs = varints(series, 1);
        while let (Some(label), Some(value)) = (refs.next(), refs.next()) {
            if self.symbol(label)? == NAME {
                name = self.symbol(value)?;
            }
        }
        let family = family_name(name, kind);
        if self.families.insert(family) {
            self.writer.metadata(&Metadata {
                family,
                kind,
                help,
                unit,
            });
        }
        Ok(())
    }
}
