//! Keeps a component running: a failure or a panic is its health and a pause, never the end.

use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Health, HealthReport, HealthState, definition::Instance};

/// The first pause before a failed component starts again.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause: an operator who repaired the cause should not wait longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A component's task.
#[derive(Debug)]
pub(super) struct Task {
    stop: CancellationToken,
    done: JoinHandle<()>,
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
        let done = tokio::spawn(async move {
            if let Some(predecessor) = predecessor {
                predecessor.stop(&id, stop_deadline).await;
            }
            supervise(&id, || instance.run(token.clone()), &health, &token).await;
        });
        Self { stop, done }
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
    stop: &CancellationToken,
) {
    let mut pause = PAUSE_MIN;
    loop {
        health.running(Health::healthy("started component"));
        let started = tokio::time::Instant::now();
        let ended = AssertUnwindSafe(start()).catch_unwind().await;
        if stop.is_cancelled() {
            return health.running(Health::new(HealthState::Exited, "component shut down"));
        }
        let reason = match ended {
            Ok(Ok(())) => {
                return health.running(Health::new(HealthState::Exited, "component ended"));
            }
            Ok(Err(reason)) => reason,
            Err(panic) => format!("component panicked: {}", panic_text(&*panic)),
        };
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
        let watch = async {
            tokio::task::yield_now().await;
            assert_eq!(health.get().message, "port 4317 is in use");
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!(health.get().message, "component panicked: a mistake");
            tokio::time::sleep(Duration::from_millis(2500)).await;
            assert_eq!(starts.load(Ordering::Relaxed), 3);
            stop.cancel();
        };
        tokio::join!(supervise("a.b", start, &health, &stop), watch);
        assert_eq!(health.get().state, HealthState::Exited);
    }
}
