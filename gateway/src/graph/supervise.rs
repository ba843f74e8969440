//! Keeps a component running: a failure or a panic is its health and a pause, never the end.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Health, HealthReport, HealthState, definition::Instance};

/// The first pause before a failed component starts again.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause: an operator who repaired the cause should not wait longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long a run must last until the component counts as started. What cannot start, because
/// another process has its port, finds out at once; and every restart of the gateway waits for this.
const STARTED_AFTER: Duration = Duration::from_millis(10);

/// The same for a component that has failed to start before: its word has lost some of its weight.
const RECOVERED_AFTER: Duration = Duration::from_millis(500);

/// A run that ends with an error before this has not started after all: finding the address of a
/// name may take as long. Once a run has lasted longer, a failure is a matter of health.
const START_MAX: Duration = Duration::from_secs(5);

/// Whether a component has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It has just been told to, or waits for its predecessor.
    Pending,
    /// It runs, or has run for long enough before it failed.
    Done,
    /// It could not, for this reason, and will try again.
    Failed(String),
}

/// A component's task.
#[derive(Debug)]
pub(super) struct Task {
    stop: CancellationToken,
    done: JoinHandle<()>,
    start: watch::Receiver<Start>,
}

impl Task {
    /// Starts the component as soon as its predecessor, if there is one, has let go.
    pub(super) fn start(
        id: Arc<str>,
        instance: Arc<dyn Instance>,
        health: HealthReport,
        predecessor: Option<Self>,
        stop_deadline: Duration,
    ) -> Self {
        let stop = CancellationToken::new();
        let token = stop.clone();
        let (started, start) = watch::channel(Start::Pending);
        let done = tokio::spawn(async move {
            if let Some(predecessor) = predecessor {
                predecessor.stop(&id, stop_deadline).await;
            }
            supervise(
                &id,
                || instance.run(token.clone()),
                &health,
                &started,
                &token,
            )
            .await;
        });
        Self { stop, done, start }
    }

    /// Whether the component has started, now and later.
    pub(super) fn start_watch(&self) -> watch::Receiver<Start> {
        self.start.clone()
    }

    /// Tells the component to stop and waits until it has, or until its time is up.
    pub(super) async fn stop(mut self, id: &str, deadline: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(deadline, &mut self.done)
            .await
            .is_err()
        {
            tracing::error!(
                component = id,
                "component did not stop in time and was abandoned"
            );
            self.done.abort();
        }
    }
}

type Run = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

async fn supervise(
    id: &str,
    start: impl Fn() -> Run,
    health: &HealthReport,
    begun: &watch::Sender<Start>,
    stop: &CancellationToken,
) {
    let mut pause = PAUSE_MIN;
    let mut has_started = false;
    let mut started_after = STARTED_AFTER;
    loop {
        health.running(Health::healthy("started component"));
        let started = tokio::time::Instant::now();
        let mut run = pin!(AssertUnwindSafe(start()).catch_unwind());
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = tokio::time::sleep(started_after) => {
                begun.send_replace(Start::Done);
                run.await
            }
        };
        if stop.is_cancelled() {
            return health.running(Health::new(HealthState::Exited, "component shut down"));
        }
        let reason = match ended {
            Ok(Ok(())) => {
                begun.send_replace(Start::Done);
                return health.running(Health::new(HealthState::Exited, "component ended"));
            }
            Ok(Err(reason)) => reason,
            Err(panic) => format!("component panicked: {}", panic_text(&*panic)),
        };
        has_started |= started.elapsed() > START_MAX;
        if !has_started {
            begun.send_replace(Start::Failed(reason.clone()));
            started_after = RECOVERED_AFTER;
        }
        if started.elapsed() > PAUSE_MAX {
            pause = PAUSE_MIN;
        }
        tracing::error!(component = id, retry_in = ?pause, "{reason}");
        health.running(Health::unhealthy(reason));
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = stop.cancelled() => return,
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_component_starts_again_and_says_why() {
        let (starts, stop) = (AtomicU32::new(0), CancellationToken::new());
        let health = HealthReport::new();
        let start = || -> Run {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            let stop = stop.clone();
            Box::pin(async move {
                match start {
                    0 => Err("port 4317 is in use".to_owned()),
                    1 => panic!("a mistake"),
                    _ => {
                        stop.cancelled().await;
                        Ok(())
                    }
                }
            })
        };
        let (begun, started) = watch::channel(Start::Pending);
        let watch = async {
            tokio::task::yield_now().await;
            let failed = Start::Failed("port 4317 is in use".to_owned());
            assert_eq!(*started.borrow(), failed);
            assert_eq!(health.get().message, "port 4317 is in use");
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!(health.get().message, "component panicked: a mistake");
            tokio::time::sleep(Duration::from_millis(2500)).await;
            assert_eq!(starts.load(Ordering::Relaxed), 3);
            assert_eq!(*started.borrow(), Start::Done);
            stop.cancel();
        };
        tokio::join!(supervise("a.b", start, &health, &begun, &stop), watch);
        assert_eq!(health.get().state, HealthState::Exited);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_run_for_long_has_started_though_it_fails_later() {
        let stop = CancellationToken::new();
        let (begun, started) = watch::channel(Start::Pending);
        let health = HealthReport::new();
        let start = || -> Run {
            Box::pin(async {
                tokio::time::sleep(START_MAX * 2).await;
                Err("the backend is gone".to_owned())
            })
        };
        let watch = async {
            tokio::time::sleep(START_MAX * 2 + PAUSE_MIN / 2).await;
            assert_eq!(health.get().message, "the backend is gone");
            assert_eq!(*started.borrow(), Start::Done);
            stop.cancel();
        };
        tokio::join!(supervise("a.b", start, &health, &begun, &stop), watch);
    }
}
