//! `corten wal`: the log of a gateway that does not run.

use std::process::ExitCode;

use super::dead_letters::dead_letters;
use crate::cli::{WalCommand, WalOptions};

/// Looks after a log.
pub fn wal(options: &WalOptions) -> ExitCode {
    match &options.command {
        WalCommand::DeadLetters(options) => dead_letters(&options.command),
    }
}
