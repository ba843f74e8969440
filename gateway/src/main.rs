//! `corten`: parse the command line, and do what it says.

use std::process::ExitCode;

use clap::Parser;
use corten::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(options) => corten::commands::run(*options),
        Command::Validate(options) => corten::commands::validate(&options),
        Command::Fmt(options) => corten::commands::fmt(&options),
        Command::Demo(options) => corten::commands::demo(options),
    }
}
