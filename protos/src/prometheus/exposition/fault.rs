//! What is wrong with an exposition, and where.

use std::fmt;

/// Bytes of the exposition that a message shows: what came from a target goes to a log.
const EXCERPT_BYTES: usize = 40;

/// A mistake at a byte of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: Problem,
}

impl Fault {
    #[cold]
    pub(super) const fn new(at: usize, problem: Problem) -> Self {
        Self { at, problem }
    }
}

/// What is wrong with an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No name of a metric where one must be.
    MetricName,
    /// Two names of a metric.
    TwoNames,
    /// A name that is empty.
    EmptyName,
    /// No name of a label where one must be.
    LabelName,
    /// No `=` behind the name of a label.
    Equal,
    /// No quoted value behind `=`.
    LabelValue,
    /// Something else than `,` or `}` behind a label.
    CommaOrBrace,
    /// A quote that does not end.
    Quote,
    /// Text that is not UTF-8.
    Utf8,
    /// No number where the value must be.
    Value,
    /// No timestamp where one must be, or one that is none.
    Timestamp,
    /// Something behind the end of a line's grammar.
    EndOfLine,
    /// A metric type that does not exist.
    Kind,
    /// A unit that the family's name does not end with.
    Unit,
    /// A line that is neither a series nor known metadata.
    Start,
    /// A blank line, where the format allows none.
    BlankLine,
    /// Something behind `# EOF`.
    BehindEnd,
    /// The exposition stopped before its end.
    Unfinished,
    /// A label name that is there twice.
    TwoLabels,
    /// A line, or a metric in protobuf, of more bytes than this.
    Length(usize),
    /// A protobuf message that is broken.
    Wire,
    /// A family's name or type that comes behind one of its metrics.
    Order,
    /// A native histogram that contradicts itself.
    Histogram(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::MetricName => "expected the name of a metric",
            Self::TwoNames => "the metric has two names",
            Self::EmptyName => "a name is empty",
            Self::LabelName => "expected the name of a label",
            Self::Equal => "expected = behind the name of a label",
            Self::LabelValue => "expected a quoted value",
            Self::CommaOrBrace => "expected , or }",
            Self::Quote => "the quote does not end",
            Self::Utf8 => "text is not UTF-8",
            Self::Value => "expected a number",
            Self::Timestamp => "expected a timestamp",
            Self::EndOfLine => "expected the end of the line",
            Self::Kind => "no such metric type",
            Self::Unit => "the unit is not the end of the metric's name",
            Self::Start => "expected a series, # HELP, # TYPE, # UNIT or # EOF",
            Self::BlankLine => "blank lines are not allowed in OpenMetrics",
            Self::BehindEnd => "something follows # EOF",
            Self::Unfinished => "the exposition stops before its end",
            Self::TwoLabels => "a label is there twice",
            Self::Length(limit) => {
                return write!(formatter, "more than {limit} bytes in one line or metric");
            }
            Self::Wire => "broken protobuf message",
            Self::Order => "a family's name and type must come before its metrics",
            Self::Histogram(what) => return write!(formatter, "native histogram: {what}"),
        };
        formatter.write_str(text)
    }
}

/// An exposition that cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    problem: Problem,
    place: Place,
    excerpt: String,
}

/// Where a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In text.
    Line {
        /// From 1.
        line: u64,
        /// From 1, in bytes.
        column: u64,
    },
    /// In protobuf: bytes from the start.
    Byte(u64),
}

impl ParseError {
    /// An error, with the bytes that begin at the mistake.
    #[cold]
    pub(super) fn new(problem: Problem, place: Place, rest: &[u8]) -> Self {
        let excerpt = rest.get(..EXCERPT_BYTES).unwrap_or(rest);
        Self {
            problem,
            place,
            excerpt: excerpt.escape_ascii().to_string(),
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// Where.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line { line, column } => write!(formatter, "line {line}, column {column}: ")?,
            Place::Byte(byte) => write!(formatter, "byte {byte}: ")?,
        }
        write!(formatter, "{}", self.problem)?;
        if !self.excerpt.is_empty() {
            write!(formatter, " at \"{}\"", self.excerpt)?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}
