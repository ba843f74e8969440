//! The series that a target had: raw bytes as it writes them, and the encoded labels that they became.
//!
//! Both lie behind each other in one buffer, and an index finds them by a hash of the raw bytes. Most
//! lookups need not even that: each series remembers which one followed it, and expositions keep their
//! order. So a million series take a few hundred bytes each, nearly all of them text.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// Bytes of one target's texts: offsets into them have 32 bits.
const TEXT_BYTES_MAX: usize = u32::MAX as usize;

/// No series.
const NONE: u32 = u32::MAX;

/// Series that are gone which do not yet make a new buffer worth its while.
const GONE_MIN: usize = 64;

/// The series of one target.
#[derive(Debug, Default)]
pub(super) struct Cache {
    text: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    /// Seeded anew in each process: targets must not be able to make lookups slow.
    hasher: RandomState,
    /// The series that was asked for last.
    last: Option<u32>,
    /// The one that came first in the last answer.
    first: Option<u32>,
}

/// A series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    at: u32,
    raw_len: u32,
    labels_len: u32,
    /// The one that followed it.
    next: u32,
    /// The scrape in which it was seen last.
    pub(super) seen: u32,
    /// Whether its end will have to be said.
    pub(super) live: bool,
    /// Whether its last sample had a time of its own.
    pub(super) stamped: bool,
    /// Whether its samples are native histograms.
    pub(super) histogram: bool,
}

impl Cache {
    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Begins a new answer.
    pub(super) fn rewind(&mut self) {
        self.last = None;
    }

    /// The raw bytes of the series that comes next, if the answer is like the last one.
    pub(super) fn expected(&self) -> &[u8] {
        self.guess()
            .and_then(|place| self.entries.get(place as usize))
            .map_or(&[], |entry| self.raw(entry))
    }

    fn guess(&self) -> Option<u32> {
        match self.last {
            None => self.first,
            Some(last) => Some(self.entries[last as usize].next).filter(|next| *next != NONE),
        }
    }

    /// The place of a series.
    pub(super) fn find(&mut self, raw: &[u8]) -> Option<u32> {
        let guess = self
            .guess()
            .filter(|place| self.raw(&self.entries[*place as usize]) == raw);
        let found = guess.or_else(|| {
            let hash = self.hasher.hash_one(raw);
            let is_it = |place: &u32| self.raw(&self.entries[*place as usize]) == raw;
            self.index.find(hash, is_it).copied()
        })?;
        self.follow(found);
        Some(found)
    }

    /// Adds a series that is not there.
    ///
    /// # Errors
    /// If there are more than can be.
    pub(super) fn insert(&mut self, raw: &[u8], labels: &[u8]) -> Result<u32, String> {
        if self.text.len() + raw.len() + labels.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "its series take more than {TEXT_BYTES_MAX} bytes of text"
            ));
        }
        let place = self.entries.len() as u32;
        self.entries.push(Entry {
            at: self.text.len() as u32,
            raw_len: raw.len() as u32,
            labels_len: labels.len() as u32,
            next: NONE,
            seen: 0,
            live: false,
            stamped: false,
            histogram: false,
        });
        self.text.extend_from_slice(raw);
        self.text.extend_from_slice(labels);
        self.add_to_index(place);
        self.follow(place);
        Ok(place)
    }

    fn add_to_index(&mut self, place: u32) {
        let (text, entries, hasher) = (&self.text, &self.entries, &self.hasher);
        let hash_of = |place: &u32| hasher.hash_one(raw(text, &entries[*place as usize]));
        let hash = hash_of(&place);
        self.index.insert_unique(hash, place, hash_of);
    }

    /// Remembers that a series came behind the last one.
    fn follow(&mut self, place: u32) {
        match self.last {
            None => self.first = Some(place),
            Some(last) => self.entries[last as usize].next = place,
        }
        self.last = Some(place);
    }

    /// A series.
    pub(super) fn entry(&mut self, place: u32) -> &mut Entry {
        &mut self.entries[place as usize]
    }

    /// All series.
    pub(super) fn entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// The encoded labels of a series.
    pub(super) fn labels(&self, entry: &Entry) -> &[u8] {
        let start = entry.at as usize + entry.raw_len as usize;
        &self.text[start..start + entry.labels_len as usize]
    }

    fn raw(&self, entry: &Entry) -> &[u8] {
        raw(&self.text, entry)
    }

    /// Lets go of the series that were not seen in a scrape, once they are many.
    pub(super) fn forget(&mut self, scrape: u32) {
        let gone = self
            .entries
            .iter()
            .filter(|entry| entry.seen != scrape)
            .count();
        if gone < GONE_MIN || gone * 4 < self.entries.len() {
            return;
        }
        let (text, entries) = (
            std::mem::take(&mut self.text),
            std::mem::take(&mut self.entries),
        );
        self.index.clear();
        (self.last, self.first) = (None, None);
        self.text
            .reserve_exact(text.len() / entries.len() * (entries.len() - gone));
        self.entries.reserve_exact(entries.len() - gone);
        for entry in entries.into_iter().filter(|entry| entry.seen == scrape) {
            let place = self.entries.len() as u32;
            let start = entry.at as usize;
            let bytes = entry.raw_len as usize + entry.labels_len as usize;
            let at = self.text.len() as u32;
            self.text.extend_from_slice(&text[start..start + bytes]);
            self.entries.push(Entry {
                at,
                next: NONE,
                ..entry
            });
            self.add_to_index(place);
            self.follow(place);
        }
    }
}

fn raw<'t>(text: &'t [u8], entry: &Entry) -> &'t [u8] {
    let start = entry.at as usize;
    &text[start..start + entry.raw_len as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(cache: &mut Cache, raw: &str) -> u32 {
        assert_eq!(cache.find(raw.as_bytes()), None);
        cache
            .insert(raw.as_bytes(), format!("labels of {raw}").as_bytes())
            .unwrap()
    }

    #[test]
    fn series_are_found_in_any_order_and_guessed_in_the_same() {
        let mut cache = Cache::default();
        assert_eq!(cache.expected(), b"");
        let places = ["a", "b", "c"].map(|raw| insert(&mut cache, raw));
        cache.rewind();
        for (raw, place) in ["a", "b", "c"].into_iter().zip(places) {
            assert_eq!(cache.expected(), raw.as_bytes());
            assert_eq!(cache.find(raw.as_bytes()), Some(place));
            let entry = *cache.entry(place);
            assert_eq!(cache.labels(&entry), format!("labels of {raw}").as_bytes());
        }
        // A new order is learnt.
        for _ in 0..2 {
            cache.rewind();
            for raw in ["c", "a", "b"] {
                assert!(cache.find(raw.as_bytes()).is_some());
            }
        }
        cache.rewind();
        assert_eq!(cache.expected(), b"c");
        cache.find(b"c");
        assert_eq!(cache.expected(), b"a");
    }

    #[test]
    fn what_is_gone_is_let_go_of_when_it_is_much() {
        let mut cache = Cache::default();
        for number in 0..1000 {
            let place = insert(&mut cache, &format!("series {number}"));
            cache.entry(place).seen = if number % 2 == 0 { 2 } else { 1 };
        }
        let before = cache.text.len();
        cache.forget(2);
        assert_eq!(cache.len(), 500);
        assert!(cache.text.len() < before * 6 / 10);
        for number in 0..1000 {
            let raw = format!("series {number}");
            let found = cache.find(raw.as_bytes());
            assert_eq!(found.is_some(), number % 2 == 0, "{raw}");
            if let Some(place) = found {
                let entry = *cache.entry(place);
                assert_eq!(cache.labels(&entry), format!("labels of {raw}").as_bytes());
            }
        }
        let place = cache.find(b"series 0").unwrap();
        cache.entry(place).seen = 1;
        cache.forget(2);
        assert_eq!(cache.len(), 500, "one is not worth it");
    }
}
