//! How far a request has come: what of it is still to be sent, in which pieces, and what was lost.
//!
//! Pieces are ranges of the request's items, so that all of this is kept while the bodies are
//! forgotten, and a later attempt goes on where the one before ended.

use std::{borrow::Cow, collections::VecDeque, num::NonZeroU64, ops::Range};

use tokio::time::Instant;

use crate::ledger::DEAD_LETTERED;

/// How often a refused request may be halved to find the bad items in it, for each halving that finds
/// one of them: so eight bad items are found exactly. With more, good ones that lie between them share
/// their fate, because each halving is a request or two to a backend that has said no already.
const BAD_ITEMS_FOUND: u32 = 8;

/// What a later attempt needs to go on and not start over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The last record in the request.
    pub(super) last: Option<wal::Position>,
    /// When the first attempt was made.
    pub(super) since: Option<Instant>,
    /// Bytes that a piece may have, once the backend said that it is too large.
    pub(super) bytes_max: Option<NonZeroU64>,
    /// What is to be sent; none before the first attempt.
    left: Option<VecDeque<Piece>>,
    losses: Vec<Loss>,
    halvings: u32,
}

/// Items that go in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) items: Range<u64>,
    /// Whether something in it is refused for sure, because everything beside it was taken.
    pub(super) bad: bool,
    /// Whether the piece behind it is bad if this one is taken.
    tells: bool,
}

/// Items that the destination will not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) items: Range<u64>,
    /// Why, as it is counted.
    pub(super) reason: &'static str,
    /// The backend's words, if it refused these very items for good: they become a dead letter.
    pub(super) words: Option<String>,
}

impl Progress {
    /// The next piece of a request that has so many items; none when all is done.
    pub(super) fn next(&mut self, items: u64) -> Option<Piece> {
        let whole = || VecDeque::from([Piece::new(0..items)]);
        self.left.get_or_insert_with(whole).front().cloned()
    }

    /// The backend has the first piece.
    pub(super) fn delivered(&mut self) {
        if let Some(piece) = self.take()
            && piece.tells
            && let Some(next) = self.left.as_mut().and_then(VecDeque::front_mut)
        {
            next.bad = true;
        }
    }

    /// The backend has the first piece but for some items; it does not say which, so they are counted
    /// at its end.
    pub(super) fn partly(&mut self, rejected: u64, reason: &'static str) {
        if let Some(Piece { items, .. }) = self.take() {
            let rejected = rejected.min(items.end - items.start);
            self.lose(items.end - rejected..items.end, reason, None);
        }
    }

    /// The first piece will never arrive.
    pub(super) fn lost(&mut self, reason: &'static str, words: Option<String>) {
        if let Some(piece) = self.take() {
            self.lose(piece.items, reason, words);
        }
    }

    /// Nothing that is left will arrive.
    pub(super) fn give_up(&mut self, items: u64, reason: &'static str) {
        while self.next(items).is_some() {
            self.lost(reason, None);
        }
    }

    /// Whether a request of so many items may be halved once more.
    pub(super) fn may_halve(&self, items: u64) -> bool {
        self.halvings < BAD_ITEMS_FOUND * (items.max(1).ilog2() + 1)
    }

    /// Cuts the first piece in two, to find out which of them is refused.
    pub(super) fn halve(&mut self, at: u64) {
        if let Some(Piece { items, .. }) = self.take()
            && let Some(left) = &mut self.left
        {
            self.halvings += 1;
            left.push_front(Piece::new(at..items.end));
            left.push_front(Piece {
                tells: true,
                ..Piece::new(items.start..at)
            });
        }
    }

    /// Cuts the first piece in these places, because it is too large.
    pub(super) fn cut(&mut self, at: &[u64]) {
        if let Some(Piece { items, .. }) = self.take()
            && let Some(left) = &mut self.left
        {
            let mut end = items.end;
            for start in at.iter().rev().copied().chain([items.start]) {
                left.push_front(Piece::new(start..end));
                end = start;
            }
        }
    }

    /// What was lost, in order.
    pub(super) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Gives the dead letters up as well: there is no room for them.
    pub(super) fn forget_letters(&mut self) {
        for loss in &mut self.losses {
            loss.words = None;
        }
    }

    fn take(&mut self) -> Option<Piece> {
        self.left.as_mut().and_then(VecDeque::pop_front)
    }

    fn lose(&mut self, items: Range<u64>, reason: &'static str, words: Option<String>) {
        if items.is_empty() {
            return;
        }
        match self.losses.last_mut() {
            Some(last)
                if last.items.end == items.start
                    && last.reason == reason
                    && last.words == words =>
            {
                last.items.end = items.end;
            }
            _ => self.losses.push(Loss {
                items,
                reason,
                words,
            }),
        }
    }
}

impl Piece {
    fn new(items: Range<u64>) -> Self {
        Self {
            items,
            bad: false,
            tells: false,
        }
    }
}

impl Loss {
    /// What became of the items, as it is counted in the queue's account.
    pub(super) fn outcome(&self) -> Cow<'static, str> {
        match self.words {
            Some(_) => format!("{DEAD_LETTERED}{}", self.reason).into(),
            None => self.reason.into(),
        }
    }

    /// How many of these items were lost.
    pub(super) fn within(&self, items: &Range<u64>) -> u64 {
        let end = self.items.end.min(items.end);
        end.saturating_sub(self.items.start.max(items.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent, and what is lost, by halving at the middle against a judge of items.
    fn halve(items: u64, bad: &[u64]) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let mut progress = Progress::default();
        let mut sent = Vec::new();
        while let Some(piece) = progress.next(items) {
            let Range { start, end } = piece.items;
            let may_halve = end - start > 1 && progress.may_halve(items);
            if piece.bad && may_halve {
                progress.halve(start + (end - start) / 2);
                continue;
            }
            sent.push(start..end);
            match bad.iter().any(|item| piece.items.contains(item)) {
                false => progress.delivered(),
                true if may_halve => progress.halve(start + (end - start) / 2),
                true => progress.lost("invalid", Some("bad".to_owned())),
            }
        }
        let losses = progress.losses().iter().map(|loss| loss.items.clone());
        (sent, losses.collect())
    }

    #[test]
    fn every_single_bad_item_is_found_with_few_requests() {
        for items in 1..=64 {
            for bad in 0..items {
                let (sent, lost) = halve(items, &[bad]);
                let only = std::iter::once(bad..bad + 1);
                assert!(lost.into_iter().eq(only), "{items} {bad}");
                let most = 2 * (items.ilog2() as usize + 1) + 1;
                assert!(sent.len() <= most, "{items} {bad}: {sent:?}");
            }
        }
    }

    #[test]
    fn eight_bad_items_are_found_and_with_more_the_requests_are_bounded() {
        let eight: Vec<u64> = (0..8).map(|n| n * 1000 + 7).collect();
        let (_, lost) = halve(8192, &eight);
        let single: Vec<_> = eight.iter().map(|bad| *bad..bad + 1).collect();
        assert_eq!(lost, single);

        let every_other: Vec<u64> = (0..8192).step_by(2).collect();
        let (sent, lost) = halve(8192, &every_other);
        assert!(sent.len() <= 2 * 8 * 14 + 1, "{}", sent.len());
        let lost_items: u64 = lost.iter().map(|range| range.end - range.start).sum();
        assert!(
            lost_items >= 4096,
            "the bad ones are all lost: {lost_items}"
        );
    }

    #[test]
    fn pieces_that_are_too_large_keep_their_order() {
        let mut progress = Progress::default();
        progress.next(10);
        progress.cut(&[3, 7]);
        let mut sent = Vec::new();
        while let Some(piece) = progress.next(10) {
            sent.push(piece.items);
            progress.delivered();
        }
        assert_eq!(sent, [0..3, 3..7, 7..10]);
        assert!(progress.losses().is_empty());
    }

    #[test]
    fn a_loss_is_counted_where_it_is() {
        let loss = Loss {
            items: 3..8,
            reason: "r",
            words: None,
        };
        for (record, expected) in [(0..3, 0), (0..4, 1), (4..6, 2), (7..20, 1), (8..9, 0)] {
            assert_eq!(loss.within(&record), expected, "{record:?}");
        }
    }
}
