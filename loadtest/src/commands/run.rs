//! `loadtest run`

use std::{io::stdout, time::Duration};

use clap::Args;
use loadtest::{
    Check, Encoding, Error, Signal,
    act::{Act, Due},
    client::Protocol,
    process::Ready,
    scenario::Scenario,
    stage::Stage,
    sut::{Template, Wiring},
    traffic::{Sender, Traffic},
    units,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// In which part of the duration random kills fall: there is a load before and after each.
const KILL_SHARES: std::ops::Range<f64> = 0.03..0.97;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The command of the system under test, with {grpc}, {http}, {admin}, {backend_grpc},
    /// {backend_http} and {storage} filled in; they are in its environment too, as LOADTEST_GRPC
    /// and so on.
    #[arg(last = true, required = true)]
    command: Vec<String>,
    /// The path at {admin} that answers 200 when the system is ready; without it, the system is
    /// ready when {grpc}, or {http} if nothing is sent over gRPC, accepts connections.
    #[arg(long)]
    ready: Option<String>,
    /// How long to send.
    #[arg(long, default_value = "30s", value_parser = units::duration)]
    duration: Duration,
    /// How long what was acknowledged may take to arrive afterwards.
    #[arg(long, default_value = "60s", value_parser = units::duration)]
    drain: Duration,
    /// Backends to expect everything at.
    #[arg(long, value_delimiter = ',', default_value = "grpc,http")]
    backends: Vec<Protocol>,
    /// Protocols to send over.
    #[arg(long, value_delimiter = ',', default_value = "grpc,http")]
    protocols: Vec<Protocol>,
    /// Encodings to send in, each over each protocol.
    #[arg(long, value_delimiter = ',', default_value = "none,gzip")]
    encodings: Vec<Encoding>,
    /// Signals to send.
    #[arg(long, value_delimiter = ',', default_value = "logs,metrics,traces")]
    signals: Vec<Signal>,
    /// The tenant to send as, which must reach the backends.
    #[arg(long)]
    tenant: Option<String>,
    /// Items a second of each signal.
    #[arg(long, default_value_t = 3000.0)]
    rate: f64,
    /// Items in a request.
    #[arg(long, default_value_t = 50, value_parser = units::count)]
    items: usize,
    /// Requests in flight for each signal, protocol and encoding.
    #[arg(long, default_value_t = 2, value_parser = units::count)]
    in_flight: usize,
    /// What to do and when, as in 5s=kill, 8s=restart, 9s=pause:2s, 10s=http=down, 15s=grpc=503:2s
    /// or 20s=http=healthy; may be repeated.
    #[arg(long)]
    act: Vec<Due>,
    /// Kills at random moments, besides the acts.
    #[arg(long, default_value_t = 0)]
    kills: usize,
    /// The component of Corten's ledger for a backend, as in grpc=otelcol.exporter.otlp.default.
    #[arg(long, value_parser = component)]
    ledger: Vec<(Protocol, String)>,
    /// The seed of all contents and of the moments of kills.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn component(text: &str) -> Result<(Protocol, String), Error> {
    let (protocol, component) = text
        .split_once('=')
        .ok_or_else(|| Error::new(format!("{text:?} is not a protocol and a component")))?;
    Ok((protocol.parse()?, component.into()))
}

impl Arguments {
    pub(crate) async fn run(mut self) -> Result<bool, Error> {
        let template = Template::new(std::mem::take(&mut self.command))?;
        let prepare = |wiring: &Wiring| {
            let directory = wiring.storage.parent().unwrap_or(&wiring.storage);
            Ok((
                template.fill(wiring, &directory.join("system.log")),
                self.ready(wiring),
            ))
        };
        let mut stage =
            Stage::set(self.seed as u32, &self.backends, Check::Verify, prepare).await?;
        super::print(&stage.addresses())?;
        let report = self.scenario().play(&mut stage, &mut stdout()).await?;
        super::print(&format!("\n{report}"))?;
        if !report.passed() {
            let directory = stage.keep_directory();
            super::print(&format!("data and logs are in {}", directory.display()))?;
        }
        Ok(report.passed())
    }

    fn ready(&self, wiring: &Wiring) -> Ready {
        if let Some(path) = &self.ready {
            return Ready::Http {
                address: wiring.admin.to_string(),
                path: path.clone(),
            };
        }
        let grpc = self.protocols.contains(&Protocol::Grpc);
        Ready::Tcp(if grpc { wiring.grpc } else { wiring.http }.to_string())
    }

    fn scenario(self) -> Scenario {
        let mut senders = Vec::new();
        for protocol in &self.protocols {
            for encoding in &self.encodings {
                let (protocol, encoding, tenant) = (*protocol, *encoding, self.tenant.clone());
                senders.push(Sender {
                    protocol,
                    tenant,
                    encoding,
                });
            }
        }
        let mut script = self.act;
        let mut rng = StdRng::seed_from_u64(self.seed);
        for _ in 0..self.kills {
            let at = self.duration.mul_f64(rng.random_range(KILL_SHARES));
            script.push(Due { at, act: Act::Kill });
        }
        script.sort_by_key(|due| due.at);
        Scenario {
            traffic: Traffic {
                signals: self.signals,
                senders,
                items: self.items,
                rate: self.rate,
                in_flight: self.in_flight,
                seed: self.seed,
            },
            duration: self.duration,
            script,
            drain: self.drain,
            ledger: self.ledger,
            keep: false,
        }
    }
}
