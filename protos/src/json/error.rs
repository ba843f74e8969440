//! Why a JSON text is refused.

use std::fmt;

/// Names in the path of an error: nested values could name a hundred.
const PATH_NAMES: usize = 6;

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not UTF-8.
    Utf8,
    /// Not JSON: this was expected.
    Syntax(&'static str),
    /// JSON, but not of the field's type, which is this.
    Type(&'static str),
    /// A number that the field's type, which is this, cannot hold.
    Range(&'static str),
    /// An enum value by its name.
    EnumName,
    /// An id that is not hexadecimal.
    Hex,
    /// Bytes that are not base64.
    Base64,
    /// A name that was given before.
    Twice,
    /// Another member of the same group was given before.
    Oneof,
    /// Deeper nesting than this many levels.
    Depth(u32),
    /// More objects than this.
    Elements(u64),
}

impl Problem {
    /// Whether the text broke a limit, and might be well formed.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::Depth(_) | Self::Elements(_))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("invalid utf-8"),
            Self::Syntax(expected) => write!(f, "invalid json, expected {expected}"),
            Self::Type(expected) => write!(f, "wrong type, expected {expected}"),
            Self::Range(expected) => write!(f, "number does not fit {expected}"),
            Self::EnumName => {
                f.write_str("enum value given by name, OTLP/JSON has only numbers for them")
            }
            Self::Hex => f.write_str("invalid hexadecimal id"),
            Self::Base64 => f.write_str("invalid base64"),
            Self::Twice => f.write_str("field given twice"),
            Self::Oneof => f.write_str("more than one value given where only one can be"),
            Self::Depth(limit) => write!(f, "more than {limit} levels of nesting"),
            Self::Elements(limit) => write!(f, "more than {limit} elements"),
        }
    }
}

/// A JSON text that is not what it should be, or more than it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    problem: Problem,
    offset: usize,
    /// Innermost first.
    path: Vec<String>,
}

impl JsonError {
    #[cold]
    pub(super) fn new(offset: usize, problem: Problem) -> Self {
        Self {
            problem,
            offset,
            path: Vec::new(),
        }
    }

    /// The same, known to be inside a field.
    #[cold]
    pub(super) fn within(mut self, field: impl Iterator<Item = u8>) -> Self {
        self.path.push(field.map(char::from).collect());
        self
    }

    /// What is wrong.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// Where, in bytes from the start of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        for (index, name) in self.path.iter().rev().take(PATH_NAMES).enumerate() {
            f.write_str(if index == 0 { " in " } else { "." })?;
            f.write_str(name)?;
        }
        if self.path.len() > PATH_NAMES {
            f.write_str("....")?;
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for JsonError {}
