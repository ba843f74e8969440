//! What stands on the stage: the system under test, the backends behind it, and the applications
//! that send to it.

use std::{path::PathBuf, process::ExitStatus, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Check, Encoding, Error, Oracle, Signal, Usage, Verdict,
    act::{Act, Done},
    backend::{self, Backend, Counts, Fault},
    client::{Answer, Client, Prepared, Protocol, Target},
    error::Context,
    generate::{Generator, Profile},
    load::{Gauge, Load, Sent, now},
    process::{Command, Process, Ready},
    sut::Wiring,
    traffic::{Sender, Traffic},
};

/// How long the system may take to become ready, with whatever backlog it has.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How long a killed system stays dead, so that its clients notice.
const DEAD: Duration = Duration::from_millis(500);

/// How long the system may take to end when it is asked to.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How long a single probe may take from end to end.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// A running test.
pub struct Stage {
    wiring: Wiring,
    system: Process,
    ready: Ready,
    backends: Vec<(Protocol, Backend)>,
    oracle: Arc<Oracle>,
    /// What was sent of each signal.
    gauges: [Arc<Gauge>; 3],
    stop: watch::Sender<bool>,
    loads: JoinSet<Result<(), Error>>,
    done: Done,
    outage: Outage,
    /// Removed when it is dropped, which must be after the system has ended.
    directory: TempDir,
}

/// Times during which not all backends were healthy.
#[derive(Default)]
struct Outage {
    faulty: Vec<Protocol>,
    since: Option<Instant>,
    before: Duration,
}

impl Stage {
    /// Starts a backend for each destination, which looks at what it gets as closely as `check`
    /// says; then the system that `prepare` makes the command for, and waits until it is ready.
    pub async fn set(
        run: u32,
        destinations: &[Protocol],
        check: Check,
        prepare: impl FnOnce(&Wiring) -> Result<(Command, Ready), Error>,
    ) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("loadtest-")
            .tempdir()
            .context(|| "make a temporary directory".into())?;
        let wiring = Wiring::new(directory.path().join("data"))?;
        let names: Vec<_> = destinations
            .iter()
            .map(|protocol| protocol.as_str())
            .collect();
        let oracle = Oracle::new(run, &names);
        let mut backends = Vec::new();
        for protocol in destinations {
            backends.push((
                *protocol,
                start_backend(&oracle, *protocol, check, &wiring).await?,
            ));
        }
        let (command, ready) = prepare(&wiring)?;
        let mut system = Process::start(command)?;
        if let Err(error) = system.wait_ready(&ready, READY_LIMIT).await {
            drop(directory.keep());
            return Err(error);
        }
        Ok(Self {
            wiring,
            system,
            ready,
            backends,
            oracle,
            gauges: Default::default(),
            stop: watch::Sender::new(false),
            loads: JoinSet::new(),
            done: Done::default(),
            outage: Outage::default(),
            directory,
        })
    }

    /// Where everything is.
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// What issues the numbers and judges the arrivals.
    pub fn oracle(&self) -> &Arc<Oracle> {
        &self.oracle
    }

    /// Where everything is, for people.
    pub fn addresses(&self) -> String {
        let wiring = &self.wiring;
        let mut text = format!(
            "system    OTLP/gRPC {}, OTLP/HTTP {}, http://{}/\n",
            wiring.grpc, wiring.http, wiring.admin
        );
        for (protocol, backend) in &self.backends {
            text.push_str(&format!("backend   {protocol} {}\n", backend.address()));
        }
        text.push_str(&format!("files     {}", self.directory.path().display()));
        text
    }

    /// Lets the applications send.
    pub fn start_load(&mut self, traffic: &Traffic) {
        for signal in &traffic.signals {
            let profile = Profile {
                seed: traffic.seed,
                ..Profile::new(*signal, traffic.items)
            };
            let generator = Arc::new(Generator::new(profile));
            for sender in &traffic.senders {
                let load = Load {
                    encoding: sender.encoding,
                    in_flight: traffic.in_flight,
                    pace: Some(traffic.rate / traffic.senders.len() as f64),
                    ..Load::new(self.target(sender))
                };
                let (generator, oracle) = (Arc::clone(&generator), Arc::clone(&self.oracle));
                let gauge = Arc::clone(&self.gauges[*signal as usize]);
                let stop = self.stop.subscribe();
                self.loads
                    .spawn(async move { load.run(&generator, &oracle, &gauge, &stop).await });
            }
        }
    }

    fn target(&self, sender: &Sender) -> Target {
        let address = match sender.protocol {
            Protocol::Grpc => self.wiring.grpc,
            Protocol::Http => self.wiring.http,
        };
        Target::new(sender.protocol, address.to_string()).as_tenant(sender.tenant.as_deref())
    }

    /// Waits until every application has its last answer.
    pub async fn stop_load(&mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        while let Some(load) = self.loads.join_next().await {
            load.context(|| "join a load".into())??;
        }
        Ok(())
    }

    /// An error if the system has ended although nobody ended it.
    pub fn check_alive(&mut self) -> Result<(), Error> {
        match self.system.exited()? {
            Some(status) => Err(Error::new(format!(
                "the system under test ended by itself: {status} (its output is in {})",
                self.keep_directory().display()
            ))),
            None => Ok(()),
        }
    }

    /// Does it, and tells about it.
    pub async fn perform(&mut self, act: &Act) -> Result<String, Error> {
        Ok(match act {
            Act::Kill => {
                self.system.kill().await?;
                self.done.kills += 1;
                sleep(DEAD).await;
                let took = self.start_again().await?;
                format!("killed (SIGKILL), and ready again {took:.1?} after it was started")
            }
            Act::Restart => {
                let status = self.system.terminate(END_LIMIT).await?;
                self.done.restarts += u64::from(status.success());
                let took = self.start_again().await?;
                format!("ended on SIGTERM ({status}), and ready again {took:.1?} after its start")
            }
            Act::Pause(time) => {
                self.system.pause().await?;
                sleep(*time).await;
                self.system.resume()?;
                self.done.pauses += 1;
                format!("was stopped (SIGSTOP) for {time:?}")
            }
            Act::Fault(protocol, fault) => {
                let Some((_, backend)) = self.backends.iter().find(|(p, _)| p == protocol) else {
                    return Err(Error::new(format!(
                        "there is no {protocol} backend to change"
                    )));
                };
                backend.inject(fault.clone()).await?;
                self.outage.note(*protocol, *fault == Fault::Healthy);
                format!("the {protocol} backend {fault}")
            }
        })
    }

    async fn start_again(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.system.restart()?;
        self.system.wait_ready(&self.ready, READY_LIMIT).await?;
        Ok(start.elapsed())
    }

    /// Obligations that have not arrived yet, over all backends.
    pub fn outstanding(&self) -> u64 {
        let owed = |protocol: &Protocol| self.oracle.outstanding(protocol.as_str());
        self.backends
            .iter()
            .map(|(protocol, _)| owed(protocol))
            .sum()
    }

    /// The verdict on each destination, as of now.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.oracle.verdicts()
    }

    /// What was sent of one signal.
    pub fn gauge(&self, signal: Signal) -> &Gauge {
        &self.gauges[signal as usize]
    }

    /// What was sent of all signals.
    pub fn sent(&self) -> Sent {
        let mut sum = Sent::default();
        for gauge in &self.gauges {
            sum += gauge.sent();
        }
        sum
    }

    /// Sends one more item of each signal and waits for it to arrive everywhere: after all that
    /// happened, the way must still be open.
    pub async fn probe(&self, traffic: &Traffic) -> Result<bool, Error> {
        let Some(sender) = traffic.senders.first() else {
            return Ok(false);
        };
        for signal in &traffic.signals {
            let generator = Generator::new(Profile::new(*signal, 1));
            let stream = self.oracle.open_stream(*signal, sender.tenant.as_deref());
            let first = stream.claim(1);
            let body = generator.request(first, now());
            let request = Prepared::new(*signal, Encoding::Identity, body)?;
            let client = Client::new(self.target(sender));
            if client.send(&request).await != (Answer::Acked { rejected: 0 }) {
                return Ok(false);
            }
            stream.acknowledged(first, 1);
        }
        let deadline = Instant::now() + PROBE_LIMIT;
        while self.outstanding() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(self.outstanding() == 0)
    }

    /// Asks the system to end; how it did.
    pub async fn end(&mut self) -> Result<ExitStatus, Error> {
        self.system.terminate(END_LIMIT).await
    }

    /// Leaves the directory with data and logs behind, to be looked at.
    pub fn keep_directory(&mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().into()
    }

    /// What was done to the system.
    pub fn done(&self) -> Done {
        self.done
    }

    /// What all backends counted, together.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for (_, backend) in &self.backends {
            sum += backend.counts();
        }
        sum
    }

    /// For how long not all backends were healthy.
    pub fn outage(&self) -> Duration {
        self.outage.before
            + self
                .outage
                .since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// What the system cost.
    pub fn usage(&self) -> Usage {
        self.system.usage()
    }
}

impl Outage {
    fn note(&mut self, protocol: Protocol, healthy: bool) {
        self.faulty.retain(|faulty| *faulty != protocol);
        if !healthy {
            self.faulty.push(protocol);
        }
        if self.faulty.is_empty() {
            self.before += self
                .since
                .take()
                .map_or(Duration::ZERO, |since| since.elapsed());
        } else {
            self.since = self.since.or_else(|| Some(Instant::now()));
        }
    }
}

async fn start_backend(
    oracle: &Arc<Oracle>,
    protocol: Protocol,
    check: Check,
    wiring: &Wiring,
) -> Result<Backend, Error> {
    let address = match protocol {
        Protocol::Grpc => wiring.backend_grpc,
        Protocol::Http => wiring.backend_http,
    };
    let destination = oracle.destination(protocol.as_str());
    Backend::start(backend::Options {
        protocol,
        address,
        check,
        destination,
    })
    .await
}
