//! What targets expose: the text format 0.0.4, OpenMetrics 1.0, and delimited protobuf.
//!
//! A parser takes bytes as they come and gives back entries as soon as they are whole. It holds what
//! it was last fed and one unfinished line (in protobuf, one metric), so a body of any size takes
//! little memory:
//!
//! ```
//! # use protos::prometheus::exposition::{Entry, Format, Options, Parser};
//! let mut parser = Parser::new(Format::Text, Options::default());
//! let mut sum = 0.0;
//! for chunk in [&b"# TYPE requests counter\nreque"[..], b"sts{code=\"200\"} 3\n"] {
//!     parser.feed(chunk);
//!     while let Some(entry) = parser.next()? {
//!         if let Entry::Sample(sample) = entry {
//!             sum += sample.value;
//!         }
//!     }
//! }
//! parser.finish();
//! assert!(parser.next()?.is_none());
//! # assert_eq!(sum, 3.0);
//! # Ok::<(), protos::prometheus::exposition::ParseError>(())
//! ```
//!
//! What is accepted is what Prometheus 3 accepts, with two exceptions: line feeds in quotes are read in
//! format 0.0.4 but not in OpenMetrics, whose grammar has none, and a NUL does not end an exposition.

mod entry;
mod fault;
mod line;
mod lines;
mod protobuf;
mod series;

pub use entry::{Entry, Exemplar, Exemplars, Histogram, Sample, Series, Text};
pub use fault::{ParseError, Place, Problem};

use fault::Fault;
use line::{Content, Line};
use lines::Lines;
use protobuf::Protobuf;
use series::Dialect;

use super::MetricKind;

/// Bytes in one line of text, or one metric in protobuf, by default. The longest honest ones are
/// native histograms and info metrics with long labels, of some kilobytes.
const LINE_BYTES: usize = 1 << 20;

/// How a target exposes its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4` or `1.0.0`.
    Text,
    /// `application/openmetrics-text; version=1.0.0` or `0.0.1`.
    OpenMetrics,
    /// `application/vnd.google.protobuf` of `io.prometheus.client.MetricFamily`, each behind its length.
    Protobuf,
}

/// What a parser is to look for, and how long a line may be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that one line of text or one metric in protobuf may have.
    pub line_bytes: usize,
    /// Whether native histograms are read; otherwise their classic buckets are.
    pub native_histograms: bool,
    /// Whether the classic buckets of a native histogram are read beside it.
    pub classic_histograms: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            line_bytes: LINE_BYTES,
            native_histograms: true,
            classic_histograms: false,
        }
    }
}

/// Reads one exposition.
#[derive(Debug)]
pub struct Parser {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Lines(TextForm),
    Protobuf(Box<Protobuf>),
}

/// Either text format.
#[derive(Debug)]
struct TextForm {
    lines: Lines,
    dialect: Dialect,
    /// The type that was stated last.
    kind: MetricKind,
    /// Whether `# EOF` was read.
    ended: bool,
}

impl Parser {
    /// A parser for one exposition.
    pub fn new(format: Format, options: Options) -> Self {
        let text = |dialect| {
            Form::Lines(TextForm {
                lines: Lines::new(options.line_bytes),
                dialect,
                kind: MetricKind::Unknown,
                ended: false,
            })
        };
        let form = match format {
            Format::Text => text(Dialect::Text),
            Format::OpenMetrics => text(Dialect::OpenMetrics),
            Format::Protobuf => Form::Protobuf(Box::new(Protobuf::new(options))),
        };
        Self { form }
    }

    /// Takes the bytes that come next. They are copied; whoever feeds should first take all entries
    /// that are ready.
    pub fn feed(&mut self, chunk: &[u8]) {
        match &mut self.form {
            Form::Lines(text) => text.lines.feed(chunk),
            Form::Protobuf(protobuf) => protobuf.feed(chunk),
        }
    }

    /// Says that nothing more comes. What is left is given by [`next`](Self::next).
    pub fn finish(&mut self) {
        match &mut self.form {
            Form::Lines(text) => text.lines.finish(),
            Form::Protobuf(protobuf) => protobuf.finish(),
        }
    }

    /// The next entry; none when more bytes are needed, or after [`finish`](Self::finish) at the end.
    ///
    /// # Errors
    ///
    /// When the exposition is malformed. Nothing can be read from it afterwards.
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry borrows from the parser"
    )]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, ParseError> {
        self.next_expecting(&[])
    }

    /// The same, for whoever thinks that the next series is `expected`, because it followed the same
    /// one in the last scrape. If so, it is not walked again: finding its end costs a comparison.
    /// Where the guess is wrong nothing is lost. `expected` must be the raw bytes of a series that a
    /// parser of the same format has given.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_expecting(&mut self, expected: &[u8]) -> Result<Option<Entry<'_>>, ParseError> {
        match &mut self.form {
            Form::Lines(text) => text.next(expected),
            Form::Protobuf(protobuf) => protobuf.next(),
        }
    }
}

impl TextForm {
    #[inline]
    fn next(&mut self, expected: &[u8]) -> Result<Option<Entry<'_>>, ParseError> {
        let (range, content) = loop {
            let Some(range) = self.lines.next_line()? else {
                return self.end();
            };
            if self.ended {
                return Err(self.lines.error(Fault::new(0, Problem::BehindEnd), &range));
            }
            let bytes = self.lines.bytes(&range);
            let line = match self.dialect {
                Dialect::Text => line::text(bytes, expected),
                Dialect::OpenMetrics => line::open_metrics(bytes, expected),
            };
            match line {
                Ok(Line::Nothing) => self.lines.consume(&range),
                Ok(Line::End) => {
                    self.ended = true;
                    self.lines.consume(&range);
                }
                Ok(Line::Content(content)) => break (range, content),
                // The line feed was one in quotes, and the line goes on behind it.
                Err(fault) if fault.problem == Problem::Quote && self.may_extend(&range) => {
                    self.lines.extend(&range, fault.at);
                }
                Err(fault) => return Err(self.lines.error(fault, &range)),
            }
        };
        if let Content::Kind { kind, .. } = content {
            self.kind = kind;
        }
        self.lines.consume(&range);
        Ok(Some(Entry::of_line(
            self.lines.bytes(&range),
            content,
            self.dialect,
            self.kind,
        )))
    }

    fn may_extend(&self, range: &lines::Place) -> bool {
        self.dialect == Dialect::Text && !range.extended
    }

    fn end(&self) -> Result<Option<Entry<'_>>, ParseError> {
        match self.dialect == Dialect::OpenMetrics && self.lines.is_finished() && !self.ended {
            true => Err(self.lines.unfinished()),
            false => Ok(None),
        }
    }
}
