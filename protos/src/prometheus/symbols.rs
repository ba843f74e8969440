//! The texts of a request of remote write 2.0, each once.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use hashbrown::HashTable;

/// Texts with their places. It is used again and again: once it has grown it allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    text: String,
    places: Vec<Range<usize>>,
    index: HashTable<u32>,
    /// Seeded anew in each process: whoever names series must not be able to make lookups slow.
    hasher: RandomState,
}

impl Symbols {
    /// Forgets all texts but the empty one, which is always at place 0.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
        self.index.clear();
        self.places.push(0..0);
    }

    /// The place of a text.
    pub(super) fn place(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let hash = self.hasher.hash_one(text);
        let at = |place: u32| &self.text[self.places[place as usize].clone()];
        if let Some(place) = self.index.find(hash, |place| at(*place) == text) {
            return *place;
        }
        let place = self.places.len() as u32;
        let start = self.text.len();
        self.text.push_str(text);
        self.places.push(start..self.text.len());
        let (text, places, hasher) = (&self.text, &self.places, &self.hasher);
        self.index.insert_unique(hash, place, |place| {
            hasher.hash_one(&text[places[*place as usize].clone()])
        });
        place
    }

    /// The texts in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| &self.text[place.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_place() {
        let mut symbols = Symbols::default();
        for _ in 0..2 {
            symbols.clear();
            let places: Vec<u32> = ["a", "", "b", "a"].map(|text| symbols.place(text)).into();
            assert_eq!(places, [1, 0, 2, 1]);
            for number in 0..1000 {
                assert_eq!(symbols.place(&number.to_string()), number + 3);
            }
            assert_eq!(
                symbols.iter().take(4).collect::<Vec<_>>(),
                ["", "a", "b", "0"]
            );
        }
    }
}
