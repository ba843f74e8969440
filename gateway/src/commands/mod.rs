//! What the commands do.

mod demo;
mod fmt;
mod run;
mod sources;
mod validate;

pub use demo::demo;
pub use fmt::fmt;
pub use run::run;
pub use validate::validate;

use std::{fmt::Display, io::Write, process::ExitCode};

/// Ends a command with a sentence on standard error.
fn fail(reason: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{reason}");
    ExitCode::FAILURE
}
