//! How diagnostics are shown: an excerpt with carets for people, JSON for programs.

use std::fmt::Write;

use serde_json::json;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// How wide a tab is shown in an excerpt, in columns; carets must stand under what they mean.
const TAB_COLUMNS: usize = 4;

/// The longest excerpt of a line that is shown, in characters: a minified line must not bury the
/// message.
const EXCERPT_CHARS_MAX: usize = 200;

pub(crate) fn text(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        excerpt(&mut out, diagnostic);
    }
    out
}

fn excerpt(out: &mut String, diagnostic: &Diagnostic) {
    let Diagnostic {
        severity,
        file,
        span,
        message,
        notes,
    } = diagnostic;
    let at = file.position(span.start);
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let (line, column) = (file.line_text(at.line), at.column as usize - 1);
    // A caret covers what the span covers of its first line, and at least one column.
    let spanned = file
        .slice(*span)
        .lines()
        .next()
        .unwrap_or("")
        .trim_end()
        .chars()
        .count();
    // A long line is shown from a little before the span.
    let skip = if line.chars().count() > EXCERPT_CHARS_MAX {
        column.saturating_sub(40)
    } else {
        0
    };
    let width = |from: usize, count: usize| -> usize {
        let shown = line.chars().skip(from).take(count);
        shown.map(|c| if c == '\t' { TAB_COLUMNS } else { 1 }).sum()
    };
    let shown: String = line.chars().skip(skip).take(EXCERPT_CHARS_MAX).collect();
    let shown = shown.replace('\t', &" ".repeat(TAB_COLUMNS));
    let indent = " ".repeat(width(skip, column - skip));
    let reach = spanned.min(EXCERPT_CHARS_MAX - (column - skip).min(EXCERPT_CHARS_MAX - 1));
    let carets = "^".repeat(width(column, reach).max(1));

    // Writing to a string cannot fail.
    let _ = writeln!(out, "{severity}: {message}");
    let _ = writeln!(out, "{margin}--> {}:{}:{}", file.name(), at.line, at.column);
    let _ = writeln!(out, "{margin} |");
    let _ = writeln!(out, "{number} | {}", shown.trim_end());
    let _ = writeln!(out, "{margin} | {indent}{carets}");
    for note in notes {
        let _ = writeln!(out, "{margin} = {note}");
    }
}

pub(crate) fn json(diagnostics: &Diagnostics) -> serde_json::Value {
    let list = diagnostics.iter().map(|diagnostic| {
        let start = diagnostic.file.position(diagnostic.span.start);
        let end = diagnostic.file.position(diagnostic.span.end);
        json!({
            "severity": diagnostic.severity.to_string(),
            "file": diagnostic.file.name(),
            "start": { "line": start.line, "column": start.column, "offset": diagnostic.span.start },
            "end": { "line": end.line, "column": end.column, "offset": diagnostic.span.end },
            "message": diagnostic.message,
            "notes": diagnostic.notes,
        })
    });
    serde_json::Value::Array(list.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceFile, Span};

    #[test]
    fn an_excerpt_points_at_the_text() {
        let file = SourceFile::new("config.alloy", "a = 1\n\tb = [x, y]\n");
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::error(&file, Span::new(12, 13), "identifier \"x\" does not exist")
                .with_note("help: did you mean \"y\"?"),
        );
        diagnostics.push(Diagnostic::warning(&file, Span::new(0, 5), "odd"));
        let expected = "\
error: identifier \"x\" does not exist
 --> config.alloy:2:7
  |
2 |     b = [x, y]
  |          ^
  = help: did you mean \"y\"?

warning: odd
 --> config.alloy:1:1
  |
1 | a = 1
  | ^^^^^
";
        assert_eq!(diagnostics.render(), expected);
        assert_eq!(diagnostics.to_json()[0]["start"]["column"], 7);
    }

    #[test]
    fn a_span_of_many_lines_or_of_none_is_shown_on_its_first_line() {
        let file = SourceFile::new("f", format!("{}x = {{\n}}", " ".repeat(500)));
        for span in [Span::new(500, 508), Span::new(508, 508), Span::new(0, 508)] {
            let shown = text(&Diagnostic::error(&file, span, "m").into());
            assert_eq!(shown.lines().count(), 5, "{shown}");
            assert!(shown.lines().all(|line| line.len() < 300), "{shown}");
        }
    }
}
