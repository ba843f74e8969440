//! Targets: what discovery finds and scraping asks, as values of the language.

mod group;
mod refresh;
mod target;

pub use group::{GroupError, Source, parse_json};
pub use refresh::Refresh;
pub use target::Target;

/// Targets that one component may find. Each is some hundred bytes here and a scrape elsewhere; a
/// source that says more is broken, or belongs to several nodes.
pub const TARGETS_MAX: usize = 100_000;

/// Bytes of an answer or a file with targets: a hundred thousand with ten labels each fit.
pub const SOURCE_BYTES_MAX: usize = 64 << 20;
