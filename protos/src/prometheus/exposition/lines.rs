//! Bytes into lines: what was fed and not read yet, with the number of each line.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};

use super::fault::{Fault, ParseError, Place as At, Problem};

/// The bytes that were fed, from the first that is still needed.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    at: usize,
    /// From where on nobody has looked for the end of the line.
    looked: usize,
    /// Where the search stands for the end of a line with line feeds in quotes.
    quotes: Option<bool>,
    /// The number of the line at `at`, from 1.
    number: u64,
    line_bytes: usize,
    finished: bool,
}

/// A line in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Place {
    range: Range<usize>,
    /// Where the one behind it begins.
    next: usize,
    /// Whether it has line feeds in quotes.
    pub(super) extended: bool,
}

impl Lines {
    pub(super) fn new(line_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            at: 0,
            looked: 0,
            quotes: None,
            number: 1,
            line_bytes,
            finished: false,
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.looked -= self.at;
            self.at = 0;
        }
        self.buffer.extend_from_slice(chunk);
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether nothing more comes.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The next line, if it is whole. It is given again until it is consumed.
    #[inline]
    pub(super) fn next_line(&mut self) -> Result<Option<Place>, ParseError> {
        let extended = self.quotes.is_some();
        let end = match self.quotes {
            None => memchr(b'\n', &self.buffer[self.looked..]).map(|len| self.looked + len),
            Some(quoted) => self.end_outside_quotes(quoted),
        };
        let place = match end {
            Some(end) => Place {
                range: self.at..end,
                next: end + 1,
                extended,
            },
            None if self.finished && self.at < self.buffer.len() => Place {
                range: self.at..self.buffer.len(),
                next: self.buffer.len(),
                // There is nothing that it could be extended with.
                extended: true,
            },
            None => {
                self.looked = self.buffer.len();
                self.check_length(self.buffer.len() - self.at)?;
                return Ok(None);
            }
        };
        self.check_length(place.range.len())?;
        Ok(Some(place))
    }

    /// The bytes of a line, without its line feed.
    #[inline]
    pub(super) fn bytes(&self, place: &Place) -> &[u8] {
        &self.buffer[place.range.clone()]
    }

    /// Goes on behind a line. Its bytes stay until more are fed.
    #[inline]
    pub(super) fn consume(&mut self, place: &Place) {
        self.number += 1;
        if place.extended {
            self.number += memchr_iter(b'\n', &self.buffer[place.range.clone()]).count() as u64;
        }
        self.at = place.next;
        self.looked = place.next;
        self.quotes = None;
    }

    /// Looks for another end of the line, because the one found is inside of the quote that begins at
    /// `quote`. From there on each byte is looked at once, however the bytes come in.
    pub(super) fn extend(&mut self, place: &Place, quote: usize) {
        self.looked = place.range.start + quote + 1;
        self.quotes = Some(true);
    }

    fn end_outside_quotes(&mut self, mut quoted: bool) -> Option<usize> {
        let mut at = self.looked;
        let end = loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            let Some(found) = memchr3(b'"', b'\\', b'\n', rest).map(|len| at + len) else {
                break None;
            };
            at = match self.buffer[found] {
                b'\n' if !quoted => break Some(found),
                // What it escapes may not be there yet.
                b'\\' if quoted && found + 1 == self.buffer.len() => {
                    at = found;
                    self.looked = at;
                    self.quotes = Some(quoted);
                    return None;
                }
                b'\\' if quoted => found + 2,
                b'"' => {
                    quoted = !quoted;
                    found + 1
                }
                _ => found + 1,
            };
        };
        self.quotes = Some(quoted);
        end
    }

    fn check_length(&self, length: usize) -> Result<(), ParseError> {
        if length <= self.line_bytes {
            return Ok(());
        }
        let place = At::Line {
            line: self.number,
            column: 1,
        };
        let rest = &self.buffer[self.at..];
        Err(ParseError::new(
            Problem::Length(self.line_bytes),
            place,
            rest,
        ))
    }

    /// The error for a fault in a line.
    #[cold]
    pub(super) fn error(&self, fault: Fault, place: &Place) -> ParseError {
        let line = self.bytes(place);
        let before = line.get(..fault.at).unwrap_or(line);
        let feeds = memchr_iter(b'\n', before);
        let last = feeds.clone().next_back().map_or(0, |feed| feed + 1);
        let place = At::Line {
            line: self.number + feeds.count() as u64,
            column: (fault.at - last) as u64 + 1,
        };
        ParseError::new(
            fault.problem,
            place,
            line.get(fault.at..).unwrap_or_default(),
        )
    }

    /// The error for an exposition that stops too early.
    #[cold]
    pub(super) fn unfinished(&self) -> ParseError {
        let place = At::Line {
            line: self.number,
            column: 1,
        };
        ParseError::new(Problem::Unfinished, place, &[])
    }
}
