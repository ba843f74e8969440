//! Everything between an exporter's input and its backend, but the attempt itself.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;

use protos::Signal;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Destination, QueueSettings, QueueSize, Request, Settings, Verdict, arrivals::Arrivals,
    job::Context, lane::Lane, pauses::Pauses, record, request,
};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Otlp, QueueKey, Refusal, RefusalKind, Staged, Tenant},
    graph::Site,
};

/// Queues that one destination may have: a signal and a tenant each, so a thousand tenants. Every
/// queue costs a task, a cursor and rows on `/metrics`, and tenants are named by clients.
const LANES_MAX: usize = 3000;

/// How often queues that somebody else opened are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How long a lane that panicked rests: what made it panic is still at its cursor.
const PANIC_PAUSE: Duration = Duration::from_secs(30);

/// Delivers to one backend: holds what it owes in the log, and sends it.
pub struct Sender {
    site: Site,
    settings: Settings,
    destination: Arc<dyn Destination>,
    queues: Mutex<HashMap<QueueKey, wal::Queue>>,
    /// Told when a queue was opened.
    opened: Notify,
    pauses: Arc<Pauses>,
}

impl Sender {
    /// A sender to a destination. Touches nothing until a batch comes or it runs.
    pub fn new(site: Site, settings: Settings, destination: Arc<dyn Destination>) -> Self {
        let (queues, opened, pauses) = (Mutex::default(), Notify::new(), Arc::default());
        Self {
            site,
            settings,
            destination,
            queues,
            opened,
            pauses,
        }
    }

    /// Delivers what the log holds for this destination until told to stop.
    ///
    /// # Errors
    /// If the log cannot give out a queue; it can be run again then.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), String> {
        // Without a queue of its own there may still be one that an earlier configuration filled.
        let settings = self.settings.queue.clone().unwrap_or_default();
        self.open_leftovers().await?;
        let permits = Arc::new(Semaphore::new(settings.consumers.max(1)));
        let mut running = HashSet::new();
        let mut lanes = JoinSet::new();
        loop {
            for (key, queue) in lock(&self.queues).iter() {
                if running.insert(key.clone()) {
                    let lane = self.lane(key.clone(), queue.clone(), &settings, &permits);
                    lanes.spawn(keep_running(Arc::new(lane), stop.clone()));
                }
            }
            tokio::select! {
                () = self.opened.notified() => {}
                () = stop.cancelled() => break,
                // A predecessor may have opened a queue with its last breath.
                () = tokio::time::sleep(LOOK_AGAIN) => self.open_leftovers().await?,
            }
        }
        while lanes.join_next().await.is_some() {}
        Ok(())
    }

    fn lane(
        &self,
        key: QueueKey,
        queue: wal::Queue,
        settings: &QueueSettings,
        permits: &Arc<Semaphore>,
    ) -> Lane {
        let context = Context {
            component: self.site.id().clone(),
            key,
            destination: self.destination.clone(),
            codec: self.settings.codec,
            permits: permits.clone(),
        };
        let (site, retry) = (self.site.clone(), self.settings.retry.clone());
        Lane {
            site,
            queue,
            context,
            settings: settings.clone(),
            retry,
            pauses: self.pauses.clone(),
        }
    }

    /// Opens the queues that an earlier run has filled.
    async fn open_leftovers(&self) -> Result<(), String> {
        for stats in self.site.services().log().queues() {
            if let Some((component, key)) = QueueKey::parse(&stats.name)
                && component == &**self.site.id()
            {
                self.queue(&key).await?;
            }
        }
        Ok(())
    }

    /// The queue of a signal and a tenant, opened at first use.
    async fn queue(&self, key: &QueueKey) -> Result<wal::Queue, String> {
        if let Some(queue) = lock(&self.queues).get(key) {
            return Ok(queue.clone());
        }
        let (log, limits) = (self.site.services().log().clone(), self.limits());
        let name = key.queue_name(self.site.id());
        // A new queue is a synced write.
        let opened = tokio::task::spawn_blocking(move || log.queue(&name, limits)).await;
        let opened = opened.map_err(|error| error.to_string())?;
        let opened = opened.map_err(|error| error.to_string())?;
        let mut queues = lock(&self.queues);
        if let Some(queue) = queues.get(key) {
            // Another request of the same tenant was faster; both handles are of one queue.
            return Ok(queue.clone());
        }
        queues.insert(key.clone(), opened.clone());
        self.opened.notify_one();
        Ok(opened)
    }

    /// Takes up all the room for queues, for a test.
    #[cfg(test)]
    pub(super) fn fill(&self, tenant: &Tenant) {
        let mut queues = lock(&self.queues);
        let Some(queue) = queues.values().next().cloned() else {
            return;
        };
        for number in 0..LANES_MAX {
            let tenant = Tenant::new(&format!("{tenant}-{number}")).unwrap_or_default();
            let signal = Signal::Logs;
            queues.insert(QueueKey { signal, tenant }, queue.clone());
        }
    }

    /// Whether a client names a tenant for whom there is no queue, and no room for one.
    fn is_crowded(&self, key: &QueueKey) -> bool {
        let queues = lock(&self.queues);
        queues.len() >= LANES_MAX && !queues.contains_key(key)
    }

    fn limits(&self) -> wal::QueueLimits {
        let mut limits = wal::QueueLimits::default();
        match self.settings.queue.as_ref().map(|queue| queue.size) {
            None | Some(QueueSize::Unbounded) => {}
            Some(QueueSize::Requests(records)) => limits.records = Some(records),
            Some(QueueSize::Items(items)) => limits.items = Some(items),
            Some(QueueSize::Bytes(bytes)) => limits.bytes = Some(bytes),
        }
        limits
    }

    /// What the log is to keep of a batch.
    async fn stage(&self, batch: &Batch, otlp: &Otlp) -> Result<Staged, Refusal> {
        let key = QueueKey {
            signal: otlp.signal(),
            tenant: batch.context.tenant.clone(),
        };
        if self.is_crowded(&key) {
            let message = format!(
                "{} has queues for {LANES_MAX} tenants and signals, and takes no new ones",
                self.site.id()
            );
            return Err(Refusal::unavailable("too_many_tenants", message));
        }
        let queue = self.queue(&key).await;
        let queue = queue.map_err(|error| Refusal::unavailable("log_unavailable", error))?;
        let metadata = batch.context.metadata.only(&self.settings.context_keys);
        let record = record::encode(otlp, &metadata, &batch.context);
        let mut staged = Staged::append(queue, record);
        staged.waits_for_room = self
            .settings
            .queue
            .as_ref()
            .is_some_and(|queue| queue.block_on_overflow);
        Ok(staged)
    }

    /// Sends a batch while its client waits, and answers with the backend's own words.
    async fn send_now(&self, batch: Batch, otlp: Otlp) -> Result<Staged, Refusal> {
        let unreadable =
            |error: crate::batch::CodecError| Refusal::invalid("malformed", error.to_string());
        let frame = match otlp.frame() {
            frame if frame.codec == self.settings.codec => frame.clone(),
            _ => {
                let plain = otlp.bytes().map_err(unreadable)?;
                request::compress(plain, self.settings.codec).await
            }
        };
        let tenant = batch.context.tenant.clone();
        let request = Request {
            signal: otlp.signal(),
            frame,
            items: otlp.items(),
            tenant: tenant.clone(),
            metadata: batch.context.metadata.only(&self.settings.context_keys),
        };
        let (signal, items) = (otlp.signal(), otlp.items());
        let verdict = self.destination.send(request).await;
        self.answer(verdict, signal, items, &tenant)
    }

    fn answer(
        &self,
        verdict: Verdict,
        signal: Signal,
        items: u64,
        tenant: &Tenant,
    ) -> Result<Staged, Refusal> {
        let arrivals = Arrivals::new(&self.site);
        let later = |after: Option<Duration>, message: String| {
            let retry_after = after.unwrap_or(Refusal::RETRY_AFTER);
            let kind = RefusalKind::Unavailable { retry_after };
            Err(Refusal {
                kind,
                reason: "backend_unavailable",
                message: message.into(),
            })
        };
        match verdict {
            Verdict::Delivered => {
                arrivals.delivered(signal, tenant, items);
                Ok(Staged::nothing())
            }
            Verdict::Partial { rejected, message } => {
                let rejected = rejected.min(items);
                arrivals.partly(signal, tenant, items, rejected, "partial_success");
                Ok(Staged {
                    rejected,
                    rejection: Some(message),
                    ..Staged::default()
                })
            }
            Verdict::Retry { after, message } => later(after, message),
            Verdict::Pause { message } => later(None, message),
            Verdict::TooLarge { message } => {
                let (kind, message) = (RefusalKind::TooLarge, message.into());
                Err(Refusal {
                    kind,
                    reason: "too_large",
                    message,
                })
            }
            Verdict::Refused { reason, message } => Err(Refusal::invalid(reason, message)),
        }
    }
}

impl Consumer for Sender {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(async move {
            let otlp = batch.payload.otlp()?.clone();
            if self.settings.queue.is_some() {
                self.stage(&batch, &otlp).await
            } else {
                self.send_now(batch, otlp).await
            }
        })
    }
}

/// Runs a lane; one that panics is its own tenant's trouble, and starts again after a pause.
async fn keep_running(lane: Arc<Lane>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let run = AssertUnwindSafe(lane.clone().run(stop.clone()));
        if run.catch_unwind().await.is_ok() {
            return;
        }
        let (component, key) = (lane.site.id(), &lane.context.key);
        tracing::error!(
            %component, signal = %key.signal, tenant = %key.tenant, retry_in = ?PANIC_PAUSE,
            "delivery panicked"
        );
        let reason = format!("delivery of {} panicked, see the log", key.signal);
        lane.pauses.begin(&lane.site, key, reason);
        tokio::select! {
            () = tokio::time::sleep(PANIC_PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere cannot leave a map half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
