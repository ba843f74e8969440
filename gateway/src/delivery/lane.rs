//! One queue on its way to its destination: a signal of a tenant, with its own cursor, its own
//! pace and its own troubles.
//!
//! A lane that meets a setback forgets the bodies it had in memory and keeps only the bounds of
//! each request and how far it had come. When its pause is over it reads them from the log again
//! and sends the very same requests, one at first as a probe and then more. So a dead backend
//! costs no memory, and is not stormed when it comes back.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    course::Course,
    dead_letters::DeadLetters,
    form::Form,
    job::{Context, Setback},
    pauses::Pauses,
    progress::Progress,
    request::{Gathered, interrupted},
    settings::{QueueSettings, Retry},
};
use crate::graph::Site;

/// How long requests under way may take to end when the lane is told to stop. Those that do not
/// are sent again by whoever takes over.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long to wait before a log that cannot be read is tried again.
const READ_RETRY: Duration = Duration::from_secs(1);

/// How long to wait before a record is looked at again that only a newer version can read.
const NEWER_RETRY: Duration = Duration::from_secs(60);

/// How long dead letters wait for room in the log: as long as it takes a log that was full for a
/// moment to give space back.
const LETTER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long to wait for a record of a failed request to come from the disk. It is there, unless it
/// was dropped to make room.
const READ_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Lane {
    pub(super) site: Site,
    pub(super) queue: wal::Queue,
    pub(super) context: Context,
    pub(super) settings: QueueSettings,
    pub(super) retry: Retry,
    pub(super) pauses: Arc<Pauses>,
}

/// A request that came back, or is done.
struct Ended {
    gathered: Gathered,
    progress: Progress,
    setback: Option<Setback>,
}

type Job = BoxFuture<'static, Ended>;

/// Why a lane cannot read on.
enum Trouble {
    Log(wal::Error),
    /// A record has something that this version does not know.
    Newer(String),
}

impl From<wal::Error> for Trouble {
    fn from(error: wal::Error) -> Self {
        Self::Log(error)
    }
}

/// A request that is being put together.
struct Pending {
    gathered: Gathered,
    /// How far it had come, if it failed before.
    again: Option<Progress>,
    /// When it no longer waits for more records.
    deadline: Instant,
}

/// Where the lane reads, and what it has read but not sent.
struct Gathering {
    reader: wal::Reader,
    pending: Option<Pending>,
    /// A record that did not go into the request before it.
    next: Option<wal::Entry>,
}

impl Lane {
    /// Delivers until told to stop. What is not delivered then stays in the log.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut course = Course::new(self.settings.consumers);
        while !stop.is_cancelled() {
            let pause = match self.deliver(&mut course, &stop).await {
                Ok(None) => return,
                Ok(Some(setback)) => self.set_back(&mut course, &setback).await,
                Err(Trouble::Log(error)) => {
                    tracing::error!(component = %self.site.id(), "cannot read the queue: {error}");
                    READ_RETRY
                }
                Err(Trouble::Newer(reason)) => {
                    let reason = format!("{reason}; run the version that wrote it");
                    tracing::error!(component = %self.site.id(), "delivery waits: {reason}");
                    self.pauses.begin(&self.site, &self.context.key, reason);
                    NEWER_RETRY
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
    ) -> Result<Option<Setback>, Trouble> {
        let mut gathering = Gathering {
            reader: self.queue.reader()?,
            pending: None,
            next: None,
        };
        let mut jobs: FuturesUnordered<Job> = FuturesUnordered::new();
        let mut end: Option<Result<Setback, Trouble>> = None;
        while end.is_none() || !jobs.is_empty() {
            let open = end.is_none() && jobs.len() < course.window;
            tokio::select! {
                biased;
                Some(ended) = jobs.next(), if !jobs.is_empty() => {
                    let setback = self.ended(ended, course);
                    end = later_of(end, setback);
                }
                () = stop.cancelled() => {
                    self.finish(jobs, course).await;
                    return Ok(None);
                }
                gathered = self.gather(&mut gathering, course), if open => match gathered {
                    Ok((gathered, progress, permit)) => {
                        jobs.push(self.job(gathered, progress, permit));
                    }
                    // What is under way ends first, so that it is not sent twice.
                    Err(trouble) => end = Some(Err(trouble)),
                }
            }
        }
        end.transpose()
    }

    /// Reads the next request: one that failed before, with its old bounds, or a new one; and waits
    /// for its turn. May be cancelled at any await; what was read stays in `gathering`.
    async fn gather(
        &self,
        gathering: &mut Gathering,
        course: &mut Course,
    ) -> Result<(Gathered, Progress, Option<OwnedSemaphorePermit>), Trouble> {
        let merging = self.settings.merging;
        if gathering.pending.is_none() {
            let first = match gathering.next.take() {
                Some(entry) => entry,
                None => gathering.reader.next().await?,
            };
            let gathered = Gathered::new(self.form(), &first).map_err(Trouble::Newer)?;
            let again = course.resume(first.position);
            let wait = gathered
                .first()
                .merging
                .or(merging)
                .map_or(0, |m| m.wait_milliseconds);
            let wait = again
                .as_ref()
                .map_or(Duration::from_millis(wait), |_| READ_WAIT);
            let deadline = Instant::now() + wait;
            gathering.pending = Some(Pending {
                gathered,
                again,
                deadline,
            });
        }
        while let Some(pending) = &mut gathering.pending {
            let last = pending.again.as_ref().and_then(|progress| progress.last);
            let complete = match last {
                Some(last) => pending.gathered.last() >= last,
                None => pending.gathered.is_full(merging),
            };
            // What stands behind the request waits already, if this is not the first look.
            if complete || gathering.next.is_some() {
                break;
            }
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
            let beyond = last.is_some_and(|last| entry.position > last);
            if beyond || !pending.gathered.add(&entry, self.context.codec, merging) {
                gathering.next = Some(entry);
                break;
            }
        }
        // Closed only when the process ends.
        let permit = self.context.permits.clone().acquire_owned().await.ok();
        match gathering.pending.take() {
            Some(Pending {
                gathered, again, ..
            }) => Ok((gathered, again.unwrap_or_default(), permit)),
            None => Err(Trouble::Log(wal::Error::Closed)),
        }
    }

    fn job(
        &self,
        gathered: Gathered,
        mut progress: Progress,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Job {
        let context = self.context.clone();
        let letters = DeadLetters::new(self.site.services().log().clone());
        let work = async move {
            progress.last = Some(gathered.last());
            progress.since.get_or_insert_with(Instant::now);
            let setback = context.send(&gathered, &mut progress).await.err();
            drop(permit);
            if setback.is_none() {
                bury(&context, &letters, &gathered, &mut progress).await;
            }
            Ended {
                gathered,
                progress,
                setback,
            }
        };
        // A task of its own, so that compressing and sending use all cores; gone with the job.
        let task = AbortOnDropHandle::new(tokio::spawn(work));
        async move {
            match task.await {
                Ok(ended) => ended,
                Err(error) => interrupted(error).await,
            }
        }
        .boxed()
    }

    /// Settles a request that is done, or notes what is left of it.
    fn ended(&self, ended: Ended, course: &mut Course) -> Option<Setback> {
        let Ended {
            gathered,
            progress,
            setback,
        } = ended;
        let first = gathered.first_position();
        if setback.is_some() {
            course.again.insert(first, progress);
            return setback;
        }
        course.again.remove(&first);
        self.settle(&gathered, &progress);
        if let Some(outage) = course.succeeded() {
            tracing::info!(component = %self.site.id(), ?outage, "backend takes data again");
        }
        self.pauses.end(&self.site, &self.context.key);
        None
    }

    fn form(&self) -> Form {
        Form::of(&self.context.key)
    }

    /// Settles the records of a request that is done.
    fn settle(&self, gathered: &Gathered, progress: &Progress) {
        for ((_, span), (position, _)) in gathered.spans().zip(&gathered.entries) {
            let losses = progress.losses().iter();
            let parts: Vec<_> = losses
                .map(|loss| (loss.outcome(), loss.within(&span)))
                .filter(|(_, items)| *items > 0)
                .collect();
            let dropped: Vec<_> = parts
                .iter()
                .map(|(name, items)| (&**name, *items))
                .collect();
            let outcome = match dropped.as_slice() {
                [] => wal::Outcome::Delivered,
                dropped => wal::Outcome::Mixed { dropped },
            };
            self.queue.settle(*position, outcome);
        }
    }

    /// Notes a setback and says how long to wait.
    async fn set_back(&self, course: &mut Course, setback: &Setback) -> Duration {
        let (pause, failing) = course.failed(setback, &self.retry);
        let (message, key) = (&setback.message, &self.context.key);
        tracing::warn!(
            component = %self.site.id(), signal = %key.signal, tenant = %key.tenant,
            retry_in = ?pause, failing_for = ?failing, "not delivered: {message}"
        );
        if setback.paused {
            let advice = "delivery pauses until the credentials or the endpoint are mended";
            let reason = format!("backend refuses us: {message}; {advice}");
            self.pauses.begin(&self.site, key, reason);
        } else {
            self.give_up(course).await;
        }
        pause
    }

    /// Drops the requests that have failed for longer than the operator allows.
    async fn give_up(&self, course: &mut Course) {
        let expired = course.expired(&self.retry);
        if expired.is_empty() {
            return;
        }
        let reason = if self.retry.enabled {
            "max_elapsed_time"
        } else {
            "retry_disabled"
        };
        let Ok(mut reader) = self.queue.reader() else {
            return;
        };
        for (first, mut progress) in expired {
            let Some(gathered) = self.read_again(&mut reader, first, &progress).await else {
                continue;
            };
            progress.give_up(gathered.items(), reason);
            let component = self.site.id();
            tracing::error!(%component, items = gathered.items(), reason, "data given up");
            let letters = DeadLetters::new(self.site.services().log().clone());
            bury(&self.context, &letters, &gathered, &mut progress).await;
            self.settle(&gathered, &progress);
        }
    }

    /// The records of a request that failed, which begins with this one. Those before it are passed
    /// by.
    async fn read_again(
        &self,
        reader: &mut wal::Reader,
        first: wal::Position,
        progress: &Progress,
    ) -> Option<Gathered> {
        let last = progress.last?;
        let mut gathered: Option<Gathered> = None;
        loop {
            let next = tokio::time::timeout(READ_WAIT, reader.next()).await;
            let entry = next.ok()?.ok()?;
            match &mut gathered {
                Some(gathered) => gathered.append(&entry).ok()?,
                None if entry.position < first => continue,
                None => gathered = Some(Gathered::new(self.form(), &entry).ok()?),
            }
            if entry.position >= last {
                return gathered;
            }
        }
    }

    /// Gives requests under way a moment to end when the lane stops.
    async fn finish(&self, mut jobs: FuturesUnordered<Job>, course: &mut Course) {
        let ends = async {
            while let Some(ended) = jobs.next().await {
                self.ended(ended, course);
            }
        };
        let _ = tokio::time::timeout(STOP_GRACE, ends).await;
    }
}

/// What ends a delivery, with another setback: the longest wait that any answer asked for holds.
fn later_of(
    end: Option<Result<Setback, Trouble>>,
    setback: Option<Setback>,
) -> Option<Result<Setback, Trouble>> {
    match (end, setback) {
        (Some(Err(trouble)), _) => Some(Err(trouble)),
        (end, None) => end,
        (None, Some(setback)) => Some(Ok(setback)),
        (Some(Ok(one)), Some(other)) => {
            let after = one.after.max(other.after);
            Some(Ok(Setback {
                after,
                paused: one.paused || other.paused,
                ..other
            }))
        }
    }
}

/// Keeps what the destination refused for good, so that it can be settled. Where there is no room for
/// it, it is given up after a while: a queue must not stand still for what will never be delivered.
async fn bury(
    context: &Context,
    dead_letters: &DeadLetters,
    gathered: &Gathered,
    progress: &mut Progress,
) {
    let component = &context.component;
    let letters = match context.letters(gathered, progress).await {
        Ok(letters) if letters.is_empty() => return,
        Ok(letters) => letters,
        Err(error) => {
            tracing::error!(%component, "cannot keep what the backend refused for good: {error}");
            return progress.forget_letters();
        }
    };
    for letter in &letters {
        let (items, reason) = (letter.items, &*letter.reason);
        tracing::error!(
            %component, signal = %letter.key.signal, tenant = %letter.key.tenant, items, reason,
            "backend refused for good: {}", letter.words
        );
    }
    let deadline = Instant::now() + LETTER_WAIT_MAX;
    while let Err(error) = dead_letters.bury(component, &letters).await {
        let for_good = matches!(error, wal::CommitError::TooLarge { .. });
        if for_good || Instant::now() >= deadline {
            tracing::error!(%component, "no room for dead letters, which are dropped: {error}");
            return progress.forget_letters();
        }
        tokio::time::sleep(READ_RETRY).await;
    }
}
