//! `name{label="value", ...}` in the two text formats: where it ends, whether it is well formed, and
//! what its labels are.
//!
//! One walk does all of it. A series that was seen before is only walked to find its end; its labels
//! are asked for once, when it is new.

use std::borrow::Cow;
use std::str;

use super::fault::{Fault, Problem};

/// The text formats, where they differ inside of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// 0.0.4: blanks between tokens, commas may be missing, line feeds in quotes.
    Text,
    /// OpenMetrics: nothing but what the grammar says.
    OpenMetrics,
}

/// Who is told what a walk finds. Texts are UTF-8, and as they stand, with escapes.
pub(super) trait Sink {
    fn name(&mut self, name: &[u8]);
    fn label(&mut self, name: &[u8], value: &[u8]);
}

/// Nobody.
impl Sink for () {
    #[inline(always)]
    fn name(&mut self, _: &[u8]) {}

    #[inline(always)]
    fn label(&mut self, _: &[u8], _: &[u8]) {}
}

/// Walks the series that begins at `start` and says where it ends.
#[inline]
pub(super) fn walk<S: Sink>(
    line: &[u8],
    start: usize,
    dialect: Dialect,
    sink: &mut S,
) -> Result<usize, Fault> {
    let end = metric_name_end(line, start);
    let named = end > start;
    if named {
        sink.name(&line[start..end]);
    }
    // Most series have their labels right behind the name.
    let brace = if line.get(end) == Some(&b'{') {
        end
    } else {
        skip_blanks(line, end, dialect)
    };
    match (line.get(brace), named) {
        (Some(b'{'), _) => braces(line, brace + 1, dialect, named, sink),
        (_, true) => Ok(end),
        (_, false) => Err(Fault::new(start, Problem::MetricName)),
    }
}

/// Walks the labels behind an opening brace that belongs to an exemplar.
pub(super) fn walk_exemplar<S: Sink>(
    line: &[u8],
    start: usize,
    sink: &mut S,
) -> Result<usize, Fault> {
    let dialect = Dialect::OpenMetrics;
    let mut at = start;
    loop {
        if line.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        let (name, end) = label_name(line, at)?;
        at = label_value(line, end, dialect, name, sink)?;
        at = next_label(line, at, dialect)?;
    }
}

/// The labels behind `{`, of which one may be the quoted name of the metric, up to behind `}`.
fn braces<S: Sink>(
    line: &[u8],
    start: usize,
    dialect: Dialect,
    mut named: bool,
    sink: &mut S,
) -> Result<usize, Fault> {
    let mut at = skip_blanks(line, start, dialect);
    loop {
        if line.get(at) == Some(&b'}') {
            return match named {
                true => Ok(at + 1),
                false => Err(Fault::new(at, Problem::MetricName)),
            };
        }
        let (name, end) = label_name(line, at)?;
        let next = skip_blanks(line, end, dialect);
        if line.get(at) == Some(&b'"') && matches!(line.get(next), Some(b',' | b'}')) {
            if named {
                return Err(Fault::new(at, Problem::TwoNames));
            }
            named = true;
            sink.name(name);
            let comma = usize::from(line.get(next) == Some(&b','));
            at = skip_blanks(line, next + comma, dialect);
            continue;
        }
        at = label_value(line, next, dialect, name, sink)?;
        at = next_label(line, at, dialect)?;
    }
}

/// The name of a label at `at`, quoted or not, and where it ends.
#[inline]
fn label_name(line: &[u8], at: usize) -> Result<(&[u8], usize), Fault> {
    if line.get(at) == Some(&b'"') {
        let (name, end) = quoted(line, at)?;
        return match name.is_empty() {
            true => Err(Fault::new(at, Problem::EmptyName)),
            false => Ok((name, end)),
        };
    }
    let end = label_name_end(line, at);
    if end == at {
        return Err(Fault::new(at, Problem::LabelName));
    }
    Ok((&line[at..end], end))
}

/// The `="value"` at `at`; where it ends.
#[inline]
fn label_value<S: Sink>(
    line: &[u8],
    at: usize,
    dialect: Dialect,
    name: &[u8],
    sink: &mut S,
) -> Result<usize, Fault> {
    if line.get(at) != Some(&b'=') {
        return Err(Fault::new(at, Problem::Equal));
    }
    let quote = skip_blanks(line, at + 1, dialect);
    if line.get(quote) != Some(&b'"') {
        return Err(Fault::new(quote, Problem::LabelValue));
    }
    let (value, end) = quoted(line, quote)?;
    sink.label(name, value);
    Ok(end)
}

/// Where the next label, or the closing brace, begins.
#[inline]
fn next_label(line: &[u8], at: usize, dialect: Dialect) -> Result<usize, Fault> {
    let at = skip_blanks(line, at, dialect);
    match (line.get(at), dialect) {
        (Some(b','), _) => Ok(skip_blanks(line, at + 1, dialect)),
        (Some(b'}'), _) | (_, Dialect::Text) => Ok(at),
        _ => Err(Fault::new(at, Problem::CommaOrBrace)),
    }
}

/// The text between the quote at `at` and the one that ends it, and where it ends.
#[inline]
pub(super) fn quoted(line: &[u8], at: usize) -> Result<(&[u8], usize), Fault> {
    let mut bits = 0;
    let mut end = at + 1;
    loop {
        match line.get(end) {
            None => return Err(Fault::new(at, Problem::Quote)),
            Some(b'"') => break,
            Some(b'\\') => {
                bits |= line.get(end + 1).copied().unwrap_or_default();
                end += 2;
            }
            Some(byte) => {
                bits |= byte;
                end += 1;
            }
        }
    }
    let content = &line[at + 1..end];
    if bits >= 0x80
        && let Err(error) = str::from_utf8(content)
    {
        return Err(Fault::new(at + 1 + error.valid_up_to(), Problem::Utf8));
    }
    Ok((content, end + 1))
}

/// Bytes that are known to be UTF-8 as text.
pub(super) fn utf8(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// Where the name ends that begins at `at`: letters, digits, `_` and `:`, no digit first.
#[inline]
pub(super) fn metric_name_end(line: &[u8], at: usize) -> usize {
    name_end(line, at, METRIC)
}

#[inline]
fn label_name_end(line: &[u8], at: usize) -> usize {
    name_end(line, at, LABEL)
}

#[inline(always)]
fn name_end(line: &[u8], at: usize, class: u8) -> usize {
    let Some(rest) = line.get(at..) else {
        return at;
    };
    if rest
        .first()
        .is_none_or(|byte| CLASSES[usize::from(*byte)] & class & FIRST == 0)
    {
        return at;
    }
    let len = rest
        .iter()
        .position(|byte| CLASSES[usize::from(*byte)] & class & LATER == 0);
    at + len.unwrap_or(rest.len())
}

/// Bits of a character class: in names of metrics or of labels, at first or later.
const METRIC: u8 = 0b0011;
const LABEL: u8 = 0b1100;
const FIRST: u8 = 0b0101;
const LATER: u8 = 0b1010;

/// For each byte where in a name it may be.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        classes[byte] = match character {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => METRIC | LABEL,
            b'0'..=b'9' => (METRIC | LABEL) & LATER,
            b':' => METRIC,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Blanks may stand between tokens in the old format only.
#[inline(always)]
pub(super) fn skip_blanks(line: &[u8], mut at: usize, dialect: Dialect) -> usize {
    if dialect == Dialect::Text {
        while matches!(line.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
    }
    at
}

/// A text without its escapes, of which there are three: `\\`, `\"` and `\n`. Other backslashes stand
/// for themselves. In help texts of 0.0.4 a quote has none.
pub(super) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escaped = rest.as_bytes().get(at + 1);
        let character = match escaped {
            Some(b'\\') => Some('\\'),
            Some(b'n') => Some('\n'),
            Some(b'"') if quotes => Some('"'),
            _ => None,
        };
        plain.push(character.unwrap_or('\\'));
        rest = &rest[at + 1 + usize::from(character.is_some())..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        let table = [
            ("plain", "plain"),
            (r#"a\"b"#, "a\"b"),
            (r"a\\nb", r"a\nb"),
            (r"a\nb", "a\nb"),
            (r"a\tb\", r"a\tb\"),
            (r"\é", r"\é"),
        ];
        for (text, expected) in table {
            assert_eq!(unescape(text, true), expected);
        }
        assert_eq!(unescape(r#"a\"b\\"#, false), r#"a\"b\"#);
    }
}
