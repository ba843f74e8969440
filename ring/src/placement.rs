//! Places weighted keys so that no member is loaded much above the mean, with as few keys as possible
//! away from their place on the ring.
//!
//! Each key begins at its owner on the ring. Members above the bound give up what brings them below
//! it, in few heavy keys rather than many light ones, and those go on along a sequence of places that
//! depends on nothing but the key. (Consistent hashing with bounded loads, Mirrokni, Thorup and
//! Zadimoghaddam, 2016, lets the keys that come last move on; with costs as uneven as those of
//! targets that moves most keys whenever a member comes.)

use std::cmp::Reverse;

use crate::{Ring, RingKey, Weight};

/// How much more than the mean a member may be loaded with. Less means more keys that are not at
/// their place on the ring, and so move when others do.
pub const SLACK: f64 = 0.10;

/// Places that a key tries before it goes to the member with the least load: in a ring of any size
/// most members have room, so that this many misses are as good as impossible.
const PROBES_MAX: u64 = 64;

/// Who owns which key, by the keys' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    owners: Vec<Option<usize>>,
    loads: Vec<u64>,
}

// === impl Placement ===

impl Placement {
    /// Places keys on a ring. The same ring, keys and weights give the same placement, in whatever
    /// order the keys come.
    pub fn new(ring: &Ring, keys: &[(RingKey, Weight)]) -> Self {
        let members = ring.members().len();
        let mut placement = Self {
            owners: keys.iter().map(|(key, _)| ring.owner_index(*key)).collect(),
            loads: vec![0; members],
        };
        if members == 0 {
            return placement;
        }
        let mut owned = vec![Vec::new(); members];
        for (at, owner) in placement.owners.iter().enumerate() {
            if let Some(owner) = *owner {
                placement.loads[owner] += keys[at].1.cost();
                owned[owner].push(at);
            }
        }
        let total: u64 = placement.loads.iter().sum();
        let room = (total as f64 / members as f64 * (1.0 + SLACK)).ceil() as u64;
        let mut homeless = Vec::new();
        for (member, mut owned) in owned.into_iter().enumerate() {
            // Heavy ones first; of equal weight, the key decides and not the order of the input.
            owned.sort_by_key(|at| (Reverse(keys[*at].1), keys[*at].0));
            homeless.extend(placement.give_up(member, &owned, keys, room));
        }
        homeless.sort_by_key(|at| (Reverse(keys[*at].1), keys[*at].0));
        for at in homeless {
            let (key, weight) = keys[at];
            let owner = placement.find_room(ring, key, weight.cost(), room);
            placement.owners[at] = owner;
            if let Some(owner) = owner {
                placement.loads[owner] += weight.cost();
            }
        }
        placement
    }

    /// The owner of each key that was given, as an index into the ring's members.
    pub fn owners(&self) -> &[Option<usize>] {
        &self.owners
    }

    /// The cost that each member bears.
    pub fn loads(&self) -> &[u64] {
        &self.loads
    }

    /// Takes keys from a member until it is within its room; `owned` are its keys, heavy ones first.
    /// One that fits nowhere stays.
    fn give_up(
        &mut self,
        member: usize,
        owned: &[usize],
        keys: &[(RingKey, Weight)],
        room: u64,
    ) -> Vec<usize> {
        let mut given = Vec::new();
        let mut excess = self.loads[member].saturating_sub(room);
        let mut kept = Vec::new();
        for at in owned {
            let cost = keys[*at].1.cost();
            if cost <= excess {
                excess -= cost;
                self.loads[member] -= cost;
                given.push(*at);
            } else if cost <= room {
                kept.push(*at);
            }
        }
        // What is left of the excess is less than the lightest key that was kept.
        if excess > 0
            && let Some(at) = kept.pop()
        {
            self.loads[member] -= keys[at].1.cost();
            given.push(at);
        }
        given
    }

    /// The first member on the key's way that has room, or else the one with the least load.
    fn find_room(&self, ring: &Ring, key: RingKey, cost: u64, room: u64) -> Option<usize> {
        let fits = |owner: &usize| self.loads[*owner] + cost <= room;
        (1..=PROBES_MAX)
            .filter_map(|attempt| ring.owner_index(key.probe(attempt)))
            .find(fits)
            .or_else(|| (0..self.loads.len()).min_by_key(|member| self.loads[*member]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(members: usize) -> Ring {
        Ring::new((0..members).map(|number| format!("corten-{number}")))
    }

    /// Targets as they are: most are small, some are large.
    fn targets(count: u64) -> Vec<(RingKey, Weight)> {
        let cost = |number: u64| {
            if number.is_multiple_of(50) {
                50_000
            } else {
                200 + number % 900
            }
        };
        (0..count)
            .map(|number| (RingKey::of(&number.to_le_bytes()), Weight::of(cost(number))))
            .collect()
    }

    #[test]
    fn no_member_is_loaded_much_above_the_mean() {
        for members in [2, 3, 5, 10] {
            let placement = Placement::new(&ring(members), &targets(2000));
            let total: u64 = placement.loads().iter().sum();
            let bound = total as f64 / members as f64 * (1.0 + SLACK) + 1.0;
            for load in placement.loads() {
                assert!(*load as f64 <= bound, "{members}: {load} > {bound}");
            }
            assert!(placement.owners().iter().all(Option::is_some));
        }
    }

    #[test]
    fn one_giant_does_not_bring_others_with_it() {
        let mut keys = targets(300);
        keys[7].1 = Weight::of(1 << 40);
        let placement = Placement::new(&ring(3), &keys);
        let giant = placement.owners()[7].unwrap();
        let owned = placement
            .owners()
            .iter()
            .filter(|owner| **owner == Some(giant));
        assert_eq!(owned.count(), 1, "the giant's owner has enough with it");
    }

    #[test]
    fn few_keys_move_when_a_member_comes() {
        let keys = targets(2000);
        for members in [3, 5, 10] {
            let (before, after) = (ring(members), ring(members + 1));
            let owners = |ring: &Ring| -> Vec<Option<String>> {
                let name = |owner: &Option<usize>| owner.map(|at| ring.members()[at].clone());
                Placement::new(ring, &keys)
                    .owners()
                    .iter()
                    .map(name)
                    .collect()
            };
            let (old, new) = (owners(&before), owners(&after));
            let pairs = old.iter().zip(&new);
            let moved = pairs.filter(|(old, new)| old != new).count() as f64 / keys.len() as f64;
            let share = 1.0 / (members + 1) as f64;
            assert!(
                moved < 1.5 * share,
                "{members}: {moved:.3} of the keys moved"
            );
        }
    }

    proptest! {
        #[test]
        fn the_order_of_keys_does_not_matter(
            keys in prop::collection::vec((any::<u64>(), 0_u8..20), 0..60), members in 0_usize..5
        ) {
            let keys: Vec<_> = keys
                .into_iter()
                .map(|(key, step)| (RingKey::from_hash(key), Weight::from_step(step)))
                .collect();
            let ring = ring(members);
            let mut reversed = keys.clone();
            reversed.reverse();
            let one = Placement::new(&ring, &keys);
            let mut other = Placement::new(&ring, &reversed);
            other.owners.reverse();
            prop_assert_eq!(one, other);
        }
    }
}
