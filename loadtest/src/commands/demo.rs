//! `loadtest demo`

use std::{io::stdout, path::PathBuf, time::Duration};

use clap::Args;
use loadtest::{Error, demo, units};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The gateway's executable.
    #[arg(long, default_value = "target/release/corten")]
    gateway: PathBuf,
    /// How long it takes.
    #[arg(long, default_value = "60s", value_parser = units::duration)]
    duration: Duration,
    /// Leave everything running at the end.
    #[arg(long)]
    keep: bool,
    /// Items a second of each signal.
    #[arg(long, default_value_t = 3000.0)]
    rate: f64,
    /// The seed of all contents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let Self {
            gateway,
            duration,
            keep,
            rate,
            seed,
        } = self;
        let options = demo::Options {
            gateway,
            duration,
            keep,
            rate,
            seed,
        };
        Ok(demo::run(&options, &mut stdout()).await?.passed())
    }
}
