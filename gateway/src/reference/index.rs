//! The list of all pages.

use std::{collections::BTreeMap, fmt::Write};

use super::{MARK, file_name, prose};
use crate::components::{TABLE, VOCABULARY};

/// The page that links to all others.
pub(super) fn page() -> String {
    let mut out = String::from(
        "# Reference\n\nA page for each component and configuration block that Corten has, and one \
         for its [command line](cli.md). `corten docs NAME` prints a page on a machine that has only \
         the program.\n\n| name | what it does | stability |\n|---|---|---|\n",
    );
    for definition in TABLE {
        let (name, file) = (definition.name, file_name(definition));
        let (summary, stability) = (prose::summary(definition), definition.stability.as_str());
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "| [{name}]({file}) | {summary} | {stability} |");
    }
    out.push_str(
        "\nThe blocks that make custom components and repeat others, `argument`, `declare`, `export` and \
         `foreach`, are part of the language: see [modules](../modules.md).\n\n## What Alloy has and Corten has not\n\nA configuration that uses one of these is refused; \
         `corten validate` names the line, and checks the rest of the file.\n\n",
    );
    for (space, names) in missing() {
        let _ = writeln!(out, "- {space}: {}", names.join(", "));
    }
    let _ = write!(out, "\n{MARK}");
    out
}

/// Alloy's blocks that are not here, by the first part of their names.
fn missing() -> BTreeMap<&'static str, Vec<String>> {
    let mut missing: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for known in VOCABULARY.alloy {
        if !VOCABULARY.has(known.name) {
            let space = known.name.split_once('.').map(|(first, _)| first);
            let space = space.unwrap_or("configuration blocks");
            missing
                .entry(space)
                .or_default()
                .push(format!("`{}`", known.name));
        }
    }
    missing
}
