//! The reference: a page for each component, made of the very structs that decode its arguments,
//! and one for the command line, made of what parses it.

mod command_line;
mod index;
mod page;
mod prose;
mod usage;

pub use page::{component, describe, field_summary};
pub use prose::summary;

use crate::{components::TABLE, graph::Definition};

/// What stands at the end of each page, so that nobody edits one, and so that stale ones are known.
pub const MARK: &str = "<!-- Written by `make docs` from the source. -->\n";

/// The page's file name.
pub fn file_name(definition: &Definition) -> String {
    format!("{}.md", definition.name)
}

/// All pages, each with its file name, in the order of the names.
pub fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<_> = TABLE
        .iter()
        .map(|definition| (file_name(definition), component(definition)))
        .collect();
    pages.push(("README.md".to_owned(), index::page()));
    pages.push(("cli.md".to_owned(), command_line::page()));
    pages.sort();
    pages
}
