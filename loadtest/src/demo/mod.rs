//! The demonstration: a gateway between real traffic and two backends, killed twice, with one of
//! the backends away for a while; and then the count.
//!
//! Traffic is all three signals, over gRPC and HTTP, plain, gzip and Zstandard, from two tenants.
//! Each signal goes to both backends, and each backend is owed everything that was acknowledged.

mod config;

use std::{io::Write, path::PathBuf, time::Duration};

use crate::{
    Check, Encoding, Error, Signal,
    act::{Act, Due},
    backend::Fault,
    client::Protocol,
    error::Context,
    process::{Command, Ready},
    report::Report,
    scenario::{Scenario, say},
    stage::Stage,
    sut::Wiring,
    traffic::{Sender, Traffic},
};
use config::{GRPC_EXPORTER, HTTP_EXPORTER};

/// Items in a request: between what an SDK sends and what a collector does.
const ITEMS: usize = 50;

/// Which part of the duration the load takes; the rest is for draining.
const LOAD_SHARE: f64 = 0.7;

/// How long what was acknowledged may take to arrive, if longer than the rest of the duration.
const DRAIN_MIN: Duration = Duration::from_secs(30);

/// Who sends what to the gateway, for each signal.
const SENDERS: [(Protocol, &str, Encoding); 4] = [
    (Protocol::Grpc, "red", Encoding::Identity),
    (Protocol::Grpc, "blue", Encoding::Gzip),
    (Protocol::Http, "red", Encoding::Gzip),
    (Protocol::Http, "blue", Encoding::Zstd),
];

/// When each act is due, as a share of the duration. The second kill is in the middle of the
/// outage, so that the backlog has to survive it; towards its end the backend resets connections
/// instead of closing its port, for a closed port cannot count who knocks.
const SCRIPT: [(f64, Act); 5] = [
    (0.20, Act::Kill),
    (0.35, Act::Fault(Protocol::Http, Fault::Down)),
    (0.45, Act::Kill),
    (0.50, Act::Fault(Protocol::Http, Fault::RefuseConnections)),
    (0.68, Act::Fault(Protocol::Http, Fault::Healthy)),
];

/// What to demonstrate, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The gateway's executable, which is started as `run <file>` with Alloy's flags.
    pub gateway: PathBuf,
    /// How long all of it takes, if the gateway keeps up.
    pub duration: Duration,
    /// Whether to leave everything running at the end until interrupted.
    pub keep: bool,
    /// Items a second of each signal.
    pub rate: f64,
    /// The seed of all contents.
    pub seed: u64,
}

impl Options {
    /// A minute at 3000 items a second of each signal: a load that a laptop does not notice.
    pub fn new(gateway: PathBuf) -> Self {
        Self {
            gateway,
            duration: Duration::from_secs(60),
            keep: false,
            rate: 3000.0,
            seed: 1,
        }
    }
}

/// Runs the demonstration, telling `progress` about it line by line and the report at the end.
/// It is an error if it could not be run; whether the gateway passed is in the report.
pub async fn run(options: &Options, progress: &mut (dyn Write + Send)) -> Result<Report, Error> {
    let destinations = [Protocol::Grpc, Protocol::Http];
    let prepare = |wiring: &Wiring| prepare(options, wiring);
    let mut stage = Stage::set(options.seed as u32, &destinations, Check::Verify, prepare).await?;
    let addresses = stage.addresses();
    say(progress, &format!("{addresses}\n"))?;
    let report = match scenario(options).play(&mut stage, progress).await {
        Ok(report) => report,
        Err(error) => {
            let directory = stage.keep_directory();
            let directory = directory.display();
            return Err(Error::new(format!(
                "{error} (configuration and logs are in {directory})"
            )));
        }
    };
    say(progress, &format!("\n{report}"))?;
    if !report.passed() {
        let directory = stage.keep_directory();
        say(
            progress,
            &format!("configuration and logs are in {}", directory.display()),
        )?;
    }
    if options.keep {
        say(
            progress,
            &format!("\nleft running until interrupted (ctrl-c):\n{addresses}"),
        )?;
        tokio::signal::ctrl_c()
            .await
            .context(|| "wait for an interrupt".into())?;
    }
    Ok(report)
}

fn scenario(options: &Options) -> Scenario {
    let senders = SENDERS.map(|(protocol, tenant, encoding)| Sender {
        protocol,
        tenant: Some(tenant.into()),
        encoding,
    });
    let script = SCRIPT.map(|(share, act)| Due {
        at: options.duration.mul_f64(share),
        act,
    });
    Scenario {
        traffic: Traffic {
            signals: Signal::ALL.into(),
            senders: senders.into(),
            items: ITEMS,
            rate: options.rate,
            in_flight: 2,
            seed: options.seed,
        },
        duration: options.duration.mul_f64(LOAD_SHARE),
        script: script.into(),
        drain: options.duration.mul_f64(1.0 - LOAD_SHARE).max(DRAIN_MIN),
        ledger: vec![
            (Protocol::Grpc, GRPC_EXPORTER.into()),
            (Protocol::Http, HTTP_EXPORTER.into()),
        ],
        keep: options.keep,
    }
}

/// Writes the configuration and makes the command that runs it.
fn prepare(options: &Options, wiring: &Wiring) -> Result<(Command, Ready), Error> {
    let directory = wiring.storage.parent().unwrap_or(&wiring.storage);
    let file = directory.join("config.alloy");
    std::fs::write(&file, config::text(wiring)).context(|| format!("write {}", file.display()))?;
    let command = Command {
        program: options.gateway.clone(),
        arguments: vec![
            "run".into(),
            file.into(),
            format!("--server.http.listen-addr={}", wiring.admin).into(),
            format!("--storage.path={}", wiring.storage.display()).into(),
        ],
        environment: Vec::new(),
        log: directory.join("gateway.log"),
    };
    let ready = Ready::Http {
        address: wiring.admin.to_string(),
        path: "/-/ready".into(),
    };
    Ok((command, ready))
}
