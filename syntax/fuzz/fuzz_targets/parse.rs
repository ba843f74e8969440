//! Any bytes: words, a tree, diagnostics that point into the text, and no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use syntax::{SourceFile, TokenKind, lex, parse, references};

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::from_bytes("fuzz", bytes);
    let (lexed, _) = lex(&source);
    assert_eq!(
        lexed.tokens.last().map(|token| token.kind),
        Some(TokenKind::End)
    );
    assert!(lexed.tokens.is_sorted_by_key(|token| token.span.start));

    let (file, diagnostics) = parse(&source);
    for diagnostic in &diagnostics {
        let span = diagnostic.span.start as usize..diagnostic.span.end as usize;
        assert!(source.text().get(span).is_some(), "{diagnostic}");
    }
    diagnostics.render();
    for reference in references(&file.body) {
        assert!(!reference.dotted().is_empty());
    }
});
