//! Which numbers of a sender have been seen: the highest, and a window below it.

/// Numbers below the highest that may still come, each once: datagrams overtake each other by a few.
const WIDTH: u64 = 128;

/// The numbers of one sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// The highest number plus one, so that nothing at all is 0.
    next: u64,
    /// Bit `i` says that `next - 1 - i` was seen.
    seen: u128,
}

impl Window {
    /// Whether the number is new; it is not from then on.
    pub(crate) fn take(&mut self, number: u64) -> bool {
        let Some(next) = number.checked_add(1) else {
            return false;
        };
        if next > self.next {
            let ahead = next - self.next;
            self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 };
            self.seen |= 1;
            self.next = next;
            return true;
        }
        let behind = self.next - next;
        if behind >= WIDTH || self.seen >> behind & 1 == 1 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_number_is_taken_once() {
        let mut window = Window::default();
        for (number, expected) in [
            (0, true),
            (0, false),
            (3, true),
            (1, true),
            (1, false),
            (3, false),
            (200, true),
            (73, true),
            (72, false),
            (3, false),
            (u64::MAX - 1, true),
            (u64::MAX - 1, false),
            (u64::MAX, false),
        ] {
            assert_eq!(window.take(number), expected, "{number}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice_and_what_is_recent_is_taken(
            numbers in prop::collection::vec(0_u64..600, 1..400)
        ) {
            let (mut window, mut taken, mut highest) = (Window::default(), HashSet::new(), 0);
            for number in numbers {
                let expected = !taken.contains(&number) && number + WIDTH > highest;
                prop_assert_eq!(window.take(number), expected);
                highest = highest.max(number);
                if expected {
                    taken.insert(number);
                }
            }
        }
    }
}
