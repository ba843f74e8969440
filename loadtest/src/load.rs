//! A load: lanes that each send one request after the other, and retry as an SDK does.
//!
//! A lane has a stream of numbers of its own and at most one request in flight, so order within a
//! stream means something. A closed loop sends as soon as it is answered; a paced one sends by the
//! clock and counts latency from when it meant to send, so that a stall is not left out because
//! nothing was sent during it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::future::join_all;
use rand::Rng;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Encoding, Error,
    client::{Answer, Client, Prepared, Protocol, Target},
    counters::counters,
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
}

impl Gauge {
    /// The counts of this moment.
    pub fn sent(&self) -> Sent {
        self.meter.snapshot()
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
    /// begun has its outcome.
    pub async fn run(
        &self,
        generator: &Arc<Generator>,
        oracle: &Arc<Oracle>,
        gauge: &Arc<Gauge>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let lanes = self.connections * self.in_flight;
        let per_request = generator.profile().items as f64;
        let mut tasks = Vec::new();
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
                interval: self
                    .pace
                    .map(|pace| Duration::from_secs_f64(per_request * lanes as f64 / pace)),
                requests: self.limit.map(|items| {
                    let requests = items.div_ceil(generator.profile().items as u64);
                    (requests + index as u64) / lanes as u64
                }),
            };
            // Lanes start spread over the interval, not all at once.
            let delay = lane
                .interval
                .unwrap_or_default()
                .mul_f64(index as f64 / lanes as f64);
            tasks.push(tokio::spawn(lane.run(delay, stop.clone())));
        }
        for outcome in join_all(tasks).await {
            outcome.map_err(|error| Error::new(format!("a lane of the load died: {error}")))??;
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
                    tracing::warn!(%why, items, "a request was refused for good");
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
