//! What a key costs its owner, in steps that are coarse and slow to change.
//!
//! Every node computes the placement from the same published weights, and a weight that follows
//! each measurement would move keys all the time. So a weight is published as a power of two, and
//! another one only when the measured cost is clearly out of its range.

/// How far the measured cost has to be beyond the step's bounds before the step changes.
const MARGIN: f64 = 1.25;

/// A cost, rounded to a power of two: samples in a scrape, bytes a second, or what else is measured
/// alike for all keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    /// The weight of a cost of which nothing was known before.
    pub fn of(cost: u64) -> Self {
        // At most 63.
        Self(cost.max(1).ilog2() as u8)
    }

    /// From its number; steps above 63 are 63.
    pub fn from_step(step: u8) -> Self {
        Self(step.min(63))
    }

    /// Its number, as it is published: the logarithm of the cost.
    pub fn step(self) -> u8 {
        self.0
    }

    /// The cost that it stands for.
    pub fn cost(self) -> u64 {
        1 << self.0
    }

    /// The weight after a measurement: the same, unless the cost is clearly out of its range.
    pub fn measured(self, cost: u64) -> Self {
        let (low, high) = (self.cost() as f64, self.cost() as f64 * 2.0);
        let cost_seen = cost.max(1) as f64;
        if cost_seen * MARGIN < low || cost_seen > high * MARGIN {
            return Self::of(cost);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_changes_only_when_it_is_clearly_wrong() {
        let weight = Weight::of(1000);
        assert_eq!((weight.step(), weight.cost()), (9, 512));
        for (cost, expected) in [
            (512, 9),
            (420, 9),
            (400, 8),
            (1023, 9),
            (1270, 9),
            (1300, 10),
            (0, 0),
            (u64::MAX, 63),
        ] {
            assert_eq!(weight.measured(cost).step(), expected, "{cost}");
        }
        assert_eq!(Weight::of(0), Weight::of(1));
        assert_eq!(Weight::from_step(200).cost(), 1 << 63);
    }
}
