//! What the commands do.

mod dead_letters;
mod demo;
mod docs;
mod fmt;
mod lsp;
mod run;
mod sources;
mod validate;
mod wal;

pub use demo::demo;
pub use docs::docs;
pub use fmt::fmt;
pub use lsp::lsp;
pub use run::run;
pub use validate::validate;
pub use wal::wal;

use std::{fmt::Display, io::Write, process::ExitCode};

/// Ends a command with a sentence on standard error.
fn fail(reason: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{reason}");
    ExitCode::FAILURE
}
