//! Places as an editor counts them: lines from 0, and columns in UTF-16 units.

use lsp_types::{Diagnostic, DiagnosticSeverity, Position, Range};
use syntax::{Severity, SourceFile, Span};

/// The offset of a place; one behind the end of a line is at its end.
pub(super) fn offset(source: &SourceFile, position: Position) -> u32 {
    let line = position.line.saturating_add(1);
    let start = source.offset(syntax::Position { line, column: 1 });
    if source.line_of(start) < line {
        return source.text().len() as u32;
    }
    let mut units = 0;
    let text = source.line_text(line);
    let behind = text.char_indices().find(|(_, letter)| {
        let reached = units >= position.character;
        units += letter.len_utf16() as u32;
        reached
    });
    start + behind.map_or(text.len(), |(at, _)| at) as u32
}

/// The place of an offset.
pub(super) fn position(source: &SourceFile, offset: u32) -> Position {
    let line = source.line_of(offset);
    let start = source.offset(syntax::Position { line, column: 1 });
    let before = source.slice(Span::new(start, offset));
    Position {
        line: line - 1,
        character: before.encode_utf16().count() as u32,
    }
}

/// The range of a span.
pub(super) fn range(source: &SourceFile, span: Span) -> Range {
    Range {
        start: position(source, span.start),
        end: position(source, span.end),
    }
}

/// A finding as the editor shows it: the notes stand below the message.
pub(super) fn diagnostic(found: &syntax::Diagnostic) -> Diagnostic {
    let severity = match found.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
    };
    let lines = std::iter::once(&found.message).chain(&found.notes);
    Diagnostic {
        range: range(&found.file, found.span),
        severity: Some(severity),
        source: Some("corten".to_owned()),
        message: lines.cloned().collect::<Vec<_>>().join("\n"),
        ..Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units() {
        let source = SourceFile::new("a", "ab\nç😀d = 1\r\n\nx");
        for (at, line, character) in [(0, 0, 0), (2, 0, 2), (5, 1, 1), (9, 1, 3), (17, 3, 0)] {
            let place = Position { line, character };
            assert_eq!(offset(&source, place), at, "{place:?}");
            assert_eq!(position(&source, at), place, "{at}");
        }
        // Within a pair, behind a line, behind the text.
        for (line, character, at) in [(1, 2, 9), (0, 9, 2), (9, 0, 18)] {
            assert_eq!(offset(&source, Position { line, character }), at);
        }
    }
}
