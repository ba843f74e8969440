//! One line of the text formats: what it says, as places in it.

use std::ops::Range;
use std::str;

use super::fault::{Fault, Problem};
use super::series::{Dialect, metric_name_end, quoted, skip_blanks, walk, walk_exemplar};
use crate::prometheus::{MetricKind, parse_float};

/// What a line is. Ranges are places in the line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// A comment or nothing.
    Nothing,
    /// `# EOF`.
    End,
    Content(Content),
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Help {
        family: Range<usize>,
        text: Range<usize>,
    },
    Kind {
        family: Range<usize>,
        kind: MetricKind,
    },
    Unit {
        family: Range<usize>,
        unit: Range<usize>,
    },
    Sample(SampleLine),
}

/// A series with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SampleLine {
    pub(super) series: Range<usize>,
    pub(super) value: f64,
    /// In milliseconds.
    pub(super) timestamp: Option<i64>,
    pub(super) exemplar: Option<ExemplarPlace>,
}

/// Where an exemplar's labels are, with the closing brace only, and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExemplarPlace {
    pub(super) labels: Range<usize>,
    pub(super) value: f64,
    pub(super) timestamp: Option<i64>,
}

/// Reads a line of format 0.0.4, without its line feed. If it begins with `expected`, a series that
/// was read before, that is not walked again.
#[inline]
pub(super) fn text(line: &[u8], expected: &[u8]) -> Result<Line, Fault> {
    const DIALECT: Dialect = Dialect::Text;
    let (start, end) = match known(line, expected) {
        Some(end) if line.get(skip_blanks(line, end, DIALECT)) != Some(&b'{') => (0, end),
        _ => {
            let start = skip_blanks(line, 0, DIALECT);
            match line.get(start) {
                None => return Ok(Line::Nothing),
                Some(b'#') => return comment(line, start),
                Some(_) => (start, walk(line, start, DIALECT, &mut ())?),
            }
        }
    };
    let at = skip_blanks(line, end, DIALECT);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'{');
    let stop = token_end(line, at, blank);
    let value = parse_float(&line[at..stop]).ok_or(Fault::new(at, Problem::Value))?;
    let at = skip_blanks(line, stop, DIALECT);
    let mut timestamp = None;
    if at < line.len() {
        let stop = token_end(line, at, blank);
        timestamp = Some(digits(&line[at..stop]).ok_or(Fault::new(at, Problem::Timestamp))?);
        let rest = skip_blanks(line, stop, DIALECT);
        if rest < line.len() {
            return Err(Fault::new(rest, Problem::EndOfLine));
        }
    }
    Ok(Line::Content(Content::Sample(SampleLine {
        series: start..end,
        value,
        timestamp,
        exemplar: None,
    })))
}

/// Reads a line of OpenMetrics, without its line feed.
#[inline]
pub(super) fn open_metrics(line: &[u8], expected: &[u8]) -> Result<Line, Fault> {
    let end = match known(line, expected) {
        Some(end) => end,
        None => match line.first() {
            None => return Err(Fault::new(0, Problem::BlankLine)),
            Some(b'#') => return metadata(line),
            Some(_) => walk(line, 0, Dialect::OpenMetrics, &mut ())?,
        },
    };
    let (value, at) = number(line, end, Problem::Value)?;
    let mut at = at;
    let mut timestamp = None;
    if !rest(line, at).is_empty() && !is_exemplar(rest(line, at)) {
        let (seconds, stop) = number(line, at, Problem::Timestamp)?;
        timestamp = Some(milliseconds(seconds).ok_or(Fault::new(at, Problem::Timestamp))?);
        at = stop;
    }
    let mut exemplar = None;
    if is_exemplar(rest(line, at)) {
        let (found, stop) = read_exemplar(line, at)?;
        exemplar = Some(found);
        at = stop;
    }
    if at < line.len() {
        return Err(Fault::new(at, Problem::EndOfLine));
    }
    Ok(Line::Content(Content::Sample(SampleLine {
        series: 0..end,
        value,
        timestamp,
        exemplar,
    })))
}

/// What introduces an exemplar.
const EXEMPLAR: &[u8] = b" # {";

fn is_exemplar(rest: &[u8]) -> bool {
    rest.starts_with(EXEMPLAR)
}

fn read_exemplar(line: &[u8], start: usize) -> Result<(ExemplarPlace, usize), Fault> {
    let labels = start + EXEMPLAR.len();
    let end = walk_exemplar(line, labels, &mut ())?;
    let (value, mut at) = number(line, end, Problem::Value)?;
    let mut timestamp = None;
    if at < line.len() {
        let (seconds, stop) = number(line, at, Problem::Timestamp)?;
        timestamp = Some(milliseconds(seconds).ok_or(Fault::new(at, Problem::Timestamp))?);
        at = stop;
    }
    let place = ExemplarPlace {
        labels: labels..end,
        value,
        timestamp,
    };
    Ok((place, at))
}

/// Where the series ends, if the line begins with a known one and a blank behind it.
#[inline(always)]
fn known(line: &[u8], expected: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(expected)?;
    let is_end = matches!(rest.first(), Some(b' ' | b'\t'));
    (is_end && !expected.is_empty()).then_some(expected.len())
}

fn rest(line: &[u8], at: usize) -> &[u8] {
    line.get(at..).unwrap_or_default()
}

#[inline]
fn token_end(line: &[u8], at: usize, is_end: impl Fn(&u8) -> bool) -> usize {
    at + rest(line, at)
        .iter()
        .position(is_end)
        .unwrap_or(rest(line, at).len())
}

/// The number behind exactly one space, and where it ends.
#[inline]
fn number(line: &[u8], at: usize, problem: Problem) -> Result<(f64, usize), Fault> {
    if line.get(at) != Some(&b' ') {
        return Err(Fault::new(at, problem));
    }
    let end = token_end(line, at + 1, |byte| *byte == b' ');
    let value = parse_float(&line[at + 1..end]).ok_or(Fault::new(at + 1, problem))?;
    Ok((value, end))
}

/// Milliseconds of seconds; anything that is no time has none.
fn milliseconds(seconds: f64) -> Option<i64> {
    let milliseconds = seconds * 1000.0;
    let fits = milliseconds.is_finite() && milliseconds.abs() < i64::MAX as f64;
    fits.then_some(milliseconds as i64)
}

/// The number that is written in digits only, as timestamps of 0.0.4 are.
fn digits(text: &[u8]) -> Option<i64> {
    let all = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    all.then(|| str::from_utf8(text).ok()?.parse().ok())?
}

/// A line of 0.0.4 whose first byte that is no blank is the `#` at `hash`.
fn comment(line: &[u8], hash: usize) -> Result<Line, Fault> {
    let word = skip_blanks(line, hash + 1, Dialect::Text);
    let is = |expected: &[u8]| {
        word > hash + 1
            && rest(line, word).starts_with(expected)
            && matches!(line.get(word + expected.len()), Some(b' ' | b'\t'))
    };
    let is_help = is(b"HELP");
    if !is_help && !is(b"TYPE") {
        return Ok(Line::Nothing);
    }
    let name = skip_blanks(line, word + 4, Dialect::Text);
    let (family, end) = family(line, name)?;
    // One byte stands between the name and the text, and the text may be left out.
    let text = (end + 1).min(line.len())..line.len();
    if is_help {
        return help(line, family, text);
    }
    let kind = MetricKind::from_text(&line[text.clone()]);
    let kind = kind.ok_or(Fault::new(text.start, Problem::Kind))?;
    Ok(Line::Content(Content::Kind { family, kind }))
}

/// A line of OpenMetrics that begins with `#`.
fn metadata(line: &[u8]) -> Result<Line, Fault> {
    if line == b"# EOF" {
        return Ok(Line::End);
    }
    let keyword = ["# HELP ", "# TYPE ", "# UNIT "]
        .into_iter()
        .find(|keyword| line.starts_with(keyword.as_bytes()));
    let Some(keyword) = keyword else {
        return Err(Fault::new(0, Problem::Start));
    };
    let (family, end) = family(line, keyword.len())?;
    if line.get(end) != Some(&b' ') {
        return Err(Fault::new(end, Problem::EndOfLine));
    }
    let text = end + 1..line.len();
    match keyword {
        "# HELP " => help(line, family, text),
        "# TYPE " => {
            let kind = MetricKind::from_open_metrics(&line[text.clone()]);
            let kind = kind.ok_or(Fault::new(text.start, Problem::Kind))?;
            Ok(Line::Content(Content::Kind { family, kind }))
        }
        _ => {
            let unit = &line[text.clone()];
            let stem = line[family.clone()].strip_suffix(unit);
            let is_suffix = unit.is_empty() || stem.is_some_and(|stem| stem.ends_with(b"_"));
            match is_suffix && str::from_utf8(unit).is_ok() {
                true => Ok(Line::Content(Content::Unit { family, unit: text })),
                false => Err(Fault::new(text.start, Problem::Unit)),
            }
        }
    }
}

fn help(line: &[u8], family: Range<usize>, text: Range<usize>) -> Result<Line, Fault> {
    match str::from_utf8(&line[text.clone()]) {
        Ok(_) => Ok(Line::Content(Content::Help { family, text })),
        Err(error) => Err(Fault::new(text.start + error.valid_up_to(), Problem::Utf8)),
    }
}

/// The name of a family at `at`, without its quotes if it has some, and where it ends.
fn family(line: &[u8], at: usize) -> Result<(Range<usize>, usize), Fault> {
    if line.get(at) == Some(&b'"') {
        let (name, end) = quoted(line, at)?;
        return match name.is_empty() {
            true => Err(Fault::new(at, Problem::EmptyName)),
            false => Ok((at + 1..end - 1, end)),
        };
    }
    match metric_name_end(line, at) {
        end if end > at => Ok((at..end, end)),
        _ => Err(Fault::new(at, Problem::MetricName)),
    }
}
