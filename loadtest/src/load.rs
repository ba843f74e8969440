//! A load: lanes that each send one request after the other, and retry as an SDK does.
//!
//! A lane has a stream of numbers of its own and at most one request in flight, so order within a
//! stream means something. A closed loop sends as soon as it is answered; a paced one sends by the
//! clock and counts latency from when it meant to send, so that a stall is not left out because
//! nothing was sent during it.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::Rng;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Encoding, Error,
    client::{Answer, Client, Prepared, Protocol, Target},
    counters::counters,
    error::Context,
    generate::Generator,
    histogram::Histogram,
    number::Number,
    oracle::{Oracle, Stream},
};

/// What to send where, and how hard.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where it goes.
    pub target: Target,
    /// How bodies are encoded.
    pub encoding: Encoding,
    /// Connections. HTTP/1.1 opens one for each lane instead.
    pub connections: usize,
    /// Lanes on each connection: its requests in flight.
    pub in_flight: usize,
    /// Items a second over all lanes; none for a closed loop.
    pub pace: Option<f64>,
    /// Items after which it ends by itself, over all lanes and rounded up to whole requests.
    pub limit: Option<u64>,
    /// Requests to send over and over instead of making up numbered ones: for benchmarks, where
    /// compressing would cost more than all else. The oracle learns nothing of them.
    pub replay: Option<Arc<Vec<Prepared>>>,
    /// How refused and lost requests are sent again.
    pub retry: Retry,
}

/// A client's retries.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The first wait where the server names none; it doubles from there.
    pub initial: Duration,
    /// The longest such wait.
    pub max: Duration,
    /// How long after its first attempt a request is given up.
    pub give_up: Duration,
}

impl Default for Retry {
    /// Quicker than an SDK to come back, so that short runs see the recovery, and more patient.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(2),
            give_up: Duration::from_secs(60),
        }
    }
}

counters! {
    /// What a load has done so far.
    Sent of Meter {
        /// Requests begun, however often each was tried.
        requests,
        /// Items in them.
        items,
        /// Bytes of their bodies, as encoded.
        bytes,
        /// Attempts to send one.
        attempts,
        /// Items acknowledged.
        acked,
        /// Items that a partial success rejected.
        rejected,
        /// Items refused for good.
        refused,
        /// Items given up after retrying for as long as a client does.
        abandoned,
        /// Attempts refused for now.
        refusals,
        /// Attempts without a connection.
        unreachable,
        /// Attempts whose answer was lost.
        responses_lost,
    }
}

/// Counts what one or several loads do, while they do it.
#[derive(Default)]
pub struct Gauge {
    meter: Meter,
    latency: Histogram,
    refusal: OnceLock<String>,
}

impl Gauge {
    /// The counts of this moment.
    pub fn sent(&self) -> Sent {
        self.meter.snapshot()
    }

    /// How the first request that was refused for good was refused, if any was.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// The latencies of acknowledged requests, retries included.
    pub fn latency(&self) -> &Histogram {
        &self.latency
    }
}

impl Load {
    /// A closed loop of one uncompressed lane with default retries.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            encoding: Encoding::Identity,
            connections: 1,
            in_flight: 1,
            pace: None,
            limit: None,
            replay: None,
            retry: Retry::default(),
        }
    }

    /// Sends until `stop` becomes true or the limit is reached, and until every request that was
    /// begun has its outcome. Dropping it ends it at once.
    pub async fn run(
        &self,
        generator: &Arc<Generator>,
        oracle: &Arc<Oracle>,
        gauge: &Arc<Gauge>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let lanes = self.connections * self.in_flight;
        if lanes == 0 {
            return Err(Error::new(
                "a load needs a connection and a request in flight",
            ));
        }
        let per_request = generator.profile().items as f64;
        let interval = |pace: f64| {
            let interval = Duration::try_from_secs_f64(per_request * lanes as f64 / pace);
            interval.context(|| format!("send {pace} items a second"))
        };
        let interval = self.pace.map(interval).transpose()?;
        let mut tasks = JoinSet::new();
        let mut client = Arc::new(Client::new(self.target.clone()));
        for index in 0..lanes {
            if index > 0 && (self.target.protocol == Protocol::Http || index % self.in_flight == 0)
            {
                client = Arc::new(Client::new(self.target.clone()));
            }
            let signal = generator.profile().signal;
            let lane = Lane {
                client: Arc::clone(&client),
                generator: Arc::clone(generator),
                stream: oracle.open_stream(signal, self.target.tenant.as_deref()),
                gauge: Arc::clone(gauge),
                encoding: self.encoding,
                replay: self.replay.clone(),
                index,
                retry: self.retry,
                interval,
                requests: self.limit.map(|items| {
                    let requests = items.div_ceil(generator.profile().items as u64);
                    (requests + index as u64) / lanes as u64
                }),
            };
            // Lanes start spread over the interval, not all at once.
            let share = index as f64 / lanes as f64;
            let delay = interval.unwrap_or_default().mul_f64(share);
            tasks.spawn(lane.run(delay, stop.clone()));
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.context(|| "join a lane of the load".into())??;
        }
        Ok(())
    }
}

struct Lane {
    client: Arc<Client>,
    generator: Arc<Generator>,
    stream: Stream,
    gauge: Arc<Gauge>,
    encoding: Encoding,
    replay: Option<Arc<Vec<Prepared>>>,
    index: usize,
    retry: Retry,
    interval: Option<Duration>,
    requests: Option<u64>,
}

impl Lane {
    async fn run(self, delay: Duration, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
        let replay = self.replay.as_deref().map_or(&[][..], Vec::as_slice);
        let mut again = replay.iter().cycle().skip(self.index);
        let mut intended = Instant::now() + delay;
        let mut left = self.requests.unwrap_or(u64::MAX);
        while left > 0 && !*stop.borrow() {
            match self.interval {
                None => intended = Instant::now(),
                Some(_) => tokio::select! {
                    () = sleep_until(intended) => {}
                    // A sender that is gone will not stop it any more: the pace goes on.
                    Ok(()) = stop.changed() => continue,
                },
            }
            match again.next() {
                Some(request) => self.deliver(request, None, intended).await,
                None => {
                    let (first, request) = self.prepare()?;
                    self.deliver(&request, Some(first), intended).await;
                }
            }
            intended += self.interval.unwrap_or_default();
            left -= 1;
        }
        Ok(())
    }

    /// Makes up the next request.
    fn prepare(&self) -> Result<(Number, Prepared), Error> {
        let profile = self.generator.profile();
        let first = self.stream.claim(profile.items as u64);
        let request = self.generator.request(first, now());
        Ok((
            first,
            Prepared::new(profile.signal, self.encoding, request)?,
        ))
    }

    /// Sends a request until it has an outcome, which the oracle learns if it is numbered.
    async fn deliver(&self, request: &Prepared, first: Option<Number>, intended: Instant) {
        let items = self.generator.profile().items as u64;
        let meter = &self.gauge.meter;
        meter.requests.add(1);
        meter.items.add(items);
        meter.bytes.add(request.len() as u64);
        let deadline = Instant::now() + self.retry.give_up;
        let mut backoff = self.retry.initial;
        loop {
            meter.attempts.add(1);
            let asked = match self.client.send(request).await {
                Answer::Acked { rejected } => {
                    // Which items were rejected is not said, so that none of them is owed.
                    if rejected == 0 {
                        if let Some(first) = first {
                            self.stream.acknowledged(first, items);
                        }
                        self.gauge.latency.record(intended.elapsed());
                    }
                    meter.rejected.add(rejected);
                    return meter.acked.add(items.saturating_sub(rejected));
                }
                Answer::Refused { why } => {
                    // Only the first is kept: the rest are most likely the same.
                    self.gauge.refusal.get_or_init(|| why);
                    return meter.refused.add(items);
                }
                Answer::Retryable { delay, sent, .. } => {
                    let counter = if sent {
                        &meter.refusals
                    } else {
                        &meter.unreachable
                    };
                    counter.add(1);
                    delay
                }
                Answer::Lost { .. } => {
                    meter.responses_lost.add(1);
                    None
                }
            };
            let wait = asked.unwrap_or(backoff.mul_f64(rand::rng().random_range(0.7..1.3)));
            backoff = (backoff * 2).min(self.retry.max);
            if Instant::now() + wait > deadline {
                return meter.abandoned.add(items);
            }
            sleep(wait).await;
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Check, Signal,
        backend::{Backend, Fault, Options},
        generate::Profile,
    };

    /// A backend, and what a load to it needs.
    async fn scene() -> (Backend, Load, Arc<Generator>, Arc<Oracle>, Arc<Gauge>) {
        let options = Options {
            protocol: Protocol::Http,
            address: ([127, 0, 0, 1], 0).into(),
            check: Check::Skim,
            destination: None,
        };
        let backend = Backend::start(options).await.unwrap();
        let target = Target::new(Protocol::Http, backend.address().to_string());
        let generator = Arc::new(Generator::new(Profile::new(Signal::Logs, 10)));
        let gauge = Arc::new(Gauge::default());
        (
            backend,
            Load::new(target),
            generator,
            Oracle::new(1, &[]),
            gauge,
        )
    }

    #[tokio::test]
    async fn a_limit_is_met_exactly() {
        let (backend, load, generator, oracle, gauge) = scene().await;
        let load = Load {
            connections: 3,
            limit: Some(95),
            ..load
        };
        let stop = watch::Sender::new(false);
        load.run(&generator, &oracle, &gauge, &stop.subscribe())
            .await
            .unwrap();
        let sent = gauge.sent();
        assert_eq!((sent.requests, sent.items, sent.acked), (10, 100, 100));
        assert_eq!(backend.counts().items, 100);
        assert_eq!(gauge.latency().count(), 10);
    }

    #[tokio::test]
    async fn latency_counts_from_when_it_meant_to_send() {
        let (backend, load, generator, oracle, gauge) = scene().await;
        backend
            .inject(Fault::Slow(Duration::from_millis(50)))
            .await
            .unwrap();
        // A request each 10 ms, of which the lane manages one in 50 ms.
        let load = Load {
            pace: Some(1000.0),
            limit: Some(100),
            ..load
        };
        let stop = watch::Sender::new(false);
        load.run(&generator, &oracle, &gauge, &stop.subscribe())
            .await
            .unwrap();
        let last = gauge.latency().quantile(1.0);
        assert!(last >= Duration::from_millis(400), "{last:?}");
    }

    #[tokio::test]
    async fn a_dropped_load_sends_no_more() {
        let (backend, load, generator, oracle, gauge) = scene().await;
        let load = Load {
            pace: Some(1000.0),
            ..load
        };
        let stop = watch::Sender::new(false);
        let stopping = stop.subscribe();
        let running = load.run(&generator, &oracle, &gauge, &stopping);
        let time = Duration::from_millis(100);
        assert!(tokio::time::timeout(time, running).await.is_err());
        let before = backend.counts().requests;
        assert!(before > 0);
        sleep(time).await;
        assert!(
            backend.counts().requests <= before + 1,
            "one may have been on its way"
        );
    }

    #[tokio::test]
    async fn refusals_for_good_are_final_and_told() {
        let (backend, load, generator, oracle, gauge) = scene().await;
        backend.inject("400".parse().unwrap()).await.unwrap();
        let load = Load {
            limit: Some(20),
            ..load
        };
        let stop = watch::Sender::new(false);
        load.run(&generator, &oracle, &gauge, &stop.subscribe())
            .await
            .unwrap();
        assert_eq!((gauge.sent().refused, gauge.sent().attempts), (20, 2));
        assert_eq!(gauge.refusal(), Some("http status 400"));
    }

    #[tokio::test]
    async fn a_load_that_never_sends_is_an_error() {
        let (_backend, load, generator, oracle, gauge) = scene().await;
        let stop = watch::Sender::new(false);
        for load in [
            Load {
                pace: Some(0.0),
                ..load.clone()
            },
            Load {
                pace: Some(-1.0),
                ..load.clone()
            },
            Load {
                connections: 0,
                ..load
            },
        ] {
            let outcome = load
                .run(&generator, &oracle, &gauge, &stop.subscribe())
                .await;
            assert!(outcome.is_err(), "{load:?}");
        }
    }
}
