//! How many messages of one kind are written in a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use protos::Signal;
use tokio::time::Instant;

/// The span of time in which messages are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Lets the first messages of each second through, and some of those that follow.
#[derive(Debug)]
pub(super) struct Sampler {
    initial: u64,
    thereafter: u64,
    kinds: Mutex<[Window; 6]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Option<Instant>,
    seen: u64,
}

impl Sampler {
    pub(super) fn new(initial: u64, thereafter: u64) -> Self {
        Self {
            initial,
            thereafter,
            kinds: Mutex::default(),
        }
    }

    /// Whether the next message of this kind, a summary or what is behind it, is written.
    pub(super) fn allows(&self, signal: Signal, is_content: bool) -> bool {
        let row = match signal {
            Signal::Logs => 0,
            Signal::Metrics => 1,
            Signal::Traces => 2,
        };
        // A panic elsewhere cannot leave a count half written.
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let window = &mut kinds[row * 2 + usize::from(is_content)];
        let now = Instant::now();
        if window
            .began
            .is_none_or(|began| now.duration_since(began) >= WINDOW)
        {
            *window = Window {
                began: Some(now),
                seen: 0,
            };
        }
        window.seen += 1;
        let beyond = window.seen.saturating_sub(self.initial);
        // Nothing is a multiple of 0 but 0 itself.
        beyond.is_multiple_of(self.thereafter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of nine messages in one second are written.
    fn written(initial: u64, thereafter: u64) -> Vec<u64> {
        let sampler = Sampler::new(initial, thereafter);
        (1..10)
            .filter(|_| sampler.allows(Signal::Logs, false))
            .collect()
    }

    #[test]
    fn the_first_ones_and_every_nth_after_them_are_written() {
        assert_eq!(written(2, 1), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(written(2, 3), [1, 2, 5, 8]);
        assert_eq!(written(2, 0), [1, 2]);
        assert_eq!(written(0, 0), [0; 0]);
        assert_eq!(written(0, 4), [4, 8]);
    }

    #[test]
    fn kinds_are_counted_apart() {
        let sampler = Sampler::new(1, 0);
        for signal in Signal::ALL {
            for is_content in [false, true] {
                assert!(sampler.allows(signal, is_content));
                assert!(!sampler.allows(signal, is_content));
            }
        }
    }
}
