//! `corten lsp`: serves an editor on standard input and output.

use std::process::ExitCode;

use lsp_server::Connection;

use super::fail;
use crate::{
    cli::LspOptions,
    lsp::{self, Options},
};

/// Serves until the editor says to end, or closes standard input.
pub fn lsp(options: &LspOptions) -> ExitCode {
    let (connection, threads) = Connection::stdio();
    let served = lsp::serve(
        &connection,
        Options {
            stability: options.config.stability.into(),
            folder: options.folder,
        },
    );
    // What is still to be written is written once nobody can send any more.
    drop(connection);
    let joined = threads.join().map_err(|error| error.to_string());
    match served.and(joined) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(reason),
    }
}
