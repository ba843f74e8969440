//! `corten wal`: the log of a gateway that does not run.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `corten wal`
#[derive(Debug, Args)]
pub struct WalOptions {
    /// What to look at.
    #[command(subcommand)]
    pub command: WalCommand,
}

/// What a log has that can be looked at.
#[derive(Debug, Subcommand)]
pub enum WalCommand {
    /// What destinations refused for good
    DeadLetters(DeadLettersOptions),
}

/// `corten wal dead-letters`
#[derive(Debug, Args)]
pub struct DeadLettersOptions {
    /// What to do.
    #[command(subcommand)]
    pub command: DeadLettersCommand,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Show them, a line each
    List(LetterOptions),
    /// Print them with their contents, a JSON object each on a line of its own
    Export(LetterOptions),
    /// Put them back into the queues of their destinations
    Replay(LetterOptions),
    /// Remove them for good
    Remove(LetterOptions),
}

/// Which letters are meant.
#[derive(Debug, Args)]
pub struct LetterOptions {
    /// Where the log is kept. The gateway must not be running; of one that runs, ask the admin
    /// server: /api/v0/dead-letters
    #[arg(
        long = "storage.path",
        default_value = "data-corten/",
        value_name = "FOLDER"
    )]
    pub storage: PathBuf,

    /// Those of this component, such as otelcol.exporter.otlphttp.loki
    #[arg(long, value_name = "ID")]
    pub component: Option<String>,

    /// Those of this signal: logs, metrics or traces
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub signal: Option<protos::Signal>,

    /// Those of this tenant
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,

    /// The one with this name, as `list` shows it; may be given several times
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,

    /// All of them; replay and remove want this or a choice
    #[arg(long)]
    pub all: bool,
}

fn signal(text: &str) -> Result<protos::Signal, String> {
    text.parse()
        .map_err(|_| "expected logs, metrics or traces".to_owned())
}
