//! The labels of a series: a set to change, and the bytes that it becomes.
//!
//! Encoded labels are the `labels` fields of remote write 1.0's `TimeSeries`, one behind the other,
//! sorted by name, without duplicates and without empty values (an empty value means the same as no
//! label). Two series are the same if and only if their bytes are.

use std::fmt;
use std::ops::Range;

use xxhash_rust::xxh64::{Xxh64, xxh64};

use crate::field::{self, Fields};
use crate::varint;

/// Stands between names and values that are hashed: no UTF-8 text has it.
const SEPARATOR: u8 = 0xff;

/// Encoded labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// The labels in `encoded`, which a [`LabelSet`] or [`accept`](super::accept) has made.
    pub fn new(encoded: &'a [u8]) -> Self {
        Self(encoded)
    }

    /// The bytes.
    pub fn encoded(self) -> &'a [u8] {
        self.0
    }

    /// Names and values in the order of the names.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        Fields::new(self.0).filter_map(|label| pair(label.value.bytes()?))
    }

    /// The value of a label, empty if there is none.
    pub fn get(self, name: &str) -> &'a str {
        self.iter()
            .find(|(found, _)| *found == name)
            .map_or("", |(_, value)| value)
    }

    /// A hash that is the same on every node and for every version of this program: Prometheus's
    /// `StableHash` of the same labels.
    pub fn hash(self) -> u64 {
        let mut hasher = Xxh64::new(0);
        for (name, value) in self.iter() {
            for part in [name, value] {
                hasher.update(part.as_bytes());
                hasher.update(&[SEPARATOR]);
            }
        }
        hasher.digest()
    }
}

impl fmt::Display for Labels<'_> {
    /// As Prometheus shows labels: `{a="1", b="2"}`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(formatter, "{comma}{name}={value:?}")?;
        }
        formatter.write_str("}")
    }
}

/// Name and value of an encoded label.
pub(super) fn pair(label: &[u8]) -> Option<(&str, &str)> {
    Some((field::text(label, 1), field::text(label, 2)))
}

/// Appends one label as a field of number `number`.
pub(super) fn write_label(out: &mut Vec<u8>, number: u32, name: &str, value: &str) {
    let text = |text: &str| 1 + varint::len(text.len() as u64) + text.len();
    varint::write(out, u64::from(number) << 3 | 2);
    varint::write(out, (text(name) + text(value)) as u64);
    for (key, part) in [(0x0a, name), (0x12, value)] {
        out.push(key);
        varint::write(out, part.len() as u64);
        out.extend_from_slice(part.as_bytes());
    }
}

/// A name that is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate(pub String);

impl fmt::Display for Duplicate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "label {:?} is there twice", self.0)
    }
}

impl std::error::Error for Duplicate {}

/// Labels that are being put together or changed. One set is used again and again: once it has grown
/// it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct LabelSet {
    /// All texts, also those that were replaced, until the set is cleared.
    text: String,
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    name: Range<u32>,
    value: Range<u32>,
}

impl LabelSet {
    /// No labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all labels out.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pairs.clear();
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Adds a label without looking whether its name is there already.
    pub fn push(&mut self, name: &str, value: &str) {
        let name = self.keep(name);
        let value = self.keep(value);
        self.pairs.push(Pair { name, value });
    }

    /// The value of a label, empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.find(name)
            .and_then(|index| self.pairs.get(index))
            .map_or("", |pair| self.part(&pair.value))
    }

    /// Whether there is a label of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Gives a label a value; an empty one takes the label away.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return self.remove(name);
        }
        match self.find(name) {
            Some(index) => {
                let value = self.keep(value);
                if let Some(pair) = self.pairs.get_mut(index) {
                    pair.value = value;
                }
            }
            None => self.push(name, value),
        }
    }

    /// Takes a label away.
    pub fn remove(&mut self, name: &str) {
        if let Some(index) = self.find(name) {
            self.pairs.remove(index);
        }
    }

    /// Keeps the labels of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        let text = &self.text;
        self.pairs
            .retain(|pair| keep(slice(text, &pair.name), slice(text, &pair.value)));
    }

    /// Names and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|pair| (self.part(&pair.name), self.part(&pair.value)))
    }

    /// Name and value of the label at that place.
    pub fn at(&self, index: usize) -> Option<(&str, &str)> {
        let pair = self.pairs.get(index)?;
        Some((self.part(&pair.name), self.part(&pair.value)))
    }

    /// Sorts the labels by name.
    pub fn sort(&mut self) {
        let text = &self.text;
        self.pairs
            .sort_by(|a, b| slice(text, &a.name).cmp(slice(text, &b.name)));
    }

    /// Appends the encoded labels. Empty values are left out.
    ///
    /// # Errors
    ///
    /// If a name is there twice; nothing is appended then.
    pub fn encode(&mut self, out: &mut Vec<u8>) -> Result<(), Duplicate> {
        self.encode_as(1, out)
    }

    /// The same under another field number.
    pub(super) fn encode_as(&mut self, number: u32, out: &mut Vec<u8>) -> Result<(), Duplicate> {
        self.sort();
        let name_of = |index: usize| self.at(index).map_or("", |(name, _)| name);
        if let Some(index) = (1..self.len()).find(|index| name_of(index - 1) == name_of(*index)) {
            return Err(Duplicate(name_of(index).to_owned()));
        }
        for (name, value) in self.iter().filter(|(_, value)| !value.is_empty()) {
            write_label(out, number, name, value);
        }
        Ok(())
    }

    /// The hash that the labels have once they are encoded; they must be sorted.
    pub fn hash(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.text.len() + 2 * self.pairs.len());
        for (name, value) in self.iter().filter(|(_, value)| !value.is_empty()) {
            for part in [name, value] {
                bytes.extend_from_slice(part.as_bytes());
                bytes.push(SEPARATOR);
            }
        }
        xxh64(&bytes, 0)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.pairs
            .iter()
            .position(|pair| self.part(&pair.name) == name)
    }

    fn keep(&mut self, text: &str) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        start..self.text.len() as u32
    }

    fn part(&self, range: &Range<u32>) -> &str {
        slice(&self.text, range)
    }
}

fn slice<'a>(text: &'a str, range: &Range<u32>) -> &'a str {
    &text[range.start as usize..range.end as usize]
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for LabelSet {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut set = Self::new();
        for (name, value) in pairs {
            set.push(name.as_ref(), value.as_ref());
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_changed_and_encoded() {
        let mut set: LabelSet = [("job", "node"), ("__name__", "up"), ("a", "")]
            .into_iter()
            .collect();
        set.set("instance", "h:9100");
        set.set("job", "other");
        set.set("gone", "x");
        set.remove("gone");
        set.set("instance", "");
        assert_eq!(
            (set.get("job"), set.get("instance"), set.len()),
            ("other", "", 3)
        );
        let mut bytes = Vec::new();
        set.encode(&mut bytes).unwrap();
        let labels = Labels::new(&bytes);
        let pairs: Vec<_> = labels.iter().collect();
        assert_eq!(pairs, [("__name__", "up"), ("job", "other")]);
        assert_eq!(labels.get("job"), "other");
        assert_eq!(labels.to_string(), r#"{__name__="up", job="other"}"#);
        assert_eq!(labels.hash(), set.hash());
        set.push("job", "twice");
        assert_eq!(set.encode(&mut bytes), Err(Duplicate("job".to_owned())));
    }

    /// Golden value from Prometheus's `labels.StableHash`.
    #[test]
    fn the_hash_is_prometheus_s() {
        let mut set: LabelSet = [
            ("__name__", "up"),
            ("instance", "localhost:9090"),
            ("job", "prometheus"),
        ]
        .into_iter()
        .collect();
        set.sort();
        assert_eq!(set.hash(), STABLE_HASH);
    }

    const STABLE_HASH: u64 = 0xf28c_8afc_d224_e55f;
}
