//! Fields that the schema does not know: skipped, but only if a decoder could skip them too.

use super::{delimited, fixed, number};
use crate::error::{Fault, Reason};
use crate::varint;

/// Where the unknown field ends whose key is at `at`. `left` of the `levels` of nesting are unused;
/// decoders count a skipped field as one and each group in it as another.
#[cold]
pub(super) fn unknown(
    window: &[u8],
    at: usize,
    levels: usize,
    left: usize,
) -> Result<usize, Fault> {
    let (_, wire_type, value) = key(window, at)?;
    skip(window, at, value, wire_type, levels, left)
}

/// The fault of a key that no table row allows.
#[cold]
pub(super) fn mismatch(window: &[u8], at: usize) -> Fault {
    match key(window, at) {
        Ok((_, 4, _)) => Fault::new(at, Reason::Group),
        Ok(_) => Fault::new(at, Reason::WireType),
        Err(fault) => fault,
    }
}

/// The number and wire type of the key at `at`, and where its value begins.
fn key(window: &[u8], at: usize) -> Result<(u32, u8, usize), Fault> {
    let (key, value) = varint::read(window, at).ok_or(Fault::new(at, Reason::Number))?;
    let key = u32::try_from(key).map_err(|_| Fault::new(at, Reason::Key))?;
    let wire_type = (key & 7) as u8;
    if key >> 3 == 0 || wire_type > 5 {
        return Err(Fault::new(at, Reason::Key));
    }
    Ok((key >> 3, wire_type, value))
}

fn skip(
    window: &[u8],
    start: usize,
    value: usize,
    wire_type: u8,
    levels: usize,
    left: usize,
) -> Result<usize, Fault> {
    if left == 0 {
        return Err(Fault::new(start, Reason::Depth(levels as u32)));
    }
    match wire_type {
        0 => number(window, start, value),
        1 => fixed(window, start, value, 8),
        2 => Ok(delimited(window, start, value)?.1),
        5 => fixed(window, start, value, 4),
        3 => group(window, start, value, levels, left),
        _ => Err(Fault::new(start, Reason::Group)),
    }
}

/// Where the group ends whose key is at `start` and whose first field is at `at`.
fn group(
    window: &[u8],
    start: usize,
    mut at: usize,
    levels: usize,
    left: usize,
) -> Result<usize, Fault> {
    let (number, ..) = key(window, start)?;
    loop {
        let (inner, wire_type, value) = key(window, at)?;
        if wire_type == 4 {
            if inner != number {
                return Err(Fault::new(at, Reason::Group));
            }
            return Ok(value);
        }
        at = skip(window, at, value, wire_type, levels, left - 1)?;
    }
}
