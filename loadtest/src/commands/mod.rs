//! One file for each subcommand: its arguments, and what it does with them.

mod backend;
mod bench;
mod demo;
mod relay;
mod run;
mod send;
mod tonic_server;

use clap::Parser;
use loadtest::Error;

/// Prove what an OTLP gateway does with what it acknowledged.
#[derive(Parser)]
#[command(version)]
pub(crate) enum Command {
    /// Show the gateway being killed under load, and count what arrived.
    Demo(demo::Arguments),
    /// Play a scenario against any command that speaks OTLP, and count what arrived.
    Run(run::Arguments),
    /// Send OTLP.
    Send(send::Arguments),
    /// Stand in for OTLP backends, misbehaving on demand.
    Backend(backend::Arguments),
    /// Measure gateways against each other and against a bare server.
    Bench(bench::Arguments),
    /// Pass OTLP on and answer when every backend has: the least that a gateway can do.
    Relay(relay::Arguments),
    /// Serve OTLP/gRPC with tonic and throw everything away: what receiving alone costs.
    TonicServer(tonic_server::Arguments),
}

impl Command {
    /// Runs it; whether what was tested passed.
    pub(crate) async fn run(self) -> Result<bool, Error> {
        match self {
            Self::Demo(arguments) => arguments.run().await,
            Self::Run(arguments) => arguments.run().await,
            Self::Send(arguments) => arguments.run().await,
            Self::Backend(arguments) => arguments.run().await,
            Self::Bench(arguments) => arguments.run().await,
            Self::Relay(arguments) => arguments.run().await,
            Self::TonicServer(arguments) => arguments.run().await,
        }
    }
}

/// Writes a line to standard output.
fn print(line: &str) -> Result<(), Error> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").map_err(|error| Error::new(format!("print: {error}")))
}
