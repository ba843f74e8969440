//! A request taken apart: its leaves (what is not cut further) and the wrappers around them.
//!
//! Every way to split a request is the same act: each leaf is given to a part, and a part is its
//! leaves in their order, with the wrappers they lay in around them, each with its own fields (unknown
//! ones included) once. Only what is a leaf, and to whom it is given, differs.

use std::ops::Range;

use bytes::Bytes;

use crate::Signal;
use crate::field::Fields;
use crate::metric::{MetricKind, POINTS};
use crate::resource::{ENTRIES, RESOURCES, SCOPES};
use crate::varint;

/// How finely a request is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Whole resources: `ResourceLogs`, `ResourceMetrics`, `ResourceSpans`.
    Resource,
    /// Whole scopes: `ScopeLogs`, `ScopeMetrics`, `ScopeSpans`.
    Scope,
    /// Log records, metrics with all their points, spans.
    Entry,
    /// Log records, data points, spans: what is counted.
    Item,
}

/// The levels between a request and its leaves at most: resource, scope, metric, kind, point.
const LEVELS: usize = 5;

/// The number of a wrapper.
type Index = u32;

/// The request itself, which wraps everything.
const ROOT: Index = 0;

/// A message around leaves. Its number is its index in the outline, parents first.
struct Wrapper {
    parent: Index,
    /// The number of the field that it is in its parent.
    field: u32,
    /// Its own fields, those that lead to no leaf: a range of `Outline::own`.
    own: Range<usize>,
    own_len: usize,
}

/// What is not cut further.
pub(crate) struct Leaf {
    /// Whom it is given to.
    pub(crate) bucket: u64,
    parent: Index,
    /// Its field in the body, with key and length.
    raw: Range<usize>,
}

/// The leaves of a body and their wrappers, as ranges of it.
pub(crate) struct Outline<'a> {
    body: &'a [u8],
    grain: Grain,
    signal: Signal,
    wrappers: Vec<Wrapper>,
    own: Vec<Range<usize>>,
    pub(crate) leaves: Vec<Leaf>,
}

impl<'a> Outline<'a> {
    /// Takes `body` apart. `assign` gives each leaf, by the content of its message, to a bucket.
    pub(crate) fn new(
        signal: Signal,
        body: &'a [u8],
        grain: Grain,
        assign: &mut dyn FnMut(&'a [u8]) -> u64,
    ) -> Self {
        let mut outline = Self {
            body,
            grain,
            signal,
            wrappers: Vec::new(),
            own: Vec::new(),
            leaves: Vec::new(),
        };
        outline.open(0, ROOT, 0, body, assign);
        outline
    }

    /// Takes the message `content` apart, which is at `level` below the request. The schema has five
    /// levels, so calling itself is bounded.
    fn open(
        &mut self,
        level: usize,
        parent: Index,
        field: u32,
        content: &'a [u8],
        assign: &mut dyn FnMut(&'a [u8]) -> u64,
    ) {
        let index = self.wrappers.len() as Index;
        let own = self.own.len();
        let mut own_len = 0;
        for field in Fields::new(content).filter(|field| !leads_on(level, field.number)) {
            let range = self.range(field.raw);
            own_len += range.len();
            self.own.push(range);
        }
        self.wrappers.push(Wrapper {
            parent,
            field,
            own: own..self.own.len(),
            own_len,
        });
        for field in Fields::new(content).filter(|field| leads_on(level, field.number)) {
            let Some(inner) = field.value.bytes() else {
                continue;
            };
            if level + 1 == self.leaf_level() {
                let bucket = assign(inner);
                let raw = self.range(field.raw);
                self.leaves.push(Leaf {
                    bucket,
                    parent: index,
                    raw,
                });
            } else {
                self.open(level + 1, index, field.number, inner, assign);
            }
        }
    }

    /// The level of the leaves; the request is at level 0.
    fn leaf_level(&self) -> usize {
        match (self.grain, self.signal) {
            (Grain::Resource, _) => 1,
            (Grain::Scope, _) => 2,
            (Grain::Entry, _) | (_, Signal::Logs | Signal::Traces) => 3,
            (Grain::Item, Signal::Metrics) => LEVELS,
        }
    }

    /// Where `part` is in the body.
    fn range(&self, part: &[u8]) -> Range<usize> {
        let start = part.as_ptr() as usize - self.body.as_ptr() as usize;
        start..start + part.len()
    }

    /// A bound on the bytes that a part grows by when `leaf` comes after `previous`, or first.
    pub(crate) fn growth(&self, previous: Option<&Leaf>, leaf: &Leaf) -> usize {
        let header = 1 + varint::len(self.body.len() as u64);
        let mut bytes = leaf.raw.len();
        // All leaves are equally deep, so two of them meet when both go up in step.
        let (mut old, mut new) = (previous.map(|leaf| leaf.parent), leaf.parent);
        while old != Some(new) {
            let wrapper = &self.wrappers[new as usize];
            bytes += wrapper.own_len + header;
            if new == ROOT {
                break;
            }
            old = old.map(|old| self.wrappers[old as usize].parent);
            new = wrapper.parent;
        }
        bytes
    }

    /// The request that holds `leaves`, some of this outline's in their order.
    ///
    /// A wrapper's length is known only when everything in it is laid down, so the request is laid
    /// down from its end to its beginning.
    pub(crate) fn assemble(&self, leaves: &[Leaf]) -> Bytes {
        let mut layout = Layout::default();
        let mut open: Vec<Open> = Vec::with_capacity(LEVELS);
        for leaf in leaves.iter().rev() {
            if open
                .last()
                .is_none_or(|innermost| innermost.index != leaf.parent)
            {
                self.move_to(leaf.parent, &mut open, &mut layout);
            }
            layout.copy(leaf.raw.clone());
        }
        while let Some(wrapper) = open.pop() {
            self.close(&wrapper, &mut layout);
        }
        layout.write(self.body)
    }

    /// Closes the wrappers in `open` that are not around `index`, and opens those that are.
    fn move_to(&self, index: Index, open: &mut Vec<Open>, layout: &mut Layout) {
        let mut chain = [ROOT; LEVELS];
        let chain = &mut chain[..self.leaf_level()];
        let mut next = index;
        for place in chain.iter_mut().rev() {
            *place = next;
            next = self.wrappers[next as usize].parent;
        }
        let shared = open
            .iter()
            .zip(chain.iter())
            .take_while(|(open, index)| open.index == **index);
        let shared = shared.count();
        while open.len() > shared {
            if let Some(wrapper) = open.pop() {
                self.close(&wrapper, layout);
            }
        }
        open.extend(chain[shared..].iter().map(|&index| Open {
            index,
            behind: layout.len,
        }));
    }

    /// Lays down a wrapper's own fields and its key and length.
    fn close(&self, open: &Open, layout: &mut Layout) {
        let wrapper = &self.wrappers[open.index as usize];
        for own in self.own[wrapper.own.clone()].iter().rev() {
            layout.copy(own.clone());
        }
        if open.index != ROOT {
            layout.header(wrapper.field, layout.len - open.behind);
        }
    }
}

/// Whether field `number` of a message at `level` below the request leads to leaves.
fn leads_on(level: usize, number: u32) -> bool {
    match level {
        0 => number == RESOURCES,
        1 => number == SCOPES,
        2 => number == ENTRIES,
        3 => MetricKind::from_field(number).is_some(),
        _ => number == POINTS,
    }
}

/// A wrapper that is being laid down, with the bytes that lie behind its end.
struct Open {
    index: Index,
    behind: usize,
}

/// Pieces of a request, last to first.
#[derive(Default)]
struct Layout {
    pieces: Vec<Piece>,
    len: usize,
}

enum Piece {
    /// A range of the body.
    Copy(Range<usize>),
    /// The key of a field, and the length of its content.
    Header { key: u8, len: usize },
}

impl Layout {
    fn copy(&mut self, range: Range<usize>) {
        self.len += range.len();
        match self.pieces.last_mut() {
            Some(Piece::Copy(behind)) if behind.start == range.end => behind.start = range.start,
            _ => self.pieces.push(Piece::Copy(range)),
        }
    }

    fn header(&mut self, field: u32, len: usize) {
        // The fields that hold wrappers are below 16: their keys take one byte.
        let key = (field as u8) << 3 | 2;
        self.len += 1 + varint::len(len as u64);
        self.pieces.push(Piece::Header { key, len });
    }

    fn write(&self, body: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(self.len);
        for piece in self.pieces.iter().rev() {
            match piece {
                Piece::Copy(range) => out.extend_from_slice(&body[range.clone()]),
                Piece::Header { key, len } => {
                    out.push(*key);
                    varint::write(&mut out, *len as u64);
                }
            }
        }
        out.into()
    }
}
