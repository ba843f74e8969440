//! One walk over an encoded request: is it valid, how much is it, may it be that much?
//!
//! It accepts exactly what the generated decoder accepts, because requests are merged without being
//! decoded: one that the backend could not decode would take the whole merged batch with it. That
//! includes encodings which no encoder writes (numbers longer than necessary, groups under unknown
//! numbers, fields given twice) and the nesting limit of 100. Only the budget refuses more. Lengths of
//! ids, ranges of enums and times are the backends' to judge.
//!
//! The walk is a loop over a table: for each message type, what to do about each key. Attributes,
//! to which most fields belong, have a shape that is recognised at once (`attribute.rs`).

mod attribute;
mod skip;
mod table;
mod tally;
mod text;

use crate::budget::NESTING;
use crate::error::{Fault, Reason};
use crate::schema::Name;
use crate::{Budget, Counts, Signal, WireError, varint};
use table::{Action, Scalar, Shape};
use tally::Tally;

/// Checks `body`, an encoded `ExportLogsServiceRequest`, `ExportMetricsServiceRequest` or
/// `ExportTraceServiceRequest`, and counts what it holds, without allocating.
///
/// Counted is what is on the wire. A field that is given twice although it can be there once counts
/// twice, where a decoder would merge or replace it.
///
/// # Errors
///
/// When the body is malformed, or holds more than `budget` allows ([`Reason::is_limit`]).
pub fn check(signal: Signal, body: &[u8], budget: &Budget) -> Result<Counts, WireError> {
    check_message(Name::request(signal), body, budget)
}

/// The same for a body that is a message of type `root`.
pub(crate) fn check_message(root: Name, body: &[u8], budget: &Budget) -> Result<Counts, WireError> {
    walk(root, body, budget).map_err(|fault| WireError::locate(root, body, fault))
}

/// A message that is open while one inside it is walked.
#[derive(Clone, Copy)]
struct Frame {
    end: usize,
    shape: &'static Shape,
}

fn walk(root: Name, body: &[u8], budget: &Budget) -> Result<Counts, Fault> {
    let levels = budget.levels();
    let mut shape = Shape::of(root);
    let mut frames = [Frame { end: 0, shape }; NESTING as usize];
    let mut depth = 0;
    let mut window = body;
    let mut tally = Tally::new(budget);
    let mut at = 0;
    loop {
        let Some(&first) = window.get(at) else {
            if depth == 0 {
                return tally.finish(body.len());
            }
            depth -= 1;
            window = &body[..frames[depth].end];
            shape = frames[depth].shape;
            continue;
        };
        let (action, value) = if first < 0x80 {
            (shape.actions[usize::from(first)], at + 1)
        } else {
            shape.long_key(window, at)?
        };
        at = match action {
            Action::Varint => number(window, at, value)?,
            Action::Fixed64 => fixed(window, at, value, 8)?,
            Action::Fixed32 => fixed(window, at, value, 4)?,
            Action::Text => string(window, at, value)?,
            Action::Bytes => delimited(window, at, value)?.1,
            Action::Message(name) => {
                let (start, end) = delimited(window, at, value)?;
                let inner = Shape::of(name);
                tally.add(inner, at)?;
                if depth == levels {
                    return Err(Fault::new(at, Reason::Depth(levels as u32)));
                }
                let rest = &body[start..end];
                if inner.is_attribute && levels - depth >= 2 && attribute::is_plain(rest) {
                    tally.add(Shape::of(Name::AnyValue), at)?;
                    end
                } else {
                    frames[depth] = Frame {
                        end: window.len(),
                        shape,
                    };
                    depth += 1;
                    window = &body[..end];
                    shape = inner;
                    start
                }
            }
            Action::Repeated(scalar) => repeated(window, at, value, scalar, &mut tally)?,
            Action::Unknown => skip::unknown(window, at, levels, levels - depth)?,
            Action::Mismatch => return Err(skip::mismatch(window, at)),
        };
    }
}

// The functions below say where the value at `value` ends. What is wrong with it is reported at the
// field's key, `at`.

#[inline(always)]
fn number(window: &[u8], at: usize, value: usize) -> Result<usize, Fault> {
    match varint::read(window, value) {
        Some((_, end)) => Ok(end),
        None => Err(Fault::new(at, Reason::Number)),
    }
}

#[inline(always)]
fn fixed(window: &[u8], at: usize, value: usize, width: usize) -> Result<usize, Fault> {
    if window.len() - value < width {
        return Err(Fault::new(at, Reason::Truncated));
    }
    Ok(value + width)
}

/// Here also where the content begins, behind its length.
#[inline(always)]
fn delimited(window: &[u8], at: usize, value: usize) -> Result<(usize, usize), Fault> {
    let Some((len, start)) = varint::read(window, value) else {
        return Err(Fault::new(at, Reason::Number));
    };
    if len > (window.len() - start) as u64 {
        return Err(Fault::new(at, Reason::Truncated));
    }
    Ok((start, start + len as usize))
}

#[inline(always)]
fn string(window: &[u8], at: usize, value: usize) -> Result<usize, Fault> {
    let (start, end) = delimited(window, at, value)?;
    let content = &window[start..end];
    if text::is_valid(content) {
        Ok(end)
    } else {
        Err(Fault::new(start + text::valid_len(content), Reason::Utf8))
    }
}

/// One value of a repeated field, or a packed run of them.
fn repeated(
    window: &[u8],
    at: usize,
    value: usize,
    scalar: Scalar,
    tally: &mut Tally,
) -> Result<usize, Fault> {
    match scalar {
        Scalar::Text => {
            tally.add_string(at)?;
            string(window, at, value)
        }
        Scalar::Varint => {
            tally.add_numbers(1);
            number(window, at, value)
        }
        Scalar::Fixed64 => {
            tally.add_numbers(1);
            fixed(window, at, value, 8)
        }
        Scalar::PackedVarints => {
            let (mut next, end) = delimited(window, at, value)?;
            let run = &window[..end];
            while next < end {
                next = number(run, at, next)?;
                tally.add_numbers(1);
            }
            Ok(end)
        }
        Scalar::PackedFixed64s => {
            let (start, end) = delimited(window, at, value)?;
            if !(end - start).is_multiple_of(8) {
                return Err(Fault::new(at, Reason::Truncated));
            }
            tally.add_numbers((end - start) as u64 / 8);
            Ok(end)
        }
    }
}

#[cfg(test)]
mod tests;
