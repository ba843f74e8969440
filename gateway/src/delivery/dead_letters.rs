//! What destinations refused for good, kept in the log until an operator has looked at it.
//!
//! Each destination has a queue of its own for its dead letters. It is bounded: at the bound the
//! oldest go, and are counted. A letter stays until it is put back into the queue of its destination,
//! removed, or pushed out by newer ones.
//!
//! A queue's cursor passes its records in order, so what stands before a letter that is taken out is
//! written again behind the others. That is cheap enough for what is done by hand.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use protos::Signal;

use super::letter::Letter;
use crate::batch::{QueueKey, dead_letters_name, dead_letters_of};

/// Bytes of dead letters that are kept for a destination: some thousands of refused requests, which
/// is more than anybody looks at, and little beside a queue for an outage.
const BYTES_MAX: u64 = 64 << 20;

/// Dead letters that are kept for a destination: a list that can still be shown.
const LETTERS_MAX: u64 = 10_000;

/// Bytes and letters that are moved in one commit.
const STEP_BYTES: usize = 4 << 20;
const STEP_LETTERS: usize = 1000;

/// How long to wait for a letter before asking whether it still exists.
const READ_WAIT: Duration = Duration::from_secs(1);

/// The reason under which letters are counted that an operator removed.
const REMOVED: &str = "removed";

/// Which letters are meant. What is not set is not asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of this destination.
    pub component: Option<String>,
    /// Those of this signal.
    pub signal: Option<Signal>,
    /// Those of this tenant; the empty name is no tenant.
    pub tenant: Option<String>,
    /// Those with these names.
    pub ids: BTreeSet<String>,
}

/// What was done with letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Letters.
    pub letters: u64,
    /// Items in them.
    pub items: u64,
}

/// A destination's letters at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The destination.
    pub component: String,
    /// The letters, by the time at which they were refused.
    pub letters: Vec<Letter>,
}

/// The dead letters of a log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    log: wal::Log,
}

/// What is to be done with the letters that are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Replay,
    Remove,
}

impl Selection {
    /// The letter in a record of the right component's queue, if it is meant. One that a newer
    /// version wrote is left alone.
    fn meant(&self, entry: &wal::Entry) -> Option<Letter> {
        let letter = Letter::decode(&entry.record)
            .inspect_err(|reason| tracing::warn!("left a dead letter alone: {reason}"))
            .ok()?;
        let tenant = letter.key.tenant.as_str();
        let is_meant = self.signal.is_none_or(|signal| signal == letter.key.signal)
            && self.tenant.as_deref().is_none_or(|name| name == tenant)
            && (self.ids.is_empty() || self.ids.contains(&letter.id()));
        is_meant.then_some(letter)
    }
}

impl DeadLetters {
    /// The dead letters in this log.
    pub fn new(log: wal::Log) -> Self {
        Self { log }
    }

    /// Keeps letters of a destination.
    ///
    /// # Errors
    /// If the log does not take them; none is kept then.
    pub(super) async fn bury(
        &self,
        component: &str,
        letters: &[Letter],
    ) -> Result<(), wal::CommitError> {
        let queue = self.queue(component).await;
        let queue = queue.map_err(|error| wal::CommitError::Unavailable(error.to_string()))?;
        let append = |letter: &Letter| wal::Append {
            queues: (&queue).into(),
            record: letter.encode(),
        };
        self.log.commit(letters.iter().map(append).collect()).await
    }

    /// The letters that are meant, by destination.
    ///
    /// # Errors
    /// A sentence, if they cannot be read at the moment.
    pub async fn list(&self, selection: &Selection) -> Result<Vec<Kept>, String> {
        let mut kept = Vec::new();
        for (component, queue) in self.queues(selection) {
            let mut reading = Reading::new(&queue)?;
            let (mut letters, mut seen) = (Vec::new(), HashSet::new());
            while let Some(entry) = reading.next().await? {
                // After a crash a letter may be there twice.
                if let Some(letter) = selection.meant(&entry)
                    && seen.insert(letter.id())
                {
                    letters.push(letter);
                }
            }
            letters.sort_by_key(|letter| letter.refused_at);
            if !letters.is_empty() {
                kept.push(Kept { component, letters });
            }
        }
        Ok(kept)
    }

    /// Puts letters back into the queues of their destinations.
    ///
    /// # Errors
    /// A sentence, if some cannot be put back at the moment; they are dead letters still.
    pub async fn replay(&self, selection: &Selection) -> Result<Moved, String> {
        self.sweep(selection, Deed::Replay).await
    }

    /// Removes letters.
    ///
    /// # Errors
    /// A sentence, if some cannot be removed at the moment.
    pub async fn remove(&self, selection: &Selection) -> Result<Moved, String> {
        self.sweep(selection, Deed::Remove).await
    }

    async fn sweep(&self, selection: &Selection, deed: Deed) -> Result<Moved, String> {
        let mut moved = Moved::default();
        for (component, queue) in self.queues(selection) {
            let last = last_meant(&queue, selection).await?;
            let Some(last) = last else { continue };
            let mut reading = Reading::new(&queue)?;
            let mut seen = HashSet::new();
            loop {
                let step = reading.step(last).await?;
                if step.is_empty() {
                    break;
                }
                let mut plan = Plan::default();
                for entry in step {
                    let Some(letter) = selection.meant(&entry) else {
                        plan.append(&queue, entry, None);
                        continue;
                    };
                    let twice = !seen.insert(letter.id());
                    if !twice {
                        plan.moved.letters += 1;
                        plan.moved.items += letter.items;
                    }
                    if twice || deed == Deed::Remove {
                        plan.ends.push((entry.position, Some(REMOVED)));
                    } else {
                        let target = self.target(&component, &letter.key).await?;
                        plan.append(&target, entry, Some(letter.revive()));
                    }
                }
                self.carry_out(&queue, plan, &mut moved).await?;
                reading.settled();
            }
        }
        Ok(moved)
    }

    async fn carry_out(
        &self,
        queue: &wal::Queue,
        plan: Plan,
        moved: &mut Moved,
    ) -> Result<(), String> {
        let committed = self.log.commit(plan.appends).await;
        committed.map_err(|error| {
            let Moved { letters, .. } = moved;
            format!("{error}; {letters} dead letters were moved, the others are where they were")
        })?;
        for (position, reason) in plan.ends {
            let outcome = match reason {
                None => wal::Outcome::Delivered,
                Some(reason) => wal::Outcome::Dropped { reason },
            };
            queue.settle(position, outcome);
        }
        moved.letters += plan.moved.letters;
        moved.items += plan.moved.items;
        Ok(())
    }

    /// The queues for dead letters that may hold what is meant.
    fn queues(&self, selection: &Selection) -> Vec<(String, wal::Queue)> {
        let stats = self.log.queues().into_iter();
        let queue = |stats: wal::QueueStats| {
            let component = dead_letters_of(&stats.name)?;
            let other = selection
                .component
                .as_deref()
                .is_some_and(|wanted| wanted != component);
            let queue = self.log.find_queue(&stats.name)?;
            (!other).then(|| (component.to_owned(), queue))
        };
        stats.filter_map(queue).collect()
    }

    /// The queue for a destination's letters.
    async fn queue(&self, component: &str) -> Result<wal::Queue, wal::Error> {
        let limits = wal::QueueLimits {
            bytes: Some(BYTES_MAX),
            records: Some(LETTERS_MAX),
            policy: wal::Policy::DropOldest,
            ..wal::QueueLimits::default()
        };
        self.open(dead_letters_name(component), limits).await
    }

    /// The queue from which a letter came.
    async fn target(&self, component: &str, key: &QueueKey) -> Result<wal::Queue, String> {
        let name = key.queue_name(component);
        if let Some(queue) = self.log.find_queue(&name) {
            return Ok(queue);
        }
        let opened = self.open(name, wal::QueueLimits::default()).await;
        opened.map_err(|error| error.to_string())
    }

    async fn open(&self, name: String, limits: wal::QueueLimits) -> Result<wal::Queue, wal::Error> {
        let log = self.log.clone();
        // A new queue is a synced write.
        let opened = tokio::task::spawn_blocking(move || log.queue(&name, limits)).await;
        opened.unwrap_or(Err(wal::Error::Closed))
    }
}

/// Where the last letter stands that is meant.
async fn last_meant(
    queue: &wal::Queue,
    selection: &Selection,
) -> Result<Option<wal::Position>, String> {
    let mut reading = Reading::new(queue)?;
    let mut last = None;
    while let Some(entry) = reading.next().await? {
        if selection.meant(&entry).is_some() {
            last = Some(entry.position);
        }
    }
    Ok(last)
}

/// What is to be written and settled in one step.
#[derive(Default)]
struct Plan {
    appends: Vec<wal::Append>,
    /// Records that end here, and why, if they were not put elsewhere.
    ends: Vec<(wal::Position, Option<&'static str>)>,
    moved: Moved,
}

impl Plan {
    /// Puts a record into a queue, as it is or as another.
    fn append(&mut self, queue: &wal::Queue, entry: wal::Entry, other: Option<wal::Record>) {
        self.ends.push((entry.position, None));
        self.appends.push(wal::Append {
            queues: queue.into(),
            record: other.unwrap_or(entry.record),
        });
    }
}

/// Reads what a queue holds at this moment.
struct Reading {
    reader: wal::Reader,
    /// Records that are still to come.
    left: u64,
    /// Records that came and are not settled.
    open: u64,
}

impl Reading {
    fn new(queue: &wal::Queue) -> Result<Self, String> {
        let left = queue.stats().map_err(words)?.records;
        let reader = queue.reader().map_err(words)?;
        Ok(Self {
            reader,
            left,
            open: 0,
        })
    }

    /// The next record, none at the end.
    async fn next(&mut self) -> Result<Option<wal::Entry>, String> {
        while self.left > 0 {
            if let Ok(entry) = tokio::time::timeout(READ_WAIT, self.reader.next()).await {
                self.left -= 1;
                self.open += 1;
                return entry.map(Some).map_err(words);
            }
            // What was pushed out meanwhile does not come.
            let owed = self.reader.queue().stats().map_err(words)?.records;
            self.left = self.left.min(owed.saturating_sub(self.open));
        }
        Ok(None)
    }

    /// As many records as are moved at once, up to this one; none when it was passed.
    async fn step(&mut self, last: wal::Position) -> Result<Vec<wal::Entry>, String> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < STEP_LETTERS && bytes < STEP_BYTES {
            let Some(entry) = self.next().await? else {
                break;
            };
            bytes += entry.record.payload.len();
            if entry.position >= last {
                self.left = 0;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// All that came is settled.
    fn settled(&mut self) {
        self.open = 0;
    }
}

/// Why letters cannot be read now.
fn words(error: wal::Error) -> String {
    match error {
        wal::Error::ReaderTaken { .. } => {
            "somebody else works on these dead letters; try again in a moment".to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::batch::{Codec, Frame, Metadata, Tenant};

    fn letter(origin: u64) -> Letter {
        Letter {
            key: QueueKey {
                signal: Signal::Logs,
                tenant: Tenant::default(),
            },
            origin,
            first: 0,
            items: 1,
            reason: "invalid".to_owned(),
            words: "bad".to_owned(),
            refused_at: SystemTime::now(),
            accepted_at: SystemTime::now(),
            frame: Frame {
                codec: Codec::Identity,
                bytes: "body".into(),
                plain_length: 4,
            },
            metadata: Metadata::default(),
            merging: None,
        }
    }

    #[tokio::test]
    async fn at_the_bound_the_oldest_letters_go_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let log = wal::Log::open(wal::Options::new(folder.path())).unwrap();
        let letters = DeadLetters::new(log.clone());
        let many: Vec<_> = (0..LETTERS_MAX + 3).map(letter).collect();
        for some in many.chunks(500) {
            letters.bury("x", some).await.unwrap();
        }
        let stats = log.queues().remove(0);
        let pushed_out = stats.dropped["budget"];
        assert!(pushed_out >= 3 && stats.records + pushed_out == LETTERS_MAX + 3);
        let kept = letters.list(&Selection::default()).await.unwrap();
        assert_eq!(kept[0].letters[0].origin, pushed_out);
        log.close();
    }

    #[tokio::test]
    async fn a_letter_that_was_buried_twice_is_replayed_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = wal::Log::open(wal::Options::new(folder.path())).unwrap();
        let letters = DeadLetters::new(log.clone());
        letters.bury("x", &[letter(1), letter(2)]).await.unwrap();
        letters.bury("x", &[letter(1)]).await.unwrap();
        let kept = letters.list(&Selection::default()).await.unwrap();
        assert_eq!(kept[0].letters.len(), 2);
        let moved = letters.replay(&Selection::default()).await.unwrap();
        assert_eq!(moved.letters, 2);
        let owed = log.find_queue("x/logs/").unwrap().stats().unwrap();
        assert_eq!(owed.records, 2);
        assert!(
            letters
                .list(&Selection::default())
                .await
                .unwrap()
                .is_empty()
        );
        log.close();
    }
}
