//! The command line. Flags that Alloy has keep Alloy's names, defaults and meaning; those that
//! Corten does not honour are refused by name, with the reason.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::graph::Stability;

/// Corten, a telemetry gateway: takes OTLP, keeps it in a log on disk before it answers, and
/// forwards it.
#[derive(Debug, Parser)]
#[command(name = "corten", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a configuration
    Run(Box<RunOptions>),
    /// Say what is wrong with a configuration, without running it
    Validate(ValidateOptions),
    /// Print a configuration in its canonical form
    Fmt(FmtOptions),
    /// Run the gateway between a load and stand-in backends, kill it, and settle the account
    Demo(DemoOptions),
}

/// `corten run`
#[derive(Debug, Args)]
pub struct RunOptions {
    /// A file, or a folder whose *.alloy files are read as one. Without it: OTLP on 4317 and 4318,
    /// each signal to $CORTEN_LOGS_ENDPOINT, $CORTEN_METRICS_ENDPOINT, $CORTEN_TRACES_ENDPOINT, and
    /// to the log where none is set
    pub path: Option<PathBuf>,

    #[command(flatten)]
    pub config: ConfigOptions,

    /// Where the admin server listens: API, metrics, probes
    #[arg(
        long = "server.http.listen-addr",
        default_value = "127.0.0.1:12345",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where the log is kept
    #[arg(
        long = "storage.path",
        default_value = "data-corten/",
        value_name = "FOLDER"
    )]
    pub storage: PathBuf,

    /// Bytes that all queues together may hold on disk, such as 20GiB. At the bound new data is
    /// refused with a delay. Default: all but a reserve of the file system's free space
    #[arg(long = "storage.budget", value_name = "BYTES", value_parser = bytes)]
    pub storage_budget: Option<u64>,

    /// Bytes that requests in flight may hold in memory, such as 256MiB. Above it new requests are
    /// refused with a delay
    #[arg(long = "memory.budget", default_value = "256MiB", value_name = "BYTES", value_parser = bytes)]
    pub memory_budget: u64,

    /// How long components may take to stop
    #[arg(
        long = "feature.component-shutdown-deadline",
        default_value = "10m",
        value_name = "DURATION",
        value_parser = duration
    )]
    pub shutdown_deadline: Duration,

    /// Accepted for compatibility: Corten reports to nobody
    #[arg(long = "disable-reporting", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "true", hide = true)]
    pub disable_reporting: bool,

    #[command(flatten)]
    pub unsupported: Unsupported,
}

/// What says how a configuration is read.
#[derive(Clone, Debug, Args)]
pub struct ConfigOptions {
    /// The least stable components that may be used
    #[arg(
        long = "stability.level",
        default_value = "generally-available",
        value_name = "LEVEL"
    )]
    pub stability: StabilityLevel,

    /// The language of the configuration
    #[arg(long = "config.format", default_value = "alloy", value_name = "FORMAT")]
    pub format: ConfigFormat,
}

/// Alloy's stability levels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StabilityLevel {
    /// Everything
    Experimental,
    /// What will stay, but may change
    PublicPreview,
    /// What stays as it is
    GenerallyAvailable,
}

impl From<StabilityLevel> for Stability {
    fn from(level: StabilityLevel) -> Self {
        match level {
            StabilityLevel::Experimental => Self::Experimental,
            StabilityLevel::PublicPreview => Self::PublicPreview,
            StabilityLevel::GenerallyAvailable => Self::GenerallyAvailable,
        }
    }
}

/// The languages that `--config.format` can name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ConfigFormat {
    /// Alloy's language
    Alloy,
}

/// Flags of `alloy run` that Corten does not honour. They are known, so that they can be refused
/// by name instead of being taken for a mistake.
#[derive(Debug, Args)]
pub struct Unsupported {
    #[arg(long = "cluster.enabled", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("clustering is not part of this version"))]
    cluster_enabled: String,
    #[arg(long = "server.http.memory-addr", hide = true,
          value_parser = refused("components reach each other without HTTP here; remove the flag"))]
    memory_addr: Option<String>,
    #[arg(long = "server.http.ui-path-prefix", hide = true,
          value_parser = refused("there is no user interface in this version"))]
    ui_path_prefix: Option<String>,
    #[arg(long = "server.http.enable-pprof", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("Go profiles do not exist in this program"))]
    enable_pprof: String,
    #[arg(long = "server.http.enable-graphql", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("there is no GraphQL API in this version"))]
    enable_graphql: String,
    #[arg(long = "feature.community-components.enabled", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("no community components exist here"))]
    community_components: String,
    #[arg(long = "feature.prometheus.direct-fanout.enabled", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("fan-out is always direct here; remove the flag"))]
    direct_fanout: String,
    #[arg(long = "config.bypass-conversion-errors", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide = true,
          value_parser = only_false("other formats are not converted in this version"))]
    bypass_conversion_errors: String,
    #[arg(long = "config.extra-args", hide = true,
          value_parser = refused("other formats are not converted in this version"))]
    extra_args: Option<String>,
}

/// `corten validate`
#[derive(Debug, Args)]
pub struct ValidateOptions {
    /// A file, a folder whose *.alloy files are read as one, or - for standard input
    pub path: PathBuf,

    #[command(flatten)]
    pub config: ConfigOptions,

    /// How to say what was found
    #[arg(long, default_value = "text")]
    pub output: Output,
}

/// The forms of `validate`'s findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: an excerpt with marks
    Text,
    /// For programs: an array of objects
    Json,
}

/// `corten fmt`
#[derive(Debug, Args)]
pub struct FmtOptions {
    /// A file, or - for standard input
    pub path: PathBuf,

    /// Write the result back to the file
    #[arg(short, long, conflicts_with = "test")]
    pub write: bool,

    /// Print nothing; the exit code says whether the file is in its canonical form
    #[arg(short, long)]
    pub test: bool,
}

/// `corten demo`
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// How long to send
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub duration: Duration,

    /// Items a second, for each signal
    #[arg(long)]
    pub rate: Option<f64>,

    /// The seed from which the faults' moments follow
    #[arg(long)]
    pub seed: Option<u64>,

    /// Leave the gateway and its backends running afterwards, to look at
    #[arg(long)]
    pub keep: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    syntax::parse_duration(text)
}

fn bytes(text: &str) -> Result<u64, String> {
    text.parse().map(syntax::ByteSize::bytes)
}

fn refused(why: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |_| Err(format!("not supported: {why}"))
}

fn only_false(why: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |value| match value {
        "false" => Ok(value.to_owned()),
        _ => Err(format!("not supported: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_honoured_is_refused_with_a_reason() {
        let refused = |flag: &str| {
            let error = Cli::try_parse_from(["corten", "run", flag])
                .unwrap_err()
                .to_string();
            assert!(error.contains("not supported"), "{flag}: {error}");
        };
        refused("--cluster.enabled");
        refused("--cluster.enabled=true");
        refused("--server.http.enable-pprof=true");
        refused("--config.extra-args=-x");
        for flag in [
            "--cluster.enabled=false",
            "--disable-reporting",
            "--stability.level=experimental",
        ] {
            Cli::try_parse_from(["corten", "run", flag]).unwrap();
        }
        assert!(Cli::try_parse_from(["corten", "run", "--config.format=otelcol"]).is_err());
    }
}
