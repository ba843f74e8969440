//! The command line. Flags that Alloy has keep Alloy's names, defaults and meaning; those that
//! Corten does not honour are refused by name, with the reason.

mod unsupported;
mod wal;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};

pub use wal::{DeadLettersCommand, DeadLettersOptions, LetterOptions, WalCommand, WalOptions};

use crate::{graph::Stability, net::Address};

/// Corten, a telemetry gateway: takes OTLP, keeps it in a log on disk before it answers, and
/// forwards it.
#[derive(Debug, Parser)]
#[command(name = "corten", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// What is wrong with it; also the help, if that was asked for.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments = unsupported::sift(arguments.into_iter().collect());
        let refuse = |reason| Self::command().error(ErrorKind::InvalidValue, reason);
        Self::try_parse_from(arguments.map_err(refuse)?)
    }
}

/// What parses the command line, to be described.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

pub(crate) use unsupported::flags as unsupported_flags;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a configuration
    Run(Box<RunOptions>),
    /// Say what is wrong with a configuration, without running it
    Validate(ValidateOptions),
    /// Print a configuration in its canonical form
    Fmt(FmtOptions),
    /// Print the reference of a component, or write all of it into a folder
    Docs(DocsOptions),
    /// Serve an editor, by the Language Server Protocol on standard input and output: diagnostics,
    /// hover, completion, formatting, definitions
    Lsp(LspOptions),
    /// Look after the log of a gateway that does not run
    Wal(WalOptions),
    /// Run the gateway between a load and stand-in backends, kill it, and settle the account
    Demo(DemoOptions),
}

/// `corten run`
#[derive(Debug, Args)]
pub struct RunOptions {
    /// A file, a folder whose *.alloy files are read as one, or - for standard input, which is read
    /// once: a reload takes the same text again. Without it: OTLP on 4317 and 4318, each signal to
    /// $CORTEN_LOGS_ENDPOINT, $CORTEN_METRICS_ENDPOINT, $CORTEN_TRACES_ENDPOINT, and to the log
    /// where none is set
    pub path: Option<PathBuf>,

    #[command(flatten)]
    pub config: ConfigOptions,

    /// Where the admin server listens: API, metrics, probes
    #[arg(
        long = "server.http.listen-addr",
        default_value = "127.0.0.1:12345",
        value_name = "ADDRESS",
        value_parser = address
    )]
    pub listen: Address,

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

/// `corten docs`
#[derive(Debug, Args)]
pub struct DocsOptions {
    /// A component, such as otelcol.exporter.otlp, or cli for the command line. Without it, a line
    /// for each page
    #[arg(conflicts_with = "output")]
    pub name: Option<String>,

    /// Write every page into this folder
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

/// `corten lsp`
#[derive(Debug, Args)]
pub struct LspOptions {
    #[command(flatten)]
    pub config: ConfigOptions,

    /// Take the *.alloy files of a file's folder as one configuration
    #[arg(long)]
    pub folder: bool,

    /// Let pass: some editors say so, and it is what happens anyway
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// What `validate` prints and how it exits, for its help and its page.
const VALIDATE_HELP: &str = "\
Everything is evaluated and built, and nothing runs: no socket is opened, nothing is sent, and the log \
is not touched. A file or a variable of the environment that the configuration names and that this \
machine does not have is a warning, and what depends on it is not checked: the configuration may be \
for another machine.

It exits 1 if there is an error or the configuration cannot be read, and 0 otherwise, also with warnings.

With `--output=json` it prints an array, empty if nothing was found, in the order of the text. Each \
element has:

    severity  \"error\" or \"warning\"
    file      the file's path as it was given, or \"standard input\"
    start     { \"line\", \"column\", \"offset\" } of its first character
    end       the same, behind its last character
    message   a sentence
    notes     an array of sentences that may help

Lines and columns count from 1, columns in characters; offsets count bytes from 0.";

/// `corten validate`
#[derive(Debug, Args)]
#[command(after_long_help = VALIDATE_HELP)]
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

/// `host:port`, where an empty host is every interface, as with Alloy.
fn address(text: &str) -> Result<Address, String> {
    Address::new("tcp", text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    fn read(flag: &str) -> Result<Cli, String> {
        let arguments = ["corten", "run", flag].map(OsString::from);
        Cli::read(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_honoured_is_refused_with_a_reason() {
        for (flag, reason) in [
            ("--cluster.enabled", "clustering"),
            ("--cluster.enabled=true", "clustering"),
            ("--server.http.enable-pprof=true", "Go profiles"),
            ("--config.extra-args=-x", "not converted"),
        ] {
            let error = read(flag).unwrap_err();
            let name = flag.split('=').next().unwrap();
            let expected = format!("{name} is not supported: ");
            assert!(error.contains(&expected), "{flag}: {error}");
            assert!(error.contains(reason), "{flag}: {error}");
        }
        for flag in [
            "--cluster.enabled=false",
            "--disable-reporting",
            "--stability.level=experimental",
        ] {
            read(flag).unwrap();
        }
        assert!(read("--config.format=otelcol").is_err());
        assert!(read("--nonsense").unwrap_err().contains("unexpected"));
    }

    #[test]
    fn the_admin_server_listens_where_alloy_can() {
        for address in ["127.0.0.1:12345", ":12345", "localhost:12345", "[::1]:0"] {
            let cli = read(&format!("--server.http.listen-addr={address}")).unwrap();
            let Command::Run(options) = cli.command else {
                panic!("not a run");
            };
            assert_eq!(options.listen, Address::Tcp(address.to_owned()));
        }
        for address in ["12345", "localhost", "localhost:http"] {
            assert!(
                read(&format!("--server.http.listen-addr={address}")).is_err(),
                "{address}"
            );
        }
    }
}
