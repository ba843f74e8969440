//! The one thread that writes: it gathers what callers submit, writes and syncs it as one group, and
//! answers them all.
//!
//! An idle log commits at once; while a sync is under way the next group gathers by itself. Only
//! when the last group had several callers does a group wait a moment for them to come back, since
//! their answers have just been sent. A failed write is never tried again: what the kernel did with
//! the pages is unknown, so the group fails and the store is opened anew.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, mpsc};

use tokio::time::Instant;

use crate::disk::Space;
use crate::error::{CommitError, Error};
use crate::group::{Group, Submission};
use crate::mark::Mark;
use crate::meters::Meters;
use crate::notes::{Key, encode_tally};
use crate::options::{PROGRESS_DELAY, QueueLimits};
use crate::record::Stored;
use crate::revive::Revival;
use crate::shared::Shared;
use crate::stats::QueueStats;
use crate::store::{Changes, StoreError};
use crate::trim::Trimmer;

/// What the writer is asked to do.
pub(crate) enum Job {
    Commit(Submission),
    /// A queue that does not exist yet.
    Create {
        name: String,
        limits: QueueLimits,
        reply: SyncSender<Result<u32, Error>>,
    },
    Remove {
        id: u32,
        reply: SyncSender<Result<QueueStats, Error>>,
    },
    /// Drop what a queue has that is older than that and was not handed out.
    Expire {
        id: u32,
        before_ms: u64,
    },
    /// There is progress to write when no group comes.
    Progress,
    /// Write everything there is, and end.
    Close {
        reply: SyncSender<()>,
    },
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    inbox: Receiver<Job>,
    /// A job that ended the gathering of a group.
    held: Option<Job>,
    /// When progress has to be written.
    progress_due: Option<Instant>,
    /// Commits in the last group.
    last_commits: usize,
    pub(crate) space: Space,
    pub(crate) mark: Mark,
    pub(crate) trimmer: Trimmer,
    pub(crate) revival: Option<Revival>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, inbox: Receiver<Job>, mark: Mark) -> Self {
        let space = Space::new(&shared.options);
        let trimmer = Trimmer::new(shared.options.memtable_bytes);
        Self {
            shared,
            inbox,
            held: None,
            progress_due: None,
            last_commits: 0,
            space,
            mark,
            trimmer,
            revival: None,
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            // A storm of commits that are all refused must not keep progress from the disk.
            if self.progress_due.is_some_and(|due| due <= Instant::now()) {
                self.write_progress(false);
            }
            match self.next_job() {
                Ok(Job::Commit(first)) => self.write_group(first),
                Ok(Job::Progress) => self.expect_progress(),
                Ok(Job::Create {
                    name,
                    limits,
                    reply,
                }) => {
                    let _ = reply.send(self.create(&name, limits));
                }
                Ok(Job::Remove { id, reply }) => {
                    let _ = reply.send(self.remove(id));
                }
                Ok(Job::Expire { id, before_ms }) => self.expire(id, before_ms),
                Err(RecvTimeoutError::Timeout) => self.on_timer(),
                Ok(Job::Close { reply }) => {
                    self.close();
                    let _ = reply.send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        if let Some(job) = self.held.take() {
            return Ok(job);
        }
        let due = match &self.revival {
            Some(revival) => [Some(revival.due()), None],
            None => [self.progress_due, self.trimmer.due_at(&self.shared.book())],
        };
        match due.into_iter().flatten().min() {
            Some(due) => self
                .inbox
                .recv_timeout(due.saturating_duration_since(Instant::now())),
            None => self
                .inbox
                .recv()
                .map_err(|mpsc::RecvError| RecvTimeoutError::Disconnected),
        }
    }

    fn expect_progress(&mut self) {
        self.progress_due
            .get_or_insert_with(|| Instant::now() + PROGRESS_DELAY);
    }

    fn on_timer(&mut self) {
        if self.revival.is_some() {
            self.revive();
        }
        self.write_progress(false);
    }

    /// Gathers a group behind `first` and commits it.
    fn write_group(&mut self, first: Submission) {
        let limit = self.shared.options.group_bytes_max;
        let mut bytes = first.waiting.bytes();
        let mut submissions = vec![first];
        let mut linger =
            (self.last_commits > 1).then(|| Instant::now() + self.shared.options.linger);
        while bytes < limit {
            let job = match self.inbox.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let Some(until) = linger.filter(|_| submissions.len() < self.last_commits)
                    else {
                        break;
                    };
                    let rest = until.saturating_duration_since(Instant::now());
                    match self.inbox.recv_timeout(rest) {
                        Ok(job) => job,
                        Err(_) => {
                            linger = None;
                            continue;
                        }
                    }
                }
            };
            match job {
                Job::Commit(submission) => {
                    bytes += submission.waiting.bytes();
                    submissions.push(submission);
                }
                // The group takes the progress with it, if it is not refused.
                Job::Progress => self.expect_progress(),
                other => {
                    self.held = Some(other);
                    break;
                }
            }
        }
        self.last_commits = submissions.len();
        self.commit(submissions);
    }

    fn commit(&mut self, submissions: Vec<Submission>) {
        if let Err(error) = self.ready() {
            for submission in submissions {
                let _ = submission.reply.send(Err(error.clone()));
            }
            return;
        }
        let mut group = Group::new(&self.shared.book(), &self.shared.options);
        for submission in submissions {
            match self.admit(&mut group, &submission) {
                Ok(()) => self.shared.book().enter(&mut group, submission),
                Err(error) => drop(submission.reply.send(Err(error))),
            }
        }
        let replies = std::mem::take(&mut group.replies);
        let result = if group.records.is_empty() {
            self.expect_progress();
            Ok(())
        } else {
            self.write(group)
        };
        for reply in replies {
            // A caller that went away has its data in the log all the same.
            let _ = reply.send(result.clone());
        }
    }

    /// Writes a group, with all progress there is, and shows it to the readers.
    fn write(&mut self, group: Group) -> Result<(), CommitError> {
        let mut changes = self.changes(Some(&group));
        let began = Instant::now();
        let (small, large) = group.split(self.shared.options.bulk_bytes_min);
        changes.records = small;
        // The notes are what makes the files count, so they come last.
        let written = large.values().try_for_each(|records| self.ingest(records));
        if let Err(error) = written.and_then(|()| self.put(&changes, true)) {
            for (tally, count) in &group.tallies {
                tally.cell.take_back(*count);
            }
            return Err(self.broken(&error));
        }
        self.shared.meters.synced(began.elapsed());
        let mut book = self.shared.book();
        let wake = book.publish(&group, &self.shared.options);
        let durable = book.clock.sequence - 1;
        self.trimmer.done(&mut book, &changes.trims);
        drop(book);
        for reader in wake {
            reader.notify_one();
        }
        let meters = &self.shared.meters;
        Meters::add(&meters.groups, 1);
        Meters::add(&meters.commits, group.commits);
        Meters::add(&meters.records, group.records.len() as u64);
        Meters::add(&meters.bytes, group.bytes);
        self.mark.set(durable, group.records.len() as u64);
        self.space.wrote(group.bytes);
        Ok(())
    }

    /// The notes and trims to write now, with those of a group.
    fn changes(&mut self, group: Option<&Group>) -> Changes {
        self.progress_due = None;
        self.shared.take_nudge();
        let mut book = self.shared.book();
        let mut moved = std::mem::take(&mut book.dirty);
        let mut changes = Changes::default();
        if let Some(group) = group {
            moved.extend(group.added.keys());
            for (id, head) in &group.heads {
                book.stream_notes(*id, *head, &mut changes.notes);
            }
            changes.notes.push((Key::Clock, book.clock.encode()));
        }
        let nothing = BTreeMap::new();
        let added = group.map_or(&nothing, |group| &group.added);
        book.progress_notes(&moved, added, &mut changes.notes);
        for (number, name, count) in book.tallies.changed() {
            changes
                .notes
                .push((Key::Tally(number), encode_tally(name, count)));
        }
        changes.trims = self.trimmer.due(&book);
        changes
    }

    fn ingest(&self, records: &[Stored]) -> Result<(), StoreError> {
        let store = self
            .shared
            .store()
            .map_err(|error| StoreError::other(&error.to_string()))?;
        let bytes = records.iter().map(|stored| stored.counts.bytes).sum();
        Meters::add(&self.shared.meters.bulk_bytes, bytes);
        store.ingest(records)
    }

    pub(crate) fn put(&self, changes: &Changes, sync: bool) -> Result<(), StoreError> {
        let store = self
            .shared
            .store()
            .map_err(|error| StoreError::other(&error.to_string()))?;
        store.write(changes, sync)
    }

    /// Writes all progress there is.
    pub(crate) fn write_progress(&mut self, sync: bool) {
        if self.revival.is_some() {
            // The book remembers; everything is written once the store is back.
            self.progress_due = None;
            self.shared.take_nudge();
            return;
        }
        let changes = self.changes(None);
        if changes.notes.is_empty() && changes.trims.is_empty() && !sync {
            return;
        }
        match self.put(&changes, sync) {
            Ok(()) => self.trimmer.done(&mut self.shared.book(), &changes.trims),
            Err(error) => drop(self.broken(&error)),
        }
    }

    fn close(&mut self) {
        if self.revival.is_some() {
            self.revive();
        }
        self.trimmer.hurry();
        self.write_progress(true);
        if self.revival.is_none() {
            let durable = self.shared.book().visible - 1;
            self.mark.close(durable);
        }
    }
}
