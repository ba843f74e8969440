//! `loadtest send`

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use loadtest::{
    Encoding, Error, Oracle, Signal,
    client::{Protocol, Target},
    generate::{Generator, Profile},
    load::{Gauge, Load},
    units,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, interval, sleep_until},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to send over gRPC, as host:port; may be repeated.
    #[arg(long)]
    grpc: Vec<String>,
    /// Where to send over HTTP, as host:port; may be repeated.
    #[arg(long)]
    http: Vec<String>,
    /// Signals to send.
    #[arg(long, value_delimiter = ',', default_value = "logs,metrics,traces")]
    signals: Vec<Signal>,
    /// How bodies are encoded.
    #[arg(long, default_value = "gzip")]
    encoding: Encoding,
    /// The tenant to send as.
    #[arg(long)]
    tenant: Option<String>,
    /// Items in a request.
    #[arg(long, default_value_t = 50, value_parser = units::count)]
    items: usize,
    /// Items a second of each signal to each address; 0 sends as fast as answers come.
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Connections to each address for each signal.
    #[arg(long, default_value_t = 1, value_parser = units::count)]
    connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 1, value_parser = units::count)]
    in_flight: usize,
    /// How long to send; without it, until interrupted.
    #[arg(long, value_parser = units::duration)]
    duration: Option<Duration>,
    /// Items of each signal to each address after which to end.
    #[arg(long)]
    limit: Option<u64>,
    /// The seed of all contents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let grpc = self.grpc.iter().map(|address| (Protocol::Grpc, address));
        let http = self.http.iter().map(|address| (Protocol::Http, address));
        let addresses: Vec<_> = grpc.chain(http).collect();
        if addresses.is_empty() {
            return Err(Error::new(
                "nowhere to send to, give --grpc or --http an address",
            ));
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let oracle = Oracle::new(now.as_secs() as u32, &[]);
        let gauge = Arc::new(Gauge::default());
        let stop = watch::Sender::new(false);
        let mut loads = JoinSet::new();
        for signal in &self.signals {
            let profile = Profile {
                seed: self.seed,
                ..Profile::new(*signal, self.items)
            };
            let generator = Arc::new(Generator::new(profile));
            for (protocol, address) in &addresses {
                let target = Target::new(*protocol, *address).as_tenant(self.tenant.as_deref());
                let load = self.load(target);
                let (generator, oracle) = (Arc::clone(&generator), Arc::clone(&oracle));
                let (gauge, stop) = (Arc::clone(&gauge), stop.subscribe());
                loads.spawn(async move { load.run(&generator, &oracle, &gauge, &stop).await });
            }
        }
        self.watch(&mut loads, &gauge).await?;
        stop.send_replace(true);
        while let Some(load) = loads.join_next().await {
            load.map_err(|error| Error::new(format!("a load died: {error}")))??;
        }
        summary(&gauge)
    }

    fn load(&self, target: Target) -> Load {
        Load {
            encoding: self.encoding,
            connections: self.connections,
            in_flight: self.in_flight,
            pace: (self.rate > 0.0).then_some(self.rate),
            limit: self.limit,
            ..Load::new(target)
        }
    }

    /// Prints a line each second until the time is up, all loads have ended, or somebody
    /// interrupts.
    async fn watch(
        &self,
        loads: &mut JoinSet<Result<(), Error>>,
        gauge: &Gauge,
    ) -> Result<(), Error> {
        let end = self.duration.map(|duration| Instant::now() + duration);
        let up = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(up);
        let mut second = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = &mut up => return Ok(()),
                interrupted = tokio::signal::ctrl_c() => {
                    return interrupted.map_err(|error| Error::new(format!("wait: {error}")));
                }
                load = loads.join_next() => match load {
                    Some(ended) => {
                        ended.map_err(|error| Error::new(format!("a load died: {error}")))??;
                    }
                    None => return Ok(()),
                },
                _ = second.tick() => super::print(&line(gauge))?,
            }
        }
    }
}

fn line(gauge: &Gauge) -> String {
    let sent = gauge.sent();
    let latency = |share| gauge.latency().quantile(share);
    format!(
        "sent {}  acknowledged {}  refused {}  given up {}  put off {}  unreachable {}  \
         unanswered {}  p50 {:.1?}  p99 {:.1?}  p99.9 {:.1?}",
        sent.items,
        sent.acked,
        sent.refused + sent.rejected,
        sent.abandoned,
        sent.refusals,
        sent.unreachable,
        sent.responses_lost,
        latency(0.5),
        latency(0.99),
        latency(0.999)
    )
}

/// Prints the end of it; whether everything was acknowledged.
fn summary(gauge: &Gauge) -> Result<bool, Error> {
    super::print(&line(gauge))?;
    if let Some(refusal) = gauge.refusal() {
        super::print(&format!("the first refusal for good: {refusal}"))?;
    }
    let sent = gauge.sent();
    Ok(sent.acked == sent.items)
}
