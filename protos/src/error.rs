//! Why a body is refused: a short sentence, a place, and whose fault it is.
//!
//! The walk itself reports only an offset and a reason. The field's name is found afterwards, by going
//! down to that offset once more, so that honest traffic does not pay for good messages.

use std::fmt;

use crate::schema::{Kind, Name};
use crate::varint;

/// Names in the path of an error. Nested values could name hundreds, and each error goes to a log and
/// to a client.
const PATH_NAMES: usize = 6;

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A value reaches beyond the message that holds it.
    Truncated,
    /// A number that does not end, or has more than 64 bits.
    Number,
    /// A field with number 0 or above the highest, or of a wire type that does not exist.
    Key,
    /// A known field in a wire type that is not its own.
    WireType,
    /// A group that ends without having begun, or under another number.
    Group,
    /// Text that is not UTF-8.
    Utf8,
    /// Deeper nesting than this many levels.
    Depth(u32),
    /// More sub-messages than this.
    Elements(u64),
    /// More bytes of memory, once decoded, than this.
    Heap(u64),
}

impl Reason {
    /// Whether the body broke a limit, and might be well formed.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::Depth(_) | Self::Elements(_) | Self::Heap(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated value"),
            Self::Number => f.write_str("unfinished or oversized number"),
            Self::Key => f.write_str("invalid field key"),
            Self::WireType => f.write_str("wrong wire type"),
            Self::Group => f.write_str("misplaced end of group"),
            Self::Utf8 => f.write_str("invalid utf-8"),
            Self::Depth(limit) => write!(f, "more than {limit} levels of nesting"),
            Self::Elements(limit) => write!(f, "more than {limit} elements"),
            Self::Heap(limit) => write!(f, "more than {limit} bytes of memory once decoded"),
        }
    }
}

/// What the walk knows of a mistake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) reason: Reason,
}

impl Fault {
    #[cold]
    pub(crate) const fn new(at: usize, reason: Reason) -> Self {
        Self { at, reason }
    }
}

/// A body that is not what it should be, or more than it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    reason: Reason,
    offset: usize,
    field: String,
}

impl WireError {
    /// Names the field at the fault in `body`, a message of type `root`.
    #[cold]
    pub(crate) fn locate(root: Name, body: &[u8], fault: Fault) -> Self {
        Self {
            reason: fault.reason,
            offset: fault.at,
            field: path(root, body, fault.at),
        }
    }

    /// A fault in a message that has no schema here.
    #[cold]
    pub(crate) fn unnamed(fault: Fault) -> Self {
        Self {
            reason: fault.reason,
            offset: fault.at,
            field: String::new(),
        }
    }

    /// What is wrong.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Where, in bytes from the start of the body.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The field there as a path of names (`resource_spans.scope_spans.spans.name`), cut after six,
    /// and empty when the mistake is outside any known field.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if !self.field.is_empty() {
            write!(f, " in {}", self.field)?;
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for WireError {}

/// The names from the root down to the field that holds `target`. The body may be broken at and after
/// `target`, and is well formed before it.
fn path(root: Name, body: &[u8], target: usize) -> String {
    let mut names = Vec::new();
    let mut message = root;
    let mut window = body;
    let mut at = 0;
    while let Some((key, value)) = varint::read(window, at) {
        let end = value_end(window, value, (key & 7) as u8);
        if let Some(end) = end.filter(|end| *end <= target) {
            at = end;
            continue;
        }
        let Some(field) = u32::try_from(key >> 3)
            .ok()
            .and_then(|number| message.field(number))
        else {
            break;
        };
        if names.len() == PATH_NAMES {
            names.push("...");
            break;
        }
        names.push(field.name);
        let (Kind::Message(inner), 2, Some(end)) = (field.kind, key & 7, end) else {
            break;
        };
        let Some((_, start)) = varint::read(window, value).filter(|(_, start)| *start <= target)
        else {
            break;
        };
        (message, window, at) = (inner, &window[..end], start);
    }
    names.join(".")
}

/// Where the value that starts at `at` ends; `None` when it is broken. Groups end the search, because
/// no known field is one.
fn value_end(window: &[u8], at: usize, wire_type: u8) -> Option<usize> {
    let end = match wire_type {
        0 => varint::read(window, at)?.1,
        1 => at.checked_add(8)?,
        2 => {
            let (len, start) = varint::read(window, at)?;
            start.checked_add(usize::try_from(len).ok()?)?
        }
        5 => at.checked_add(4)?,
        _ => return None,
    };
    (end <= window.len()).then_some(end)
}
