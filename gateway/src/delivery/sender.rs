//! Everything between an exporter's input and its backend, but the attempt itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use protos::Signal;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Destination, QueueSettings, QueueSize, Request, Settings, Verdict, arrivals::Arrivals,
    job::Context, lane::Lane, record, request,
};
use crate::{
    batch::{
        Batch, ConsumeFuture, Consumer, Otlp, Payload, QueueKey, Refusal, RefusalKind, Staged,
        Tenant,
    },
    graph::Site,
};

/// Queues that one destination may have: a signal and a tenant each. Every queue costs a task and
/// a cursor, and tenants are named by clients.
const LANES_MAX: usize = 30_000;

/// Delivers to one backend: holds what it owes in the log, and sends it.
pub struct Sender {
    site: Site,
    settings: Settings,
    destination: Arc<dyn Destination>,
    queues: Mutex<HashMap<QueueKey, wal::Queue>>,
    opened: mpsc::UnboundedSender<(QueueKey, wal::Queue)>,
    to_run: Mutex<Option<mpsc::UnboundedReceiver<(QueueKey, wal::Queue)>>>,
}

impl Sender {
    /// A sender to a destination. Touches nothing until a batch comes or it runs.
    pub fn new(site: Site, settings: Settings, destination: Arc<dyn Destination>) -> Self {
        let (opened, to_run) = mpsc::unbounded_channel();
        let (queues, to_run) = (Mutex::default(), Mutex::new(Some(to_run)));
        Self {
            site,
            settings,
            destination,
            queues,
            opened,
            to_run,
        }
    }

    /// Delivers what the log holds for this destination until told to stop.
    ///
    /// # Errors
    /// If the log cannot give out a queue.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), String> {
        let Some(settings) = self.settings.queue.clone() else {
            stop.cancelled().await;
            return Ok(());
        };
        self.open_leftovers().map_err(|error| error.to_string())?;
        let receiver = lock(&self.to_run).take();
        let Some(mut to_run) = receiver else {
            return Err("sender is running already".into());
        };
        let permits = Arc::new(Semaphore::new(settings.consumers.max(1)));
        let lanes = TaskTracker::new();
        loop {
            let (key, queue) = tokio::select! {
                Some(opened) = to_run.recv() => opened,
                () = stop.cancelled() => break,
            };
            let lane = self.lane(key, queue, &settings, &permits);
            lanes.spawn(Arc::new(lane).run(stop.clone()));
        }
        lanes.close();
        lanes.wait().await;
        *lock(&self.to_run) = Some(to_run);
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
        }
    }

    /// Opens the queues that an earlier run has filled.
    fn open_leftovers(&self) -> Result<(), wal::Error> {
        for stats in self.site.services().log().queues() {
            if let Some((component, key)) = QueueKey::parse(&stats.name)
                && component == &**self.site.id()
            {
                self.queue(&key)?;
            }
        }
        Ok(())
    }

    /// The queue of a signal and a tenant, opened at first use.
    fn queue(&self, key: &QueueKey) -> Result<wal::Queue, wal::Error> {
        let mut queues = lock(&self.queues);
        if let Some(queue) = queues.get(key) {
            return Ok(queue.clone());
        }
        if queues.len() >= LANES_MAX {
            return Err(wal::Error::NoQueue {
                queue: key.queue_name(self.site.id()),
            });
        }
        let mut limits = wal::QueueLimits::default();
        match self
            .settings
            .queue
            .as_ref()
            .map_or(QueueSize::Unbounded, |queue| queue.size)
        {
            QueueSize::Unbounded => {}
            QueueSize::Requests(records) => limits.records = Some(records),
            QueueSize::Items(items) => limits.items = Some(items),
            QueueSize::Bytes(bytes) => limits.bytes = Some(bytes),
        }
        let name = key.queue_name(self.site.id());
        let queue = self.site.services().log().queue(&name, limits)?;
        queues.insert(key.clone(), queue.clone());
        // Received when the sender runs.
        let _ = self.opened.send((key.clone(), queue.clone()));
        Ok(queue)
    }

    /// What the log is to keep of a batch.
    fn stage(&self, batch: &Batch, otlp: &Otlp) -> Result<Staged, Refusal> {
        let key = QueueKey {
            signal: otlp.signal(),
            tenant: batch.context.tenant.clone(),
        };
        let queue = self
            .queue(&key)
            .map_err(|error| Refusal::unavailable("log_unavailable", error.to_string()))?;
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
        let later = |after: Option<std::time::Duration>, message: String| {
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
            let Payload::Otlp(otlp) = batch.payload.clone();
            if self.settings.queue.is_some() {
                self.stage(&batch, &otlp)
            } else {
                self.send_now(batch, otlp).await
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere cannot leave a map half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
