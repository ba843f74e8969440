//! One queue on its way to its destination: a signal of a tenant, with its own cursor, its own
//! pace and its own troubles.
//!
//! A lane that meets a setback forgets the bodies it had in memory and keeps only where each
//! request began and how far it had come. When its pause is over it reads them from the log again
//! and sends the very same requests, one at first as a probe and then more. So a dead backend
//! costs no memory, and is not stormed when it comes back.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    job::{Context, Progress, Setback},
    request::{Gathered, interrupted},
    settings::{QueueSettings, Retry},
};
use crate::{
    batch::Merging,
    graph::{Health, Site},
};

/// How often a destination that refuses our credentials or our path is asked again: an operator
/// who mends them should see it work within a minute, and the backend should not mind.
const PAUSED_RETRY: Duration = Duration::from_secs(30);

/// How long requests under way may take to end when the lane is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long to wait before a log that cannot be read is tried again.
const READ_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Lane {
    pub(super) site: Site,
    pub(super) queue: wal::Queue,
    pub(super) context: Context,
    pub(super) settings: QueueSettings,
    pub(super) retry: Retry,
}

/// How long to wait for a record of a failed request to come from the disk. It is there, unless it
/// was dropped to make room.
const READ_WAIT: Duration = Duration::from_secs(5);

/// A request that came back, or is done.
struct Ended {
    gathered: Gathered,
    progress: Progress,
    setback: Option<Setback>,
}

type Job = BoxFuture<'static, Ended>;

/// A request that is being put together.
struct Pending {
    gathered: Gathered,
    /// How far it had come, if it failed before.
    again: Option<Progress>,
    /// When it no longer waits for more records.
    deadline: Instant,
}

impl Pending {
    fn new(gathered: Gathered, again: Option<Progress>, fallback: Option<Merging>) -> Self {
        let merging = gathered.first().merging.or(fallback);
        let wait = merging.map_or(0, |merging| merging.wait_milliseconds);
        let wait = if again.is_some() {
            READ_WAIT
        } else {
            Duration::from_millis(wait)
        };
        Self {
            gathered,
            again,
            deadline: Instant::now() + wait,
        }
    }

    fn is_complete(&self, fallback: Option<Merging>) -> bool {
        match &self.again {
            Some(progress) => self.gathered.entries.len() >= progress.entries,
            None => self.gathered.is_full(fallback),
        }
    }
}

/// Where the lane reads, and what it has read but not sent.
struct Gathering {
    reader: wal::Reader,
    pending: Option<Pending>,
    /// A record that did not go into the request before it.
    next: Option<wal::Entry>,
}

impl Gathering {
    fn new(reader: wal::Reader) -> Self {
        Self {
            reader,
            pending: None,
            next: None,
        }
    }
}

/// What the lane remembers between attempts.
#[derive(Default)]
struct Course {
    /// Requests to send again, in order, before anything new is read.
    again: VecDeque<Progress>,
    /// Failures in a row.
    failures: u32,
    /// Since when nothing has gone through.
    failing_since: Option<Instant>,
    /// How many requests may be under way: 1 after a setback, doubling with each success.
    window: usize,
}

impl Lane {
    /// Delivers until told to stop. What is not delivered then stays in the log.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut course = Course {
            window: self.settings.consumers.max(1),
            ..Course::default()
        };
        while !stop.is_cancelled() {
            let pause = match self.deliver(&mut course, &stop).await {
                Ok(None) => return,
                Ok(Some(setback)) => self.set_back(&mut course, &setback).await,
                Err(error) => {
                    tracing::error!(component = %self.site.id(), "cannot read the queue: {error}");
                    READ_RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sends from the cursor on until a setback, or until told to stop.
    async fn deliver(
        self: &Arc<Self>,
        course: &mut Course,
        stop: &CancellationToken,
    ) -> Result<Option<Setback>, wal::Error> {
        let mut gathering = Gathering::new(self.queue.reader()?);
        let mut jobs: FuturesUnordered<Job> = FuturesUnordered::new();
        let mut failed = Vec::new();
        let mut setback: Option<Setback> = None;
        while setback.is_none() || !jobs.is_empty() {
            let open = setback.is_none() && jobs.len() < course.window;
            tokio::select! {
                biased;
                Some(ended) = jobs.next(), if !jobs.is_empty() => {
                    self.ended(ended, course, &mut failed, &mut setback);
                }
                () = stop.cancelled() => {
                    self.finish(jobs).await;
                    return Ok(None);
                }
                gathered = self.gather(&mut gathering, course), if open => {
                    let (gathered, progress) = gathered?;
                    jobs.push(self.job(gathered, progress));
                }
            }
        }
        // In the order of the queue: what failed, what was about to be sent again, and the rest.
        failed.sort_by_key(|(position, _)| *position);
        course
            .again
            .extend(gathering.pending.and_then(|pending| pending.again));
        let rest = std::mem::take(&mut course.again);
        course.again = failed
            .into_iter()
            .map(|(_, progress)| progress)
            .chain(rest)
            .collect();
        Ok(setback)
    }

    /// Reads the next request: one that failed before, with its old bounds, or a new one. May be
    /// cancelled at any await; what was read stays in `gathering`.
    async fn gather(
        &self,
        gathering: &mut Gathering,
        course: &mut Course,
    ) -> Result<(Gathered, Progress), wal::Error> {
        let merging = self.settings.merging;
        while gathering.pending.is_none() {
            let first = match gathering.next.take() {
                Some(entry) => entry,
                None => gathering.reader.next().await?,
            };
            match Gathered::new(&first) {
                Ok(gathered) => {
                    let again = course.again.pop_front();
                    gathering.pending = Some(Pending::new(gathered, again, merging));
                }
                Err(message) => {
                    tracing::error!(component = %self.site.id(), "dropping a record: {message}");
                    let outcome = wal::Outcome::Dropped {
                        reason: "unreadable",
                    };
                    self.queue.settle(first.position, outcome);
                }
            }
        }
        while let Some(pending) = &mut gathering.pending
            && !pending.is_complete(merging)
        {
            let entry = match gathering.reader.try_next()? {
                Some(entry) => entry,
                None if Instant::now() >= pending.deadline => break,
                None => {
                    match tokio::time::timeout_at(pending.deadline, gathering.reader.next()).await {
                        Ok(entry) => entry?,
                        Err(_) => break,
                    }
                }
            };
            if !pending.gathered.add(&entry, self.context.codec, merging) {
                gathering.next = Some(entry);
                break;
            }
        }
        match gathering.pending.take() {
            Some(Pending {
                gathered, again, ..
            }) => Ok((gathered, again.unwrap_or_default())),
            None => Err(wal::Error::Closed),
        }
    }

    fn job(&self, gathered: Gathered, mut progress: Progress) -> Job {
        let context = self.context.clone();
        let work = async move {
            progress.entries = gathered.entries.len();
            progress.since.get_or_insert_with(Instant::now);
            let setback = context.send(&gathered, &mut progress).await.err();
            Ended {
                gathered,
                progress,
                setback,
            }
        };
        // A task of its own, so that compressing and sending use all cores.
        let task = tokio::spawn(work);
        async move {
            match task.await {
                Ok(ended) => ended,
                Err(error) => interrupted(error).await,
            }
        }
        .boxed()
    }

    fn ended(
        &self,
        ended: Ended,
        course: &mut Course,
        failed: &mut Vec<(wal::Position, Progress)>,
        setback: &mut Option<Setback>,
    ) {
        let Ended {
            gathered,
            progress,
            setback: reason,
        } = ended;
        match reason {
            None => {
                self.settle(&gathered, &progress);
                if setback.is_none() {
                    self.recovered(course);
                }
            }
            Some(reason) => {
                failed.push((gathered.entries[0].0, progress));
                // The longest wait that any answer asked for holds for all.
                let after = setback
                    .as_ref()
                    .and_then(|setback| setback.after)
                    .max(reason.after);
                *setback = Some(Setback { after, ..reason });
            }
        }
    }

    /// Settles the records of a request that is done.
    fn settle(&self, gathered: &Gathered, progress: &Progress) {
        let mut dropped = progress.dropped;
        for (position, items) in &gathered.entries {
            let lost = dropped.min(*items);
            dropped -= lost;
            let outcome = match lost {
                0 => wal::Outcome::Delivered,
                lost => wal::Outcome::Partial {
                    delivered: items - lost,
                    dropped: lost,
                    reason: progress.reason,
                },
            };
            self.queue.settle(*position, outcome);
        }
    }

    fn recovered(&self, course: &mut Course) {
        course.window = (course.window * 2).min(self.settings.consumers).max(1);
        course.failures = 0;
        if let Some(since) = course.failing_since.take() {
            let outage = since.elapsed();
            tracing::info!(component = %self.site.id(), ?outage, "backend takes data again");
            self.site.report(Health::healthy("delivers"));
        }
    }

    /// Notes a setback and says how long to wait.
    async fn set_back(&self, course: &mut Course, setback: &Setback) -> Duration {
        course.failures = course.failures.saturating_add(1);
        course.window = 1;
        let since = *course.failing_since.get_or_insert_with(Instant::now);
        let pause = match setback {
            Setback {
                after: Some(after), ..
            } => *after,
            Setback { paused: true, .. } => PAUSED_RETRY,
            Setback { .. } => self.retry.pause(course.failures, rand::random()),
        };
        let message = &setback.message;
        tracing::warn!(
            component = %self.site.id(), signal = %self.context.key.signal,
            retry_in = ?pause, failing_for = ?since.elapsed(), "not delivered: {message}"
        );
        if setback.paused {
            let advice = "delivery pauses until the credentials or the endpoint are mended";
            self.site.report(Health::unhealthy(format!(
                "backend refuses us: {message}; {advice}"
            )));
        }
        self.give_up(course).await;
        pause
    }

    /// Drops the requests that have failed for longer than the operator allows.
    async fn give_up(&self, course: &mut Course) {
        let Retry {
            enabled,
            max_elapsed,
            ..
        } = self.retry;
        if enabled && max_elapsed.is_none() {
            return;
        }
        let reason = if enabled {
            "max_elapsed_time"
        } else {
            "retry_disabled"
        };
        let expired = |progress: &Progress| match (progress.since, max_elapsed) {
            (Some(since), Some(bound)) if enabled => since.elapsed() > bound,
            (Some(_), _) => !enabled,
            (None, _) => false,
        };
        let Ok(mut reader) = self.queue.reader() else {
            return;
        };
        let mut items = 0;
        for progress in std::mem::take(&mut course.again) {
            let expired = expired(&progress);
            for _ in 0..progress.entries {
                let next = tokio::time::timeout(READ_WAIT, reader.next()).await;
                let Ok(Ok(entry)) = next else { break };
                if expired {
                    items += entry.record.items;
                    self.queue
                        .settle(entry.position, wal::Outcome::Dropped { reason });
                }
            }
            if !expired {
                course.again.push_back(progress);
            }
        }
        if items > 0 {
            tracing::error!(component = %self.site.id(), items, reason, "data dropped");
        }
    }

    /// Gives requests under way a moment to end when the lane stops.
    async fn finish(&self, mut jobs: FuturesUnordered<Job>) {
        let ends = async {
            while let Some(ended) = jobs.next().await {
                if ended.setback.is_none() {
                    self.settle(&ended.gathered, &ended.progress);
                }
            }
        };
        let _ = tokio::time::timeout(STOP_GRACE, ends).await;
    }
}
