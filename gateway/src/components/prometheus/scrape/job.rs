//! The loops of a component's targets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue, header};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use protos::prometheus::{Written, exposition::Options};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh64::xxh64;

use super::{
    Arguments,
    collect::{Collector, Counts, Extra, Report, Settings},
    exchange::{Exchange, Failure},
    protocol,
    target::Resolved,
};
use crate::{
    batch::{Batch, Context, Payload, Prometheus, Refusal},
    components::blocks::http_client::HttpClient,
    delivery::Intake,
    graph::{Fanout, Site},
};

/// How far the clock may be from the time at which a target should be asked for that time to be written
/// instead: times at equal distances are stored in fewer bytes.
const TOLERANCE_MILLISECONDS: i64 = 2;

/// The longest pause before samples are offered again that were not taken.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long the end of the series of targets that are gone is offered.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What instances of a component leave to the next: collectors, by the hashes of their targets.
#[derive(Debug, Default)]
pub(super) struct Pool {
    collectors: Mutex<HashMap<u64, Collector>>,
}

impl Pool {
    fn with<T>(&self, action: impl FnOnce(&mut HashMap<u64, Collector>) -> T) -> T {
        let mut collectors = self
            .collectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        action(&mut collectors)
    }
}

/// What the loops have in common.
#[derive(Debug)]
pub(super) struct Job {
    exchange: Exchange,
    settings: Settings,
    extra: bool,
    intake: Intake,
    fanout: Fanout,
    site: Site,
    targets: Gauge,
    forwarded: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    component_id: String,
}

impl Job {
    pub(super) fn new(
        arguments: &Arguments,
        client: HttpClient,
        fanout: Fanout,
        site: &Site,
    ) -> Self {
        let mut headers = HeaderMap::new();
        let accept = protocol::accept(&arguments.protocols(), arguments.escaping());
        headers.insert(header::ACCEPT, accept);
        let encoding = if arguments.enable_compression {
            "gzip"
        } else {
            "identity"
        };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        let metrics = site.services().metrics();
        let labels = Labels {
            component_id: site.id().to_string(),
        };
        let targets: Family<Labels, Gauge> = metrics.family(
            "prometheus_scrape_targets_gauge",
            "Targets that this component asks",
        );
        let forwarded: Family<Labels, Counter> = metrics.family(
            "prometheus_forwarded_samples",
            "Samples that were handed on",
        );
        Self {
            exchange: Exchange {
                client,
                headers,
                fallback: arguments.scrape_fallback_protocol,
                options: Options {
                    native_histograms: arguments.wants_native(),
                    classic_histograms: arguments.scrape_classic_histograms,
                    ..Options::default()
                },
                body_bytes_max: arguments.body_size_limit,
            },
            settings: Settings {
                target: Arc::from([]),
                honor_labels: arguments.honor_labels,
                honor_timestamps: arguments.honor_timestamps,
                track_timestamps: arguments.track_timestamps_staleness,
                limits: arguments.limits(),
            },
            extra: arguments.extra_metrics,
            intake: Intake::new(site),
            fanout,
            site: site.clone(),
            targets: targets.get_or_create(&labels).clone(),
            forwarded: forwarded.get_or_create(&labels).clone(),
        }
    }

    /// Hands a request on; offers it again for `patience` if it cannot be taken now, unless told to
    /// stop.
    async fn hand_on(
        &self,
        (body, written): (Vec<u8>, Written),
        patience: Duration,
        stop: &CancellationToken,
    ) {
        if written.items() == 0 {
            return;
        }
        let deadline = Instant::now() + patience;
        let series = Prometheus::new(body.into(), written);
        loop {
            let refusal = match self.offer(&series).await {
                Ok(()) => {
                    self.forwarded.inc_by(written.items());
                    return;
                }
                Err(refusal) => refusal,
            };
            let is_late = stop.is_cancelled() || Instant::now() + PAUSE_MAX > deadline;
            if !refusal.is_retryable() || is_late {
                let id = self.site.id();
                let items = written.items();
                tracing::error!(component = %id, items, "samples are lost, nobody took them: {refusal}");
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE_MAX) => {}
            }
        }
    }

    async fn offer(&self, series: &Prometheus) -> Result<(), Refusal> {
        let memory = self.site.services().memory();
        let reservation = memory
            .reserve(series.body().len() as u64)
            .map_err(|exhausted| Refusal::unavailable("memory", exhausted.to_string()))?;
        let batch = Batch {
            context: Context {
                reservation: Some(Arc::new(reservation)),
                ..Context::default()
            },
            payload: Payload::Prometheus(series.clone()),
        };
        self.intake.submit(&self.fanout, batch).await.map(drop)
    }
}

/// Asks the targets until told to stop. With `is_over` there are too many, and none is asked.
pub(super) async fn run(
    job: Arc<Job>,
    targets: Vec<Resolved>,
    is_over: bool,
    pool: Arc<Pool>,
    stop: CancellationToken,
) {
    job.targets.set(targets.len() as i64);
    let mut loops = JoinSet::new();
    let mut gone = Vec::new();
    for target in targets {
        let hash = target.hash();
        let settings = Settings {
            target: target.labels.clone(),
            ..job.settings.clone()
        };
        let collector = match pool.with(|collectors| collectors.remove(&hash)) {
            Some(collector) if collector.writes_as(&settings) => collector.resume(settings),
            Some(collector) => {
                gone.push(collector);
                Collector::new(settings)
            }
            None => Collector::new(settings),
        };
        let (job, stop) = (job.clone(), stop.clone());
        loops.spawn(async move {
            let watched = Watched {
                job,
                target,
                hash,
                is_over,
            };
            (hash, watched.follow(collector, stop).await)
        });
    }
    // What is left belongs to targets that are gone.
    gone.extend(pool.with(std::mem::take).into_values());
    for mut collector in gone {
        let ends = collector.leave(now());
        job.hand_on(ends, LEAVE_TIMEOUT, &stop).await;
    }
    while let Some(ended) = loops.join_next().await {
        match ended {
            Ok((hash, collector)) => {
                pool.with(|collectors| collectors.insert(hash, collector));
            }
            Err(error) => {
                tracing::error!(component = %job.site.id(), "the loop of a target failed: {error}");
            }
        }
    }
}

/// A target in its loop.
struct Watched {
    job: Arc<Job>,
    target: Resolved,
    hash: u64,
    is_over: bool,
}

impl Watched {
    async fn follow(&self, mut collector: Collector, stop: CancellationToken) -> Collector {
        let interval = self.target.interval;
        let offset = self.offset();
        let base = now() + offset.as_millis() as i64;
        let mut timer = interval_at(Instant::now() + offset, interval);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut was_up = true;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return collector,
                _ = timer.tick() => {}
            }
            let time = aligned(now(), base, interval);
            let work = self.scrape(&mut collector, time);
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => return collector,
                result = work => result,
            };
            let id = self.job.site.id();
            match &result {
                Ok(()) if !was_up => {
                    tracing::info!(component = %id, "{} answers again", self.target.url);
                }
                Err(failure) if was_up => {
                    let message = &failure.message;
                    tracing::warn!(component = %id, "cannot scrape {}: {message}", self.target.url);
                }
                _ => {}
            }
            was_up = result.is_ok();
            let written = collector.written();
            self.job.hand_on(written, interval, &stop).await;
        }
    }

    async fn scrape(&self, collector: &mut Collector, time: i64) -> Result<(), Failure> {
        let started = Instant::now();
        collector.begin(time);
        let asked = async {
            match self.is_over {
                true => Err("there are more targets than target_limit".to_owned().into()),
                false => self.job.exchange.ask(&self.target, collector).await,
            }
        };
        let limit = self.target.timeout;
        let result = match timeout(limit, asked).await {
            Ok(result) => result,
            Err(_) => Err(format!("it did not answer within {limit:?}").into()),
        };
        let counts: Counts = match &result {
            Ok(_) => collector.succeed(),
            Err(_) => collector.fail(),
        };
        let extra = Extra {
            timeout_seconds: limit.as_secs_f64(),
            sample_limit: self.job.settings.limits.samples,
            body_bytes: match &result {
                Ok(bytes) => *bytes as f64,
                Err(failure) if failure.is_too_large => -1.0,
                Err(_) => 0.0,
            },
        };
        let report = Report {
            is_up: result.is_ok(),
            seconds: started.elapsed().as_secs_f64(),
            extra: self.job.extra.then_some(extra),
        };
        collector.report(&report, &counts);
        result.map(drop)
    }

    /// How long to wait before the first request. Each target has its own place in the interval, the
    /// same in each run of this node and another one on each node.
    fn offset(&self) -> Duration {
        let host = hostname::get().unwrap_or_default();
        let seed = xxh64(host.as_encoded_bytes(), 0);
        let interval = self.target.interval.as_nanos().max(1);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let place = u128::from(self.hash ^ seed) % interval;
        let wait = (interval - now.as_nanos() % interval + place) % interval;
        Duration::from_nanos(u64::try_from(wait).unwrap_or_default())
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as i64)
}

/// The time that is written for a scrape at `now`: the one at which it should have been, if that is
/// close.
fn aligned(now: i64, base: i64, interval: Duration) -> i64 {
    let interval = (interval.as_millis() as i64).max(1);
    let steps = (now - base + interval / 2).div_euclid(interval);
    let due = base + steps * interval;
    match (now - due).abs() <= TOLERANCE_MILLISECONDS.min(interval / 100) {
        true => due,
        false => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_aligned_if_they_are_close() {
        let interval = Duration::from_secs(15);
        for (now, expected) in [
            (1000, 1000),
            (16_001, 16_000),
            (15_998, 16_000),
            (16_003, 16_003),
            (31_002, 31_000),
            (999, 1000),
        ] {
            assert_eq!(aligned(now, 1000, interval), expected, "{now}");
        }
        assert_eq!(aligned(1051, 1000, Duration::from_millis(50)), 1051);
    }
}
