//! The ring: each member stands on it at many points, and a key belongs to the member whose point
//! comes next.
//!
//! The hash of everything is a fixed function of its bytes, and a ring is always made anew of the
//! sorted names. So the same members give the same owners on every node, on every processor and in
//! every version, whatever came and went before.

use std::hash::{BuildHasher, Hash, Hasher};

use hashring::HashRing;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Points of a member on the ring. The share of a member is off by about one part in the root of
/// this, a sixty-fourth; a point takes 16 bytes, so a thousand members take 64 MiB.
pub const VIRTUAL_NODES: u32 = 4096;

/// What is owned: a target, a trace, a resource; its place on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingKey(u64);

/// Who owns what among a fixed set of members.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Sorted, without repetition.
    members: Vec<String>,
    points: HashRing<Point, Identity>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    place: u64,
    member: u32,
}

// === impl RingKey ===

impl RingKey {
    /// The key of an identity, which is any bytes that name a thing and stay the same.
    pub fn of(identity: &[u8]) -> Self {
        Self(xxh3_64(identity))
    }

    /// The key of an identity that was hashed already, by a hash that spreads evenly.
    pub fn from_hash(hash: u64) -> Self {
        Self(hash)
    }

    /// The place on the ring.
    pub fn place(self) -> u64 {
        self.0
    }

    /// Where the key stands if its first places are taken: a sequence that is the same everywhere.
    pub(crate) fn probe(self, attempt: u64) -> Self {
        match attempt {
            0 => self,
            attempt => Self(xxh3_64_with_seed(&self.0.to_be_bytes(), attempt)),
        }
    }
}

// === impl Ring ===

impl Ring {
    /// The ring of these members. Repeated names count once.
    pub fn new(members: impl IntoIterator<Item = String>) -> Self {
        let mut members: Vec<String> = members.into_iter().collect();
        members.sort();
        members.dedup();
        let mut points = Vec::with_capacity(members.len() * VIRTUAL_NODES as usize);
        for (member, name) in (0..).zip(&members) {
            for number in 0..VIRTUAL_NODES {
                let place = xxh3_64_with_seed(name.as_bytes(), u64::from(number));
                points.push(Point { place, member });
            }
        }
        let mut ring = HashRing::with_hasher(Identity);
        ring.batch_add(points);
        Self {
            members,
            points: ring,
        }
    }

    /// The members, sorted.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Who owns a key; nobody on a ring without members.
    pub fn owner(&self, key: RingKey) -> Option<&str> {
        self.owner_index(key).map(|index| &*self.members[index])
    }

    /// The same as an index into [`Ring::members`].
    pub fn owner_index(&self, key: RingKey) -> Option<usize> {
        self.points.get(&key).map(|point| point.member as usize)
    }
}

impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

// === Hashing ===

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.place);
    }
}

/// Places are hashes already.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Identity;

struct IdentityHasher(u64);

impl BuildHasher for Identity {
    type Hasher = IdentityHasher;

    fn build_hasher(&self) -> IdentityHasher {
        IdentityHasher(0)
    }
}

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only numbers of 64 bits are hashed here; this keeps others from colliding all the same.
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, place: u64) {
        self.0 = place;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count)
            .map(|number| format!("corten-{number}"))
            .collect()
    }

    fn keys(count: u64) -> impl Iterator<Item = RingKey> {
        (0..count).map(|number| RingKey::of(&number.to_be_bytes()))
    }

    #[test]
    fn a_ring_of_nobody_owns_nothing() {
        assert_eq!(Ring::new(names(0)).owner(RingKey::of(b"key")), None);
        assert_eq!(
            Ring::new(names(1)).owner(RingKey::of(b"key")),
            Some("corten-0")
        );
    }

    /// Owners are part of the protocol between nodes of different versions.
    #[test]
    fn owners_stay_the_same_in_every_version() {
        let ring = Ring::new(names(5));
        let owners: Vec<_> = ["a", "b", "target", "trace", ""]
            .iter()
            .map(|key| ring.owner_index(RingKey::of(key.as_bytes())).unwrap())
            .collect();
        assert_eq!(owners, OWNERS_OF_VERSION_1);
    }

    #[test]
    fn shares_are_even_within_five_percent() {
        const KEYS: u64 = 200_000;
        for members in [2, 3, 5, 10, 20] {
            let ring = Ring::new(names(members));
            let mut owned = vec![0_u64; members];
            for key in keys(KEYS) {
                owned[ring.owner_index(key).unwrap()] += 1;
            }
            let mean = KEYS as f64 / members as f64;
            for count in owned {
                let off = (count as f64 / mean - 1.0).abs();
                assert!(off < 0.05, "{members} members: a share is off by {off:.3}");
            }
        }
    }

    #[test]
    fn a_newcomer_takes_its_share_and_moves_nothing_else() {
        const KEYS: u64 = 100_000;
        for members in [1, 3, 5, 20] {
            let (old, new) = (Ring::new(names(members)), Ring::new(names(members + 1)));
            let newcomer = format!("corten-{members}");
            let mut moved = 0;
            for key in keys(KEYS) {
                if old.owner(key) != new.owner(key) {
                    assert_eq!(new.owner(key), Some(&*newcomer));
                    moved += 1;
                }
            }
            let share = moved as f64 / KEYS as f64 * (members + 1) as f64;
            assert!((0.93..1.07).contains(&share), "{members}: {share:.3}");
        }
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_names_do_not_matter(
            mut members in prop::collection::vec("[a-z]{1,4}", 1..8), key in any::<u64>()
        ) {
            let key = RingKey::from_hash(key);
            let one = Ring::new(members.clone());
            members.reverse();
            members.push(members[0].clone());
            let other = Ring::new(members);
            prop_assert_eq!(one.owner(key), other.owner(key));
            prop_assert_eq!(one, other);
        }
    }

    const OWNERS_OF_VERSION_1: [usize; 5] = [2, 3, 1, 1, 4];
}
