//! What a lane remembers between attempts: which requests to send again, and how fast.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{job::Setback, progress::Progress, settings::Retry};

/// How often a destination that refuses our credentials or our path is asked again: an operator
/// who mends them should see it work within a minute, and the backend should not mind.
const PAUSED_RETRY: Duration = Duration::from_secs(30);

/// The shortest pause, whatever a backend or an operator asks for: a backend that says "at once"
/// to everybody must not be stormed.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The state of a lane's way.
#[derive(Debug)]
pub(super) struct Course {
    /// Requests to send again with the bounds that they had, by their first record.
    pub(super) again: BTreeMap<wal::Position, Progress>,
    /// How many requests may be under way: 1 after a setback, doubling with each success.
    pub(super) window: usize,
    window_max: usize,
    /// Failures in a row.
    failures: u32,
    /// Since when nothing has gone through.
    failing_since: Option<Instant>,
}

impl Course {
    /// A way without troubles so far.
    pub(super) fn new(window: usize) -> Self {
        let window = window.max(1);
        let again = BTreeMap::new();
        Self {
            again,
            window,
            window_max: window,
            failures: 0,
            failing_since: None,
        }
    }

    /// How far the request that begins with this record had come. What began before it is gone
    /// from the queue, and forgotten.
    pub(super) fn resume(&mut self, first: wal::Position) -> Option<Progress> {
        self.again = self.again.split_off(&first);
        self.again.get(&first).cloned()
    }

    /// A request went through. Returns for how long nothing had.
    pub(super) fn succeeded(&mut self) -> Option<Duration> {
        self.window = (self.window * 2).min(self.window_max);
        self.failures = 0;
        self.failing_since.take().map(|since| since.elapsed())
    }

    /// Requests came back. Returns how long to wait, and for how long nothing has gone through.
    pub(super) fn failed(&mut self, setback: &Setback, retry: &Retry) -> (Duration, Duration) {
        self.failures = self.failures.saturating_add(1);
        self.window = 1;
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let pause = match setback {
            Setback {
                after: Some(after), ..
            } => *after,
            Setback { paused: true, .. } => PAUSED_RETRY,
            Setback { .. } => retry.pause(self.failures, rand::random()),
        };
        if setback.paused {
            // Time in which only an operator can help is nobody's failure to deliver.
            self.again
                .values_mut()
                .for_each(|progress| progress.since = None);
        }
        (pause.max(PAUSE_MIN), since.elapsed())
    }

    /// Takes out, with their first records, the requests that have failed for longer than the operator allows.
    pub(super) fn expired(&mut self, retry: &Retry) -> Vec<(wal::Position, Progress)> {
        let is_over = |progress: &Progress| match (progress.since, retry.max_elapsed) {
            (None, _) => false,
            (Some(_), _) if !retry.enabled => true,
            (Some(_), None) => false,
            (Some(since), Some(bound)) => since.elapsed() > bound,
        };
        let over: Vec<_> = self
            .again
            .iter()
            .filter(|(_, p)| is_over(p))
            .map(|(first, _)| *first)
            .collect();
        over.iter()
            .filter_map(|first| self.again.remove_entry(first))
            .collect()
    }
}
