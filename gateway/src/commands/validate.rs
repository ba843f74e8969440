//! `corten validate`: all that is wrong with a configuration, without running it.

use std::{io::Write, process::ExitCode};

use super::{fail, sources::Sources};
use crate::{
    app,
    cli::{Output, ValidateOptions},
};

/// Exits 0 only if nothing is wrong.
pub fn validate(options: &ValidateOptions) -> ExitCode {
    let files = match Sources::new(Some(options.path.clone())).read() {
        Ok(files) => files,
        Err(reason) => return fail(reason),
    };
    let stability = options.config.stability.into();
    let diagnostics = app::check(stability, &files);
    let text = match options.output {
        Output::Text => diagnostics.render(),
        Output::Json => format!("{}\n", diagnostics.to_json()),
    };
    if std::io::stdout().write_all(text.as_bytes()).is_err() || diagnostics.has_errors() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
