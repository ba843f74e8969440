//! Corten: a telemetry gateway.
//!
//! ```text
//! main -> cli -> commands::run: load -> build -> run -> drain
//!                                `-> graph (engine) -> components -> net, delivery
//! ```

pub mod admin;
pub mod app;
pub mod batch;
pub mod cli;
pub mod commands;
pub mod components;
pub mod delivery;
pub mod discovery;
pub mod graph;
pub mod ledger;
pub mod lsp;
pub mod net;
pub mod reference;
pub mod relabel;
pub mod services;
pub mod telemetry;
