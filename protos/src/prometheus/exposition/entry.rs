//! What a parser gives back: views of the bytes that it was fed.

use std::borrow::Cow;

use super::fault::Problem;
use super::line::Content;
use super::protobuf;
use super::series::{Dialect, Sink, unescape, utf8, walk, walk_exemplar};
use crate::field::{self, Fields};
use crate::prometheus::{LabelSet, MetricKind, NAME, format_float, labels, parse_float};

/// A piece of an exposition.
#[derive(Clone, Debug)]
pub enum Entry<'a> {
    /// A sentence about a family.
    Help {
        /// The family's name.
        family: Text<'a>,
        /// The sentence.
        help: Text<'a>,
    },
    /// What a family is.
    Kind {
        /// The family's name.
        family: Text<'a>,
        /// Its type.
        kind: MetricKind,
    },
    /// In what a family is measured.
    Unit {
        /// The family's name.
        family: Text<'a>,
        /// Its unit.
        unit: Text<'a>,
    },
    /// A series with a number.
    Sample(Sample<'a>),
    /// A series with a native histogram.
    Histogram(Histogram<'a>),
}

/// A text as it stands in the exposition.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a [u8],
    escapes: Escapes,
}

#[derive(Clone, Copy, Debug)]
enum Escapes {
    None,
    All,
    /// Help texts of 0.0.4, where a quote is only a quote.
    NoQuotes,
}

/// A series with a number.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// Which series.
    pub series: Series<'a>,
    /// The number.
    pub value: f64,
    /// When, in milliseconds since 1970, if the target says so.
    pub timestamp: Option<i64>,
    /// When counting began, in milliseconds since 1970. Protobuf has it here; OpenMetrics in a series
    /// of its own ([`is_created`](Self::is_created)).
    pub start: Option<i64>,
    /// One of the events that were counted.
    pub exemplar: Option<Exemplar<'a>>,
    /// Whether it is OpenMetrics' `_created`: its value is when the counting of the series before it
    /// began, in seconds since 1970.
    pub is_created: bool,
}

/// A series with a native histogram.
#[derive(Clone, Debug)]
pub struct Histogram<'a> {
    /// Which series.
    pub series: Series<'a>,
    /// The histogram as remote write encodes it, without its timestamps.
    pub encoded: &'a [u8],
    /// When, in milliseconds since 1970, if the target says so.
    pub timestamp: Option<i64>,
    /// When counting began, in milliseconds since 1970.
    pub start: Option<i64>,
    /// Some of the events that were counted.
    pub exemplars: Exemplars<'a>,
}

/// A series as its target writes it.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    raw: &'a [u8],
    form: SeriesForm,
}

#[derive(Clone, Copy, Debug)]
enum SeriesForm {
    Text(Dialect, MetricKind),
    Protobuf,
}

/// One of the events that were counted.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a> {
    /// Labels and a closing brace, or the fields of a protobuf message.
    labels: &'a [u8],
    is_text: bool,
    /// What was measured.
    pub value: f64,
    /// When, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// The exemplars of a native histogram: its own, or else those of its classic buckets. Those without a
/// time are left out, because nobody could tell them apart from old ones.
#[derive(Clone, Debug)]
pub struct Exemplars<'a> {
    fields: Fields<'a>,
    of_buckets: bool,
}

impl<'a> Entry<'a> {
    /// The entry that a line is.
    #[inline]
    pub(super) fn of_line(
        bytes: &'a [u8],
        content: Content,
        dialect: Dialect,
        kind: MetricKind,
    ) -> Self {
        let name = |range| Text {
            raw: &bytes[range],
            escapes: Escapes::All,
        };
        match content {
            Content::Sample(sample) => {
                let series = Series {
                    raw: &bytes[sample.series],
                    form: SeriesForm::Text(dialect, kind),
                };
                Self::Sample(Sample {
                    is_created: dialect == Dialect::OpenMetrics
                        && kind.has_start()
                        && series.is_created(),
                    series,
                    value: sample.value,
                    timestamp: sample.timestamp,
                    start: None,
                    exemplar: sample.exemplar.map(|place| Exemplar {
                        labels: &bytes[place.labels],
                        is_text: true,
                        value: place.value,
                        timestamp: place.timestamp,
                    }),
                })
            }
            Content::Kind { family, kind } => Self::Kind {
                family: name(family),
                kind,
            },
            Content::Unit { family, unit } => Self::Unit {
                family: name(family),
                unit: Text::verbatim(&bytes[unit]),
            },
            Content::Help { family, text } => Self::Help {
                family: name(family),
                help: Text {
                    raw: &bytes[text],
                    escapes: match dialect {
                        Dialect::Text => Escapes::NoQuotes,
                        Dialect::OpenMetrics => Escapes::All,
                    },
                },
            },
        }
    }
}

impl<'a> Text<'a> {
    /// A text without escapes.
    pub(super) fn verbatim(raw: &'a [u8]) -> Self {
        Self {
            raw,
            escapes: Escapes::None,
        }
    }

    /// What it says.
    pub fn plain(self) -> Cow<'a, str> {
        let text = utf8(self.raw);
        match self.escapes {
            Escapes::None => Cow::Borrowed(text),
            Escapes::All => unescape(text, true),
            Escapes::NoQuotes => unescape(text, false),
        }
    }
}

impl<'a> Series<'a> {
    /// A series of a metric in protobuf.
    pub(super) fn of_protobuf(raw: &'a [u8]) -> Self {
        Self {
            raw,
            form: SeriesForm::Protobuf,
        }
    }

    /// The bytes that stand for the series, the same in each scrape of its target as long as it keeps
    /// its form: what a cache is asked for.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Puts the labels into `set`, which is emptied first, `__name__` among them.
    ///
    /// # Errors
    ///
    /// If a label is there twice.
    pub fn labels(self, set: &mut LabelSet) -> Result<(), Problem> {
        set.clear();
        match self.form {
            SeriesForm::Text(dialect, kind) => {
                let mut sink = Collect {
                    set,
                    number_label: kind.number_label(),
                };
                // It was walked before, so it is well formed.
                let _ = walk(self.raw, 0, dialect, &mut sink);
            }
            SeriesForm::Protobuf => protobuf_labels(self.raw, set),
        }
        distinct(set)
    }

    /// Whether the name ends with `_created`.
    fn is_created(self) -> bool {
        const SUFFIX: &[u8] = b"_created";
        if self.raw.first() == Some(&b'{') {
            let mut name = NameEnds(SUFFIX, false);
            let _ = walk(self.raw, 0, Dialect::OpenMetrics, &mut name);
            return name.1;
        }
        let end = memchr::memchr(b'{', self.raw).unwrap_or(self.raw.len());
        self.raw[..end].ends_with(SUFFIX)
    }
}

fn distinct(set: &mut LabelSet) -> Result<(), Problem> {
    set.sort();
    let name_of = |index: usize| set.at(index).map(|(name, _)| name);
    match (1..set.len()).any(|index| name_of(index - 1) == name_of(index)) {
        true => Err(Problem::TwoLabels),
        false => Ok(()),
    }
}

/// Puts the labels that a walk finds into a set.
struct Collect<'a> {
    set: &'a mut LabelSet,
    /// The label whose value is a number.
    number_label: Option<&'static str>,
}

impl Sink for Collect<'_> {
    fn name(&mut self, name: &[u8]) {
        self.set.push(NAME, &unescape(utf8(name), true));
    }

    fn label(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (unescape(utf8(name), true), unescape(utf8(value), true));
        if self.number_label == Some(&name)
            && let Some(number) = parse_float(value.as_bytes())
        {
            let mut text = String::new();
            format_float(&mut text, number);
            return self.set.push(&name, &text);
        }
        self.set.push(&name, &value);
    }
}

/// Whether the name of a metric ends with something.
struct NameEnds(&'static [u8], bool);

impl Sink for NameEnds {
    fn name(&mut self, name: &[u8]) {
        self.1 = name.ends_with(self.0);
    }

    fn label(&mut self, _: &[u8], _: &[u8]) {}
}

fn protobuf_labels(raw: &[u8], set: &mut LabelSet) {
    let end = memchr::memchr(protobuf::NAME_END, raw).unwrap_or(raw.len());
    set.push(NAME, utf8(&raw[..end]));
    for field in Fields::new(raw.get(end + 1..).unwrap_or_default()) {
        match (field.number, field.value) {
            (protobuf::LABEL, field::Value::Bytes(label)) => {
                if let Some((name, value)) = labels::pair(label) {
                    set.push(name, value);
                }
            }
            (protobuf::BOUND, field::Value::Fixed64(bits)) => number(set, "le", bits),
            (protobuf::QUANTILE, field::Value::Fixed64(bits)) => number(set, "quantile", bits),
            _ => {}
        }
    }
}

fn number(set: &mut LabelSet, name: &str, bits: u64) {
    let mut text = String::new();
    format_float(&mut text, f64::from_bits(bits));
    set.push(name, &text);
}

impl<'a> Exemplar<'a> {
    /// The exemplar in an encoded `io.prometheus.client.Exemplar`.
    pub(super) fn of_protobuf(message: &'a [u8]) -> Self {
        Self {
            labels: message,
            is_text: false,
            value: f64::from_bits(field::fixed64(message, 2)),
            timestamp: field::bytes(message, 3).map(protobuf::milliseconds),
        }
    }

    /// Puts the labels into `set`, which is emptied first.
    ///
    /// # Errors
    ///
    /// If a label is there twice.
    pub fn labels(self, set: &mut LabelSet) -> Result<(), Problem> {
        set.clear();
        if self.is_text {
            let mut sink = Collect {
                set,
                number_label: None,
            };
            let _ = walk_exemplar(self.labels, 0, &mut sink);
        } else {
            for label in field::all(self.labels, 1).filter_map(labels::pair) {
                set.push(label.0, label.1);
            }
        }
        distinct(set)
    }
}

impl<'a> Exemplars<'a> {
    /// Those of an encoded `io.prometheus.client.Histogram`.
    pub(super) fn new(histogram: &'a [u8]) -> Self {
        Self {
            of_buckets: field::bytes(histogram, 16).is_none(),
            fields: Fields::new(histogram),
        }
    }
}

impl<'a> Iterator for Exemplars<'a> {
    type Item = Exemplar<'a>;

    fn next(&mut self) -> Option<Exemplar<'a>> {
        let of_buckets = self.of_buckets;
        self.fields.find_map(|found| {
            let message = match (found.number, of_buckets) {
                (16, false) => found.value.bytes()?,
                (3, true) => field::bytes(found.value.bytes()?, 3)?,
                _ => return None,
            };
            let exemplar = Exemplar::of_protobuf(message);
            exemplar.timestamp.map(|_| exemplar)
        })
    }
}
