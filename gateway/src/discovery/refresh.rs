//! What every component that looks for targets again and again has in common: the last good ones are
//! kept, and what others refer to changes only when the targets do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Target;

/// The targets that were found last.
#[derive(Debug, Default)]
pub struct Refresh {
    targets: Mutex<Vec<Target>>,
}

impl Refresh {
    /// The targets to export.
    pub fn targets(&self) -> Vec<Target> {
        self.lock().clone()
    }

    /// Takes the targets that were found now, in any order. Whether they are others than before.
    pub fn take(&self, mut targets: Vec<Target>) -> bool {
        targets.sort();
        targets.dedup();
        let mut last = self.lock();
        let changed = *last != targets;
        *last = targets;
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_targets_are_a_change() {
        let target = |address: &str| Target::new([("__address__", address)]);
        let refresh = Refresh::default();
        assert!(!refresh.take(Vec::new()));
        assert!(refresh.take(vec![target("b"), target("a")]));
        assert!(!refresh.take(vec![target("a"), target("b"), target("a")]));
        assert_eq!(refresh.targets(), [target("a"), target("b")]);
        assert!(refresh.take(Vec::new()));
    }
}
