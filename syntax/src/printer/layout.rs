//! Words, white space and comments in order, with the marks that alignment needs.
//!
//! White space waits until the next word is known, since a comment may come in between and then
//! decides itself how it is set off. Where the next word stands in the source is known for most
//! words, and otherwise taken to be right behind the last one.
//!
//! In what comes out a tab or a vertical tab ends a column, a form feed is a line end that also
//! ends the alignment with the lines before, and text between two [`KEEP`] bytes is left alone.

use crate::ast::{Comment, CommentGroup};
use crate::source::SourceFile;

/// Marks the start and the end of text without layout; no valid UTF-8 contains this byte.
pub(super) const KEEP: u8 = 0xFF;

/// The most line ends in a row that are kept of the source: one blank line.
const LINE_ENDS_MAX: u32 = 2;

/// White space that waits for the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Blank,
    /// The end of a column that is dropped if it is empty in all lines.
    Column,
    Newline,
    /// A line end that ends the alignment.
    Break,
    Indent,
    Unindent,
}

/// Where something is in the source.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u32,
    line: u32,
}

pub(super) struct Layout<'a> {
    source: &'a SourceFile,
    groups: std::iter::Peekable<std::slice::Iter<'a, CommentGroup>>,
    out: Vec<u8>,
    indent: usize,
    line_start: bool,
    waiting: Vec<Option<Space>>,
    /// Where the next word is, as far as is known.
    next: Place,
    /// Where the last word or comment ends.
    last: Place,
    /// Whether the last word is a number without a fraction, which a dot would give one.
    after_number: bool,
}

// === impl Layout ===

impl<'a> Layout<'a> {
    pub(super) fn new(source: &'a SourceFile, comments: &'a [CommentGroup]) -> Self {
        let start = Place { offset: 0, line: 1 };
        Self {
            source,
            groups: comments.iter().peekable(),
            out: Vec::new(),
            indent: 0,
            line_start: true,
            waiting: Vec::new(),
            next: start,
            last: start,
            after_number: false,
        }
    }

    /// Says where the next word is.
    pub(super) fn at(&mut self, offset: u32) -> &mut Self {
        self.next = self.place(offset);
        self
    }

    /// Adds white space in front of the next word.
    pub(super) fn space(&mut self, space: Space) -> &mut Self {
        self.waiting.push(Some(space));
        self.after_number = false;
        self
    }

    /// Writes an operator or a bracket.
    pub(super) fn sign(&mut self, text: &str) -> &mut Self {
        if self.after_number && text == "." {
            self.waiting.push(Some(Space::Blank));
        }
        self.word(text)
    }

    /// Writes a word.
    pub(super) fn word(&mut self, text: &str) -> &mut Self {
        self.write_word(text, false)
    }

    /// Writes a word inside of which nothing is layout.
    pub(super) fn kept(&mut self, text: &str) -> &mut Self {
        self.write_word(text, true)
    }

    /// Writes a whole number.
    pub(super) fn number(&mut self, text: &str) -> &mut Self {
        self.word(text);
        self.after_number = true;
        self
    }

    /// Writes the comments that are left.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while let Some(group) = self.groups.next() {
            for comment in &group.comments {
                self.before_comment(comment, None);
                self.comment(comment);
            }
        }
        self.out
    }

    fn write_word(&mut self, text: &str, keep: bool) -> &mut Self {
        let next = self.next;
        match self
            .groups
            .peek()
            .is_some_and(|group| starts_by(group, next))
        {
            true => self.comments_before(next),
            false => self.write_waiting(self.waiting.len()),
        }
        self.write(next, text, keep);
        self.after_number = false;
        self
    }

    fn comments_before(&mut self, next: Place) {
        let mut last_comment = None;
        while let Some(group) = self.groups.next_if(|group| starts_by(group, next)) {
            for comment in &group.comments {
                self.before_comment(comment, Some(next));
                self.comment(comment);
                last_comment = Some(comment);
            }
        }
        if let Some(comment) = last_comment {
            self.after_comment(comment, next);
        }
    }

    /// Sets a comment off from what is in front of it.
    fn before_comment(&mut self, comment: &Comment, next: Option<Place>) {
        if self.out.is_empty() {
            return;
        }
        let line = self.source.line_of(comment.span.start);
        if line == self.last.line {
            // Behind the last word; between two words of a line without a column of its own.
            let between = next.is_some_and(|next| next.line == line);
            self.write_space(if between { b' ' } else { b'\t' }, 1);
            return;
        }
        // On a line of its own: indents take effect, the first other space is the comment's to
        // replace, and what is behind it waits on.
        let indents =
            |space: &Option<Space>| matches!(space, Some(Space::Indent | Space::Unindent));
        if let Some(first) = self.waiting.iter().position(|space| !indents(space)) {
            self.waiting[first] = None;
            self.write_waiting(first);
        }
        let lines = line.saturating_sub(self.last.line);
        if lines > 0 {
            self.write_space(b'\x0c', lines.min(LINE_ENDS_MAX));
        }
    }

    fn comment(&mut self, comment: &Comment) {
        let place = self.place(comment.span.start);
        self.write(place, &comment.text, true);
    }

    /// Sets the next word off from a comment.
    fn after_comment(&mut self, comment: &Comment, next: Place) {
        let end = comment.span.start + comment.text.len() as u32 - 1;
        if comment.text.starts_with("/*") && next.line == self.source.line_of(end) {
            self.write_space(b' ', 1);
        }
        let lines = next.line.saturating_sub(self.last.line);
        let breaks = self.waiting.contains(&Some(Space::Break));
        for space in &mut self.waiting {
            if !matches!(space, Some(Space::Indent | Space::Unindent)) {
                *space = None;
            }
        }
        self.write_waiting(self.waiting.len());
        if lines > 0 {
            let line_end = if breaks { b'\x0c' } else { b'\n' };
            self.write_space(line_end, lines.min(LINE_ENDS_MAX));
        }
    }

    /// Writes the first so many of the spaces that wait.
    fn write_waiting(&mut self, count: usize) {
        let rest = self.waiting.split_off(count);
        for space in std::mem::replace(&mut self.waiting, rest)
            .into_iter()
            .flatten()
        {
            match space {
                Space::Blank => self.write_space(b' ', 1),
                Space::Column => self.write_space(b'\x0b', 1),
                Space::Newline => self.write_space(b'\n', 1),
                Space::Break => self.write_space(b'\x0c', 1),
                Space::Indent => self.indent += 1,
                Space::Unindent => self.indent = self.indent.saturating_sub(1),
            }
        }
    }

    fn write_space(&mut self, byte: u8, count: u32) {
        self.write_indent();
        self.out.extend(std::iter::repeat_n(byte, count as usize));
        self.line_start = matches!(byte, b'\n' | b'\x0c');
    }

    fn write(&mut self, place: Place, text: &str, keep: bool) {
        self.write_indent();
        if keep {
            self.out.push(KEEP);
        }
        self.out.extend_from_slice(text.as_bytes());
        if keep {
            self.out.push(KEEP);
        }
        self.line_start = false;
        let lines = text
            .bytes()
            .filter(|byte| matches!(byte, b'\n' | b'\x0c'))
            .count() as u32;
        self.last = Place {
            offset: place.offset + text.len() as u32,
            line: place.line + lines,
        };
        self.next = self.last;
    }

    fn write_indent(&mut self) {
        if self.line_start {
            self.out.extend(std::iter::repeat_n(b'\t', self.indent));
        }
    }

    fn place(&self, offset: u32) -> Place {
        Place {
            offset,
            line: self.source.line_of(offset),
        }
    }
}

fn starts_by(group: &CommentGroup, next: Place) -> bool {
    group
        .comments
        .first()
        .is_some_and(|comment| comment.span.start <= next.offset)
}
