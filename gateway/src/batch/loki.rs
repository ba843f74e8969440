//! Streams of log lines, as Loki has them: a set of labels, and lines with a time and metadata.

use std::{fmt, sync::Arc};

/// Lines of one or more streams. Cloning copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loki {
    streams: Arc<[Stream]>,
    entries: u64,
}

/// Lines under one set of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// What tells the stream from others.
    pub labels: Labels,
    /// Its lines, in the order in which they came.
    pub entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it was written, in nanoseconds since 1970; zero is not known.
    pub timestamp_nanoseconds: i64,
    /// The line without its end.
    pub line: String,
    /// Structured metadata: names and values that tell no streams apart.
    pub metadata: Vec<(String, String)>,
}

/// Names and values, each name once, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels {
    pairs: Vec<(String, String)>,
}

impl Loki {
    /// The lines of these streams.
    pub fn new(streams: Vec<Stream>) -> Self {
        let entries = streams.iter().map(|stream| stream.entries.len() as u64);
        Self {
            entries: entries.sum(),
            streams: streams.into(),
        }
    }

    /// The streams.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Lines in all streams.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

impl Labels {
    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.find(name).ok()?;
        Some(&self.pairs[at].1)
    }

    /// Gives a label a value, in place of the one that it may have.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.find(&name) {
            Ok(at) => self.pairs[at].1 = value,
            Err(at) => self.pairs.insert(at, (name, value)),
        }
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.pairs
            .binary_search_by(|(present, _)| present.as_str().cmp(name))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    /// Of several values of one name, the last.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }
}

impl fmt::Display for Labels {
    /// As in a query: `{job="a", pod="b"}`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (number, (name, value)) in self.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name}={value:?}")?;
        }
        formatter.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_each_is_there_once() {
        let mut labels: Labels = [("pod", "b"), ("job", "x"), ("pod", "c")]
            .into_iter()
            .collect();
        labels.set("app", "say \"hi\"");
        assert_eq!(
            labels.to_string(),
            r#"{app="say \"hi\"", job="x", pod="c"}"#
        );
        assert_eq!((labels.get("job"), labels.get("no")), (Some("x"), None));
        assert_eq!(Labels::default().to_string(), "{}");
    }

    #[test]
    fn lines_are_counted_over_all_streams() {
        let stream = |lines: usize| Stream {
            entries: vec![Entry::default(); lines],
            ..Stream::default()
        };
        assert_eq!(
            Loki::new(vec![stream(2), stream(0), stream(3)]).entries(),
            5
        );
    }
}
