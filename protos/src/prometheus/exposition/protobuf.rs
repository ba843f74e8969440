//! Delimited `io.prometheus.client.MetricFamily` messages, read metric by metric.
//!
//! A family may have a hundred thousand metrics, so it is not kept: its name and type come first (all
//! encoders write fields in the order of their numbers), and then one metric at a time is in memory.
//! A metric gives the series that the text formats would have: `_count`, `_sum`, buckets, quantiles.

use std::str;

use super::Options;
use super::entry::{Entry, Exemplar, Exemplars, Histogram, Sample, Series, Text};
use super::fault::{ParseError, Place, Problem};
use crate::field::{self, Fields, Value};
use crate::prometheus::{MetricKind, check_histogram, histogram};
use crate::varint;

/// Ends the family's name in the bytes that stand for a series; no text has it. The fields behind it
/// are the metric's labels, and the numbers that buckets and quantiles have.
pub(super) const NAME_END: u8 = 0xff;

/// The field of a label, as in `Metric`.
pub(super) const LABEL: u32 = 1;

/// The field of a bucket's upper bound.
pub(super) const BOUND: u32 = 2;

/// The field of a quantile.
pub(super) const QUANTILE: u32 = 3;

/// The most bytes of a varint.
const VARINT_BYTES: usize = 10;

/// Reads delimited families.
#[derive(Debug)]
pub(super) struct Protobuf {
    buffer: Vec<u8>,
    /// Where the next field, or the metric that is being given back, begins.
    at: usize,
    /// Bytes of the exposition before the buffer.
    before: u64,
    /// Bytes of the family from `at` on; none between families.
    left: Option<u64>,
    family: Family,
    metric: Option<Metric>,
    /// The bytes that stand for the series that was given last.
    key: Vec<u8>,
    /// The native histogram that was given last.
    histogram: Vec<u8>,
    options: Options,
    finished: bool,
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: Option<Kind>,
    /// Whether one of its metrics was read.
    begun: bool,
}

/// The types of `io.prometheus.client`, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
}

/// A metric in the buffer of which some series were given. Places are counted from its beginning.
#[derive(Clone, Debug)]
struct Metric {
    /// All its bytes, key and length included.
    length: usize,
    /// Where its message begins.
    start: usize,
    /// Its value's message.
    value: std::ops::Range<usize>,
    timestamp: Option<i64>,
    start_timestamp: Option<i64>,
    next: Step,
}

/// The series that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Number,
    Native,
    Count,
    Sum,
    /// The bucket or quantile at that place in the value or behind it, and whether an infinite one was
    /// among those before.
    Part(usize, bool),
    Done,
}

/// What is in the buffer at the place that was asked for.
enum Found {
    /// Not enough.
    More,
    /// A field of the family: number, value, its whole length.
    Field(u32, Option<std::ops::Range<usize>>, u64, usize),
}

impl Protobuf {
    pub(super) fn new(options: Options) -> Self {
        Self {
            buffer: Vec::new(),
            at: 0,
            before: 0,
            left: None,
            family: Family::default(),
            metric: None,
            key: Vec::new(),
            histogram: Vec::new(),
            options,
            finished: false,
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.at);
        self.before += self.at as u64;
        self.at = 0;
        self.buffer.extend_from_slice(chunk);
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, ParseError> {
        loop {
            if let Some(step) = self.step()? {
                return Ok(Some(self.entry(step)));
            }
            let Some(left) = self.left else {
                match self.family_length()? {
                    Some(()) => continue,
                    None => return Ok(None),
                }
            };
            if left == 0 {
                self.left = None;
                continue;
            }
            match self.field(left)? {
                Found::More => return self.more(),
                Found::Field(number, range, value, length) => {
                    if let Some(entry) = self.take_field(number, range, value, length)? {
                        return Ok(Some(self.metadata(&entry)));
                    }
                }
            }
        }
    }

    /// Nothing, because bytes are missing, unless there are to be none.
    fn more(&self) -> Result<Option<Entry<'static>>, ParseError> {
        match self.finished {
            true => Err(self.error(Problem::Unfinished)),
            false => Ok(None),
        }
    }

    /// Reads the length of a family; none if it is not there yet.
    fn family_length(&mut self) -> Result<Option<()>, ParseError> {
        if self.at == self.buffer.len() {
            return Ok(None);
        }
        let Some((length, end)) = varint::read(&self.buffer, self.at) else {
            return self.missing_varint().map(|()| None);
        };
        self.at = end;
        self.left = Some(length);
        self.family = Family::default();
        Ok(Some(()))
    }

    /// A varint that cannot be read is broken if all its bytes are there.
    fn missing_varint(&self) -> Result<(), ParseError> {
        match (self.buffer.len() - self.at >= VARINT_BYTES, self.finished) {
            (true, _) => Err(self.error(Problem::Wire)),
            (_, true) => Err(self.error(Problem::Unfinished)),
            _ => Ok(()),
        }
    }

    /// The field at `at` of a family that has `left` bytes more.
    fn field(&self, left: u64) -> Result<Found, ParseError> {
        let wire = || self.error(Problem::Wire);
        let end = usize::try_from(left)
            .ok()
            .and_then(|left| self.at.checked_add(left))
            .unwrap_or(usize::MAX);
        let whole = end <= self.buffer.len();
        let window = if whole {
            &self.buffer[..end]
        } else {
            &self.buffer[..]
        };
        let more = |_: ()| if whole { Err(wire()) } else { Ok(Found::More) };
        let Some((key, value)) = varint::read(window, self.at) else {
            return self.missing_varint().and_then(more);
        };
        let number = u32::try_from(key >> 3).map_err(|_| wire())?;
        let (range, plain, stop) = match key & 7 {
            0 => match varint::read(window, value) {
                Some((plain, stop)) => (None, plain, stop),
                None if self.buffer.len() - value >= VARINT_BYTES => return Err(wire()),
                None => return more(()),
            },
            1 => (None, 0, value + 8),
            5 => (None, 0, value + 4),
            2 => {
                let Some((length, start)) = varint::read(window, value) else {
                    return match self.buffer.len() - value >= VARINT_BYTES {
                        true => Err(wire()),
                        false => more(()),
                    };
                };
                if length > self.options.line_bytes as u64 {
                    return Err(self.error(Problem::Length(self.options.line_bytes)));
                }
                let stop = start + length as usize;
                (Some(start..stop), 0, stop)
            }
            _ => return Err(wire()),
        };
        if stop > end {
            return Err(wire());
        }
        if stop > self.buffer.len() {
            return Ok(Found::More);
        }
        Ok(Found::Field(number, range, plain, stop - self.at))
    }

    /// Goes on behind a field of the family. What it says, if it is for others.
    fn take_field(
        &mut self,
        number: u32,
        range: Option<std::ops::Range<usize>>,
        value: u64,
        length: usize,
    ) -> Result<Option<Said>, ParseError> {
        let is_late = self.family.begun && matches!(number, 1 | 3);
        if is_late || (matches!(number, 2 | 4 | 5) && self.family.name.is_empty()) {
            return Err(self.error(Problem::Order));
        }
        let said = match (number, range) {
            (1, Some(range)) => {
                self.family.name = self.text(range)?.to_owned();
                match self.family.name.is_empty() {
                    true => return Err(self.error(Problem::EmptyName)),
                    false => None,
                }
            }
            (2, Some(range)) => Some(Said::Help(self.text(range)?.to_owned())),
            (5, Some(range)) => match self.text(range)? {
                "" => None,
                unit => Some(Said::Unit(unit.to_owned())),
            },
            (3, None) => {
                let kind = Kind::from_number(value).ok_or_else(|| self.error(Problem::Kind))?;
                self.family.kind = Some(kind);
                (!self.family.name.is_empty()).then_some(Said::Kind)
            }
            (4, Some(range)) => {
                // Encoders of proto3 leave out the type 0, which is counter.
                let unsaid = self.family.kind.is_none();
                self.family.kind.get_or_insert(Kind::Counter);
                self.family.begun = true;
                let metric = self.open(range, length);
                self.metric = Some(metric.map_err(|problem| self.error(problem))?);
                self.left = self.left.map(|left| left - length as u64);
                return Ok(unsaid.then_some(Said::Kind));
            }
            (1..=5, _) => return Err(self.error(Problem::Wire)),
            _ => None,
        };
        self.at += length;
        self.left = self.left.map(|left| left - length as u64);
        Ok(said)
    }

    fn text(&self, range: std::ops::Range<usize>) -> Result<&str, ParseError> {
        str::from_utf8(&self.buffer[range]).map_err(|_| self.error(Problem::Utf8))
    }

    /// Looks at the metric whose message is at `range`, and whose field has `length` bytes.
    fn open(&self, range: std::ops::Range<usize>, length: usize) -> Result<Metric, Problem> {
        let message = &self.buffer[range.clone()];
        let kind = self.family.kind.unwrap_or(Kind::Counter);
        let start = range.start - self.at;
        // A metric without its value has the value 0, as its decoders say.
        let mut value = start..start;
        let mut timestamp = None;
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next() {
            match (field.number, field.value) {
                (LABEL, Value::Bytes(label)) => check_label(label)?,
                (6, Value::Varint(time)) => timestamp = (time != 0).then_some(time as i64),
                (number, Value::Bytes(content)) if number == kind.field() => {
                    let end = start + fields.offset();
                    value = end - content.len()..end;
                }
                (1..=7, _) if field.number == kind.field() => return Err(Problem::Wire),
                _ => {}
            }
        }
        fields.finish().map_err(|_| Problem::Wire)?;
        let content = &self.buffer[self.at..][value.clone()];
        whole(content)?;
        let native =
            kind.is_histogram() && self.options.native_histograms && histogram::is_native(content);
        Ok(Metric {
            length,
            start,
            timestamp,
            start_timestamp: kind
                .start_field()
                .and_then(|number| field::bytes(content, number))
                .map(milliseconds),
            value,
            next: match kind {
                _ if native => Step::Native,
                Kind::Counter | Kind::Gauge | Kind::Untyped => Step::Number,
                _ => Step::Count,
            },
        })
    }

    /// The step that comes next in the open metric, and moves on; closes the metric behind its last.
    fn step(&mut self) -> Result<Option<Step>, ParseError> {
        let Some(metric) = &self.metric else {
            return Ok(None);
        };
        let value = &self.buffer[self.at..][metric.value.clone()];
        let (parts, is_histogram) = match self.family.kind {
            Some(kind) => (3, kind.is_histogram()),
            None => (3, false),
        };
        let step = metric.next;
        let next = match step {
            Step::Native
                if self.options.classic_histograms && field::bytes(value, parts).is_some() =>
            {
                Step::Count
            }
            Step::Number | Step::Native => Step::Done,
            Step::Count => Step::Sum,
            Step::Sum => next_part(value, 0, is_histogram, false),
            Step::Part(at, infinite) => match part(value, at) {
                Some((message, end)) => {
                    whole(message).map_err(|problem| self.error(problem))?;
                    let is_infinite = is_histogram && bound(message) == f64::INFINITY;
                    next_part(value, end, is_histogram, infinite || is_infinite)
                }
                // The bucket that all observations are in, which may be left out.
                None => Step::Done,
            },
            Step::Done => {
                self.at += metric.length;
                self.metric = None;
                return Ok(None);
            }
        };
        if step == Step::Native {
            let is_gauge = self.family.kind == Some(Kind::GaugeHistogram);
            self.histogram.clear();
            histogram::translate(value, is_gauge, &mut self.histogram);
            let checked = check_histogram(&self.histogram);
            checked.map_err(|fault| self.error(Problem::Histogram(fault.as_str())))?;
        }
        if let Some(metric) = &mut self.metric {
            metric.next = next;
        }
        Ok(Some(step))
    }

    /// The entry of a step of the open metric.
    fn entry(&mut self, step: Step) -> Entry<'_> {
        let Some(metric) = self.metric.clone() else {
            return self.metadata(&Said::Kind);
        };
        let kind = self.family.kind.unwrap_or(Kind::Counter);
        self.write_key(step, kind, &metric);
        let bytes = &self.buffer[self.at..];
        let value = &bytes[metric.value.clone()];
        let series = Series::of_protobuf(&self.key);
        let (timestamp, start) = (metric.timestamp, metric.start_timestamp);
        if step == Step::Native {
            return Entry::Histogram(Histogram {
                series,
                encoded: &self.histogram,
                timestamp,
                start,
                exemplars: Exemplars::new(value),
            });
        }
        let part = match step {
            Step::Part(at, _) => part(value, at).map(|(message, _)| message),
            _ => None,
        };
        let exemplar = match (kind, step) {
            (Kind::Counter, _) => field::bytes(value, 2),
            (_, Step::Part(..)) if kind.is_histogram() => {
                part.and_then(|part| field::bytes(part, 3))
            }
            _ => None,
        };
        Entry::Sample(Sample {
            series,
            value: number(step, kind, value, part),
            timestamp,
            start,
            exemplar: exemplar.map(Exemplar::of_protobuf),
            is_created: false,
        })
    }

    /// Puts together the bytes that stand for a series.
    fn write_key(&mut self, step: Step, kind: Kind, metric: &Metric) {
        let bytes = &self.buffer[self.at..];
        let value = &bytes[metric.value.clone()];
        self.key.clear();
        self.key.extend_from_slice(self.family.name.as_bytes());
        let suffix = match step {
            Step::Count => "_count",
            Step::Sum => "_sum",
            Step::Part(..) if kind.is_histogram() => "_bucket",
            _ => "",
        };
        self.key.extend_from_slice(suffix.as_bytes());
        self.key.push(NAME_END);
        let end = metric.length;
        for label in Fields::new(&bytes[metric.start..end]).filter(|field| field.number == LABEL) {
            self.key.extend_from_slice(label.raw);
        }
        if let Step::Part(at, _) = step {
            let number = match kind.is_histogram() {
                true => part(value, at).map_or(f64::INFINITY, |(bucket, _)| bound(bucket)),
                false => part(value, at).map_or(0.0, |(quantile, _)| double(quantile, 1)),
            };
            let field = if kind.is_histogram() { BOUND } else { QUANTILE };
            self.key.push((field << 3 | 1) as u8);
            self.key.extend_from_slice(&number.to_bits().to_le_bytes());
        }
    }

    fn metadata(&mut self, said: &Said) -> Entry<'_> {
        // The text that was said is kept where histograms are, which are not asked for at that time.
        self.histogram.clear();
        let kind = self
            .family
            .kind
            .map_or(MetricKind::Unknown, Kind::metric_kind);
        let family = &self.family.name;
        if let Said::Help(text) | Said::Unit(text) = said {
            self.histogram.extend_from_slice(text.as_bytes());
        }
        let (family, text) = (
            Text::verbatim(family.as_bytes()),
            Text::verbatim(&self.histogram),
        );
        match said {
            Said::Help(_) => Entry::Help { family, help: text },
            Said::Unit(_) => Entry::Unit { family, unit: text },
            Said::Kind => Entry::Kind { family, kind },
        }
    }

    #[cold]
    fn error(&self, problem: Problem) -> ParseError {
        let place = Place::Byte(self.before + self.at as u64);
        ParseError::new(problem, place, &[])
    }
}

/// What a field of a family says.
enum Said {
    Help(String),
    Unit(String),
    Kind,
}

impl Kind {
    fn from_number(number: u64) -> Option<Self> {
        [
            Self::Counter,
            Self::Gauge,
            Self::Summary,
            Self::Untyped,
            Self::Histogram,
            Self::GaugeHistogram,
        ]
        .get(usize::try_from(number).ok()?)
        .copied()
    }

    fn is_histogram(self) -> bool {
        matches!(self, Self::Histogram | Self::GaugeHistogram)
    }

    /// The field of a metric that has its value.
    fn field(self) -> u32 {
        match self {
            Self::Gauge => 2,
            Self::Counter => 3,
            Self::Summary => 4,
            Self::Untyped => 5,
            Self::Histogram | Self::GaugeHistogram => 7,
        }
    }

    /// The field of its value that says when counting began.
    fn start_field(self) -> Option<u32> {
        match self {
            Self::Counter => Some(3),
            Self::Summary => Some(4),
            Self::Histogram | Self::GaugeHistogram => Some(15),
            Self::Gauge | Self::Untyped => None,
        }
    }

    fn metric_kind(self) -> MetricKind {
        match self {
            Self::Counter => MetricKind::Counter,
            Self::Gauge => MetricKind::Gauge,
            Self::Summary => MetricKind::Summary,
            Self::Untyped => MetricKind::Unknown,
            Self::Histogram => MetricKind::Histogram,
            Self::GaugeHistogram => MetricKind::GaugeHistogram,
        }
    }
}

/// The number of a series.
fn number(step: Step, kind: Kind, value: &[u8], part: Option<&[u8]>) -> f64 {
    let is_histogram = kind.is_histogram();
    let count = || match (is_histogram, double(value, 4)) {
        (true, float) if float != 0.0 => float,
        _ => field::varint(value, 1) as f64,
    };
    match (step, part) {
        (Step::Count, _) => count(),
        (Step::Sum, _) => double(value, 2),
        (Step::Part(..), Some(part)) if is_histogram => match double(part, 4) {
            0.0 => field::varint(part, 1) as f64,
            float => float,
        },
        (Step::Part(..), Some(part)) => double(part, 2),
        (Step::Part(..), None) => count(),
        _ => double(value, 1),
    }
}

/// The step for the bucket or quantile at or behind `at`, or for the bucket that is left out.
fn next_part(value: &[u8], at: usize, is_histogram: bool, infinite: bool) -> Step {
    match part(value, at) {
        None if !is_histogram || infinite => Step::Done,
        _ => Step::Part(at, infinite),
    }
}

/// The bucket or quantile at or behind `at`, which is field 3 of both, and where it ends.
fn part(value: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut fields = Fields::new(value.get(at..)?);
    while let Some(field) = fields.next() {
        if let (3, Value::Bytes(message)) = (field.number, field.value) {
            return Some((message, at + fields.offset()));
        }
    }
    None
}

fn bound(bucket: &[u8]) -> f64 {
    double(bucket, 2)
}

fn double(message: &[u8], number: u32) -> f64 {
    f64::from_bits(field::fixed64(message, number))
}

/// Milliseconds of an encoded `google.protobuf.Timestamp`.
pub(super) fn milliseconds(timestamp: &[u8]) -> i64 {
    let seconds = field::varint(timestamp, 1) as i64;
    let nanos = field::varint(timestamp, 2) as i64;
    seconds
        .saturating_mul(1000)
        .saturating_add(nanos / 1_000_000)
}

fn check_label(label: &[u8]) -> Result<(), Problem> {
    let mut name = &[][..];
    let mut fields = Fields::new(label);
    for field in &mut fields {
        if let Value::Bytes(text) = field.value {
            str::from_utf8(text).map_err(|_| Problem::Utf8)?;
            if field.number == 1 {
                name = text;
            }
        }
    }
    match (fields.finish(), name.is_empty()) {
        (Ok(()), false) => Ok(()),
        (Ok(()), true) => Err(Problem::EmptyName),
        (Err(_), _) => Err(Problem::Wire),
    }
}

/// Whether a message can be read to its end.
fn whole(message: &[u8]) -> Result<(), Problem> {
    let mut fields = Fields::new(message);
    fields.by_ref().for_each(drop);
    fields.finish().map_err(|_| Problem::Wire)
}
