//! `loadtest backend`

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use loadtest::{
    Check, Error,
    backend::{Backend, Fault, Options},
    client::Protocol,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// How many orders from standard input may wait; more are read when these are carried out.
const ORDERS_WAITING_MAX: usize = 16;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to take gRPC.
    #[arg(long)]
    grpc: Option<SocketAddr>,
    /// Where to take HTTP.
    #[arg(long)]
    http: Option<SocketAddr>,
    /// The fault to begin with; more can be typed while it runs, as in `http 503:2s` or
    /// `grpc down`, each replacing the one before.
    #[arg(long, default_value = "healthy")]
    fault: Fault,
    /// Walk bodies instead of decoding them, for benchmarks.
    #[arg(long)]
    skim: bool,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let check = if self.skim {
            Check::Skim
        } else {
            Check::Verify
        };
        let mut backends = Vec::new();
        for (protocol, address) in [(Protocol::Grpc, self.grpc), (Protocol::Http, self.http)] {
            let Some(address) = address else { continue };
            let options = Options {
                protocol,
                address,
                check,
                destination: None,
            };
            let backend = Backend::start(options).await?;
            backend.inject(self.fault.clone()).await?;
            super::print(&format!("{protocol} on {}", backend.address()))?;
            backends.push((protocol, backend));
        }
        if backends.is_empty() {
            return Err(Error::new(
                "nowhere to listen, give --grpc or --http an address",
            ));
        }
        let mut orders = read_orders();
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut before = String::new();
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.map_err(|error| Error::new(format!("wait: {error}")))?;
                    return Ok(true);
                }
                Some(order) = orders.recv() => {
                    if let Err(error) = obey(&order, &backends).await {
                        super::print(&error.to_string())?;
                    }
                }
                _ = second.tick() => {
                    let lines: Vec<_> = backends.iter().map(line).collect();
                    let lines = lines.join("\n");
                    if lines != before {
                        super::print(&lines)?;
                    }
                    before = lines;
                }
            }
        }
    }
}

/// Lines of standard input. The thread that reads them ends with the input or the process.
fn read_orders() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(ORDERS_WAITING_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn obey(order: &str, backends: &[(Protocol, Backend)]) -> Result<(), Error> {
    let (protocol, fault) = order
        .split_once(' ')
        .ok_or_else(|| Error::new(format!("{order:?} is not a protocol and a fault")))?;
    let (protocol, fault): (Protocol, Fault) = (protocol.parse()?, fault.trim().parse()?);
    match backends.iter().find(|(known, _)| *known == protocol) {
        Some((_, backend)) => backend.inject(fault).await,
        None => Err(Error::new(format!("there is no {protocol} backend"))),
    }
}

fn line((protocol, backend): &(Protocol, Backend)) -> String {
    let counts = backend.counts();
    format!(
        "{protocol}: items {}  requests {}  bytes {}  undecodable {}  refused {}  hung {}  \
         slowed {}  answers lost {}  connections {} (cut {}, refused {})",
        counts.items,
        counts.requests,
        counts.bytes,
        counts.undecodable,
        counts.refused,
        counts.hung,
        counts.slowed,
        counts.responses_lost,
        counts.connections,
        counts.connections_reset,
        counts.connections_refused
    )
}
