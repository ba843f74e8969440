//! `loadtest`: generators, stand-in backends and the oracle, from the command line.

mod commands;

use std::{io::Write, process::ExitCode};

use clap::Parser;

/// The gateway's allocator, so that what is measured beside it has no other excuse.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::Command::parse().run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody left to tell if this fails.
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}
