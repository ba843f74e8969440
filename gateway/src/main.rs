//! `corten`: parse the command line, and do what it says.

use std::process::ExitCode;

use corten::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match cli.command {
        Command::Run(options) => corten::commands::run(*options),
        Command::Validate(options) => corten::commands::validate(&options),
        Command::Fmt(options) => corten::commands::fmt(&options),
        Command::Docs(options) => corten::commands::docs(&options),
        Command::Lsp(options) => corten::commands::lsp(&options),
        Command::Wal(options) => corten::commands::wal(&options),
        Command::Demo(options) => corten::commands::demo(options),
    }
}
