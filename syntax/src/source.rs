//! A source file and positions in it.
//!
//! Positions are byte offsets; lines and columns are worked out only when something is shown, so
//! that a span costs eight bytes in every node of the tree.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// The longest source file that is read, in bytes. A hand-written configuration is a hundredth of
/// this; what is longer is a mistake or an attack, and offsets stay within 32 bits.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// A named text. Cloning it is cheap: the text is shared.
#[derive(Clone)]
pub struct SourceFile {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    text: String,
    line_starts: OnceLock<Vec<u32>>,
    /// Where the bytes that the text was made of stop being UTF-8.
    invalid_at: Option<u32>,
}

/// A line and a column, both counted from 1. The column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// A range of bytes in a source file; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The offset of the first byte.
    pub start: u32,
    /// The offset behind the last byte.
    pub end: u32,
}

// === impl SourceFile ===

impl SourceFile {
    /// Makes a source file of a name (shown in messages) and a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::with_invalid(name.into(), text.into(), None)
    }

    /// Makes a source file of bytes. Bytes that are not UTF-8 become replacement characters, and
    /// the lexer refuses the file at the first of them.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        let invalid_at = std::str::from_utf8(bytes)
            .err()
            .map(|error| error.valid_up_to() as u32);
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self::with_invalid(name.into(), text, invalid_at)
    }

    fn with_invalid(name: String, text: String, invalid_at: Option<u32>) -> Self {
        let line_starts = OnceLock::new();
        Self {
            inner: Arc::new(Inner {
                name,
                text,
                line_starts,
                invalid_at,
            }),
        }
    }

    /// Where the bytes that the text was made of stop being UTF-8, if they do.
    pub(crate) fn invalid_at(&self) -> Option<u32> {
        self.inner.invalid_at
    }

    /// The name as it is shown in messages.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The text of a span; empty if the span is not one of this file.
    pub fn slice(&self, span: Span) -> &str {
        self.text()
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The line of an offset, from 1.
    pub fn line_of(&self, offset: u32) -> u32 {
        self.line_starts().partition_point(|start| *start <= offset) as u32
    }

    /// The line and column of an offset.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.line_starts()[line as usize - 1];
        let before = self
            .text()
            .as_bytes()
            .get(start as usize..offset as usize)
            .unwrap_or(&[]);
        let column = before
            .iter()
            .filter(|byte| !is_continuation(**byte))
            .count() as u32
            + 1;
        Position { line, column }
    }

    /// The text of a line, counted from 1, without its line end; empty if there is no such line.
    pub fn line_text(&self, line: u32) -> &str {
        let starts = self.line_starts();
        let Some(start) = (line as usize)
            .checked_sub(1)
            .and_then(|index| starts.get(index))
        else {
            return "";
        };
        let end = starts
            .get(line as usize)
            .map_or(self.text().len(), |next| *next as usize);
        let text = self.text().get(*start as usize..end).unwrap_or("");
        text.trim_end_matches(['\n', '\r'])
    }

    /// The offset of a line and column as an editor counts them (from 1, in characters), held
    /// within the text.
    pub fn offset(&self, position: Position) -> u32 {
        let starts = self.line_starts();
        let index = (position.line.max(1) as usize - 1).min(starts.len() - 1);
        let start = starts[index];
        let line = self.line_text(index as u32 + 1);
        let column = position.column.max(1) as usize - 1;
        let within = line
            .char_indices()
            .nth(column)
            .map_or(line.len(), |(at, _)| at);
        start + within as u32
    }

    /// Whether both are the same file, not only equal ones.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    fn line_starts(&self) -> &[u32] {
        self.inner.line_starts.get_or_init(|| {
            let newlines = self
                .text()
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(newlines.map(|(at, _)| at as u32 + 1))
                .collect()
        })
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({:?})", self.name())
    }
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || (self.name() == other.name() && self.text() == other.text())
    }
}

// === impl Span ===

impl Span {
    /// Makes a span of two offsets.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Whether the offset is inside, or just behind the end (where a cursor stands).
    pub fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }

    /// The offset of the last byte; the start, if the span is empty.
    pub fn last(self) -> u32 {
        self.end.saturating_sub(1).max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let file = SourceFile::new("a", "ab\nçd = 1\r\n\nx");
        let table = [
            (0, 1, 1),
            (2, 1, 3),
            (3, 2, 1),
            (5, 2, 2),
            (6, 2, 3),
            (13, 4, 1),
        ];
        for (offset, line, column) in table {
            assert_eq!(
                file.position(offset),
                Position { line, column },
                "offset {offset}"
            );
            assert_eq!(
                file.offset(Position { line, column }),
                offset,
                "{line}:{column}"
            );
        }
        assert_eq!(file.line_text(2), "çd = 1");
        assert_eq!(file.line_text(9), "");
    }
}
