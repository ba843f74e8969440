//! The benchmark: systems side by side, each fed by the same generator into the same sink.
//!
//! What counts is the system's own CPU time for each item, from the first request until the last
//! item has arrived, for everything shares the machine's cores: the rate on the clock says as much
//! about the harness as about the system. Repeats are interleaved, so that a slow minute of the
//! machine hits every system. A figure with an item lost is void.

mod system;
mod table;

use std::{
    io::Write,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

pub use system::{Kind, System};
pub use table::{Cell, Table};

use crate::{
    Check, Encoding, Error, Number, Signal, Usage,
    client::{Prepared, Protocol, Target},
    generate::{BODIES, Generator, Profile},
    load::{Gauge, Load, Sent, now},
    scenario::say,
    stage::Stage,
};

/// Requests that are made up beforehand when compressed ones are sent over and over.
const REPLAY: u64 = BODIES as u64;

/// How long what was acknowledged may take to arrive after a load.
const DRAIN: Duration = Duration::from_secs(60);

/// What to measure.
pub struct Options {
    /// The systems, each in every row.
    pub systems: Vec<System>,
    /// Signals.
    pub signals: Vec<Signal>,
    /// Items in a request.
    pub items: Vec<usize>,
    /// Encodings.
    pub encodings: Vec<Encoding>,
    /// How often each figure is taken; the table has medians.
    pub repeats: usize,
    /// How long each load lasts, after a warm-up of a fifth of that.
    pub duration: Duration,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
}

/// One measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Items acknowledged, in the time of `wall`.
    pub items: u64,
    /// Bytes of their bodies, as encoded.
    pub bytes: u64,
    /// How long the load lasted.
    pub wall: Duration,
    /// The system's CPU time, until the last item had arrived.
    pub cpu: Duration,
    /// The harness's own CPU time, generator and sink, in the same span.
    pub harness_cpu: Duration,
    /// The system's resident memory before any load.
    pub resident_idle: u64,
    /// The system's largest resident memory.
    pub resident_peak: u64,
    /// Bytes that the system wrote to storage.
    pub written: u64,
    /// Latency of the acknowledgement, in the middle.
    pub p50: Duration,
    /// Latency of the acknowledgement, for all but one of a hundred.
    pub p99: Duration,
    /// Items acknowledged that did not arrive, or were refused for good.
    pub lost: u64,
}

impl Sample {
    /// Items a second, by the clock.
    pub fn rate(&self) -> f64 {
        self.items as f64 / self.wall.as_secs_f64()
    }

    /// Items for each second of the system's CPU time.
    pub fn rate_per_core(&self) -> f64 {
        self.items as f64 / self.cpu.as_secs_f64().max(0.001)
    }
}

/// Measures everything, telling `progress` about each measurement.
pub async fn run(options: &Options, progress: &mut (dyn Write + Send)) -> Result<Table, Error> {
    let mut table = Table::default();
    for signal in &options.signals {
        for items in &options.items {
            let generator = Arc::new(Generator::new(Profile::new(*signal, *items)));
            for encoding in &options.encodings {
                let replay = match encoding {
                    Encoding::Identity => None,
                    other => Some(compress(&generator, *other)?),
                };
                let load = Load {
                    encoding: *encoding,
                    connections: options.connections,
                    in_flight: options.in_flight,
                    replay,
                    ..Load::new(Target::new(Protocol::Grpc, ""))
                };
                for repeat in 1..=options.repeats {
                    for system in options.systems.iter().filter(|one| one.accepts(*encoding)) {
                        let sample = measure(options, system, &generator, &load).await?;
                        let cell = Cell {
                            signal: *signal,
                            items: *items,
                            encoding: *encoding,
                            system: system.name.clone(),
                        };
                        say(
                            progress,
                            &format!("{cell} {repeat}/{}: {sample}", options.repeats),
                        )?;
                        table.add(cell, sample);
                    }
                }
            }
        }
    }
    Ok(table)
}

/// Distinct requests in an encoding, none of them known to an oracle.
fn compress(generator: &Generator, encoding: Encoding) -> Result<Arc<Vec<Prepared>>, Error> {
    let profile = generator.profile();
    let requests = (0..REPLAY).map(|turn| {
        let first = Number {
            run: 1,
            stream: 0,
            sequence: turn * profile.items as u64,
        };
        Prepared::new(profile.signal, encoding, generator.request(first, now()))
    });
    Ok(Arc::new(requests.collect::<Result<_, _>>()?))
}

/// Measures one system once, in a life of its own.
async fn measure(
    options: &Options,
    system: &System,
    generator: &Arc<Generator>,
    load: &Load,
) -> Result<Sample, Error> {
    let destinations: &[Protocol] = if system.delivers() {
        &[Protocol::Grpc]
    } else {
        &[]
    };
    let run = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos() as u32;
    let prepare = |wiring: &_| system.prepare(wiring, load.encoding);
    let mut stage = Stage::set(run, destinations, Check::Skim, prepare).await?;
    let idle = stage.usage();
    let address = stage.wiring().grpc.to_string();
    let load = Load {
        target: Target {
            address,
            ..load.target.clone()
        },
        ..load.clone()
    };

    let warm_up = drive(&mut stage, &load, generator, options.duration / 5).await?;
    drain(&mut stage, &[warm_up.sent()]).await?;
    let (before, own_before) = (stage.usage(), own_usage());
    let start = Instant::now();
    let gauge = drive(&mut stage, &load, generator, options.duration).await?;
    let wall = start.elapsed();
    drain(&mut stage, &[warm_up.sent(), gauge.sent()]).await?;
    let (after, own_after) = (stage.usage(), own_usage());

    let (sent, latency) = (gauge.sent(), gauge.latency());
    let arrived = stage.counts().items;
    let owed = if system.delivers() {
        sent.acked + warm_up.sent().acked
    } else {
        0
    };
    Ok(Sample {
        items: sent.acked,
        bytes: sent.bytes,
        wall,
        cpu: after.cpu - before.cpu,
        harness_cpu: own_after.cpu - own_before.cpu,
        resident_idle: idle.resident,
        resident_peak: after.resident_peak,
        written: after.written - before.written,
        p50: latency.quantile(0.5),
        p99: latency.quantile(0.99),
        lost: owed.saturating_sub(arrived).max(stage.outstanding()) + sent.refused + sent.abandoned,
    })
}

async fn drive(
    stage: &mut Stage,
    load: &Load,
    generator: &Arc<Generator>,
    duration: Duration,
) -> Result<Arc<Gauge>, Error> {
    let gauge = Arc::new(Gauge::default());
    let stop = watch::Sender::new(false);
    let stopping = stop.subscribe();
    let timer = tokio::spawn(async move {
        sleep(duration).await;
        stop.send_replace(true);
    });
    load.run(generator, stage.oracle(), &gauge, &stopping)
        .await?;
    timer.abort();
    stage.check_alive()?;
    Ok(gauge)
}

/// Waits until as many items have arrived as were acknowledged, or for as long as there is
/// patience for: what is missing then is lost.
async fn drain(stage: &mut Stage, sent: &[Sent]) -> Result<(), Error> {
    let acked: u64 = sent.iter().map(|sent| sent.acked).sum();
    let deadline = Instant::now() + DRAIN;
    while !stage.verdicts().is_empty()
        && (stage.outstanding() > 0 || stage.counts().items < acked)
        && Instant::now() < deadline
    {
        stage.check_alive()?;
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn own_usage() -> Usage {
    let mut usage = Usage::default();
    usage.update(std::process::id());
    usage
}
