//! A set of sequence numbers that stays small: blocks of 65,536 bits, of which only those partly
//! filled are in memory. Streams fill up from the front, so that is a few blocks for each.

/// Bits in a block.
const BLOCK_BITS: u64 = 1 << 16;

/// 64-bit words in a block.
const BLOCK_WORDS: usize = (BLOCK_BITS / 64) as usize;

#[derive(Clone, Debug)]
enum Block {
    Empty,
    Full,
    Part {
        words: Box<[u64; BLOCK_WORDS]>,
        ones: u32,
    },
}

impl Block {
    fn word(&self, index: usize) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full => u64::MAX,
            Self::Part { words, .. } => words[index],
        }
    }

    /// Sets bits `from..to`; how many of them were not set before.
    fn set(&mut self, from: u64, to: u64) -> u64 {
        if matches!(self, Self::Empty) {
            *self = Self::Part {
                words: Box::new([0; BLOCK_WORDS]),
                ones: 0,
            };
        }
        let Self::Part { words, ones } = self else {
            return 0;
        };
        let mut fresh = 0;
        let mut at = from;
        while at < to {
            let end = (at / 64 * 64 + 64).min(to);
            let mask = (u64::MAX >> (64 - (end - at))) << (at % 64);
            let word = &mut words[(at / 64) as usize];
            fresh += (mask & !*word).count_ones();
            *word |= mask;
            at = end;
        }
        *ones += fresh;
        if u64::from(*ones) == BLOCK_BITS {
            *self = Self::Full;
        }
        u64::from(fresh)
    }
}

/// A growing set of numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitmap {
    blocks: Vec<Block>,
    ones: u64,
}

impl Bitmap {
    /// Adds `first..first + count`; how many of them are new.
    pub(crate) fn insert(&mut self, first: u64, count: u64) -> u64 {
        let (mut at, end) = (first, first + count);
        let mut fresh = 0;
        while at < end {
            let block = (at / BLOCK_BITS) as usize;
            if block >= self.blocks.len() {
                self.blocks.resize(block + 1, Block::Empty);
            }
            let start = block as u64 * BLOCK_BITS;
            let stop = (start + BLOCK_BITS).min(end);
            fresh += self.blocks[block].set(at - start, stop - start);
            at = stop;
        }
        self.ones += fresh;
        fresh
    }

    /// How many numbers are in it.
    pub(crate) fn len(&self) -> u64 {
        self.ones
    }

    /// How many numbers of this set are in none of `others`.
    pub(crate) fn missing_from(&self, others: &[&Self]) -> u64 {
        let mut missing = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            if matches!(block, Block::Empty) {
                continue;
            }
            let others: Vec<&Block> = others
                .iter()
                .filter_map(|other| other.blocks.get(index))
                .collect();
            if others.iter().any(|other| matches!(other, Block::Full)) {
                continue;
            }
            for word in 0..BLOCK_WORDS {
                let covered = others.iter().fold(0, |all, other| all | other.word(word));
                missing += u64::from((block.word(word) & !covered).count_ones());
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn it_agrees_with_a_set() {
        let mut rng = StdRng::seed_from_u64(4);
        let (mut sets, mut bitmaps) = (
            [BTreeSet::new(), BTreeSet::new()],
            [(); 2].map(|()| Bitmap::default()),
        );
        for _ in 0..400 {
            let which = rng.random_range(0..2);
            let (first, count) = (
                rng.random_range(0..300_000u64),
                rng.random_range(0..2000u64),
            );
            let fresh = (first..first + count)
                .filter(|n| sets[which].insert(*n))
                .count();
            assert_eq!(bitmaps[which].insert(first, count), fresh as u64);
        }
        let [one, other] = &bitmaps;
        assert_eq!(one.len(), sets[0].len() as u64);
        assert_eq!(
            one.missing_from(&[other]),
            sets[0].difference(&sets[1]).count() as u64
        );
        assert_eq!(one.missing_from(&[]), one.len());
        assert_eq!(one.missing_from(&[other, one]), 0);
    }

    #[test]
    fn a_full_block_takes_no_memory_and_still_counts() {
        let mut bitmap = Bitmap::default();
        assert_eq!(bitmap.insert(0, 3 * BLOCK_BITS), 3 * BLOCK_BITS);
        assert!(
            bitmap
                .blocks
                .iter()
                .all(|block| matches!(block, Block::Full))
        );
        assert_eq!(bitmap.insert(5, 10), 0);
        assert_eq!(bitmap.missing_from(&[&Bitmap::default()]), 3 * BLOCK_BITS);
    }
}
