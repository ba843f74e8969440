//! What works but should be written otherwise.

use crate::ast::Body;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::references::references;
use crate::source::SourceFile;
use crate::stdlib::Library;

/// Warns of names of the standard library that have newer ones. A name that a scope defines is
/// that name, not the library's: `shadowed` tells which these are.
pub fn lint(file: &SourceFile, body: &Body, shadowed: impl Fn(&str) -> bool) -> Diagnostics {
    let old = references(body).into_iter().filter_map(|reference| {
        let first = reference.parts.first()?;
        let replacement = Library::replacement(&first.text).filter(|_| !shadowed(&first.text))?;
        let message = format!("{:?} is an old name", first.text);
        let help = format!("help: write `{replacement}` instead");
        Some(Diagnostic::warning(file, first.span, message).with_note(help))
    });
    old.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_warned_of_where_they_are_the_librarys() {
        let source = SourceFile::new(
            "t",
            "a = format(\"x\")\nb {\n\tc = [string.format(env.d)]\n}\n",
        );
        let (file, _) = crate::parse(&source);
        let warned = |shadowed: &str| {
            let warnings = lint(&source, &file.body, |name| name == shadowed);
            assert!(!warnings.has_errors());
            let names: Vec<_> = warnings.iter().map(|w| source.slice(w.span)).collect();
            names.join(" ")
        };
        assert_eq!(warned(""), "format env");
        assert_eq!(warned("env"), "format");
    }
}
