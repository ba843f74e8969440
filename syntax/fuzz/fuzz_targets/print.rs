//! What parses is printed as something that parses, with the same strings, and printing settles.

#![no_main]

use libfuzzer_sys::fuzz_target;
use syntax::{SourceFile, TokenKind, lex, parse, print};

/// All words but those that the printer may add or write in another way.
fn words(source: &SourceFile) -> Vec<&str> {
    let (lexed, _) = lex(source);
    let layout = [
        TokenKind::Comma,
        TokenKind::Terminator,
        TokenKind::End,
        TokenKind::String,
    ];
    let kept = lexed
        .tokens
        .iter()
        .filter(|token| !layout.contains(&token.kind));
    kept.map(|token| source.slice(token.span)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::from_bytes("fuzz", bytes);
    let (file, diagnostics) = parse(&source);
    if diagnostics.has_errors() {
        return;
    }
    let printed = SourceFile::new("printed", print(&file));
    let (again, diagnostics) = parse(&printed);
    assert!(
        !diagnostics.has_errors(),
        "{}\n{}",
        printed.text(),
        diagnostics.render()
    );
    assert_eq!(words(&source), words(&printed));
    let twice = SourceFile::new("twice", print(&again));
    assert_eq!(words(&printed), words(&twice));
});
