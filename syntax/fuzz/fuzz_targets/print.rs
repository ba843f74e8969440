//! What parses is printed as something that parses, with the same words and comments in the same
//! order: the tree is a fixpoint.

#![no_main]

use libfuzzer_sys::fuzz_target;
use syntax::{SourceFile, TokenKind, lex, parse, print};

/// All words but commas, line ends and empty labels, which the printer may add or leave out, and
/// all comments. Keys are without their quotes.
fn said(source: &SourceFile) -> (Vec<&str>, Vec<String>) {
    let (lexed, _) = lex(source);
    let layout = [TokenKind::Comma, TokenKind::Terminator, TokenKind::End];
    let spoken = lexed
        .tokens
        .iter()
        .filter(|token| !layout.contains(&token.kind));
    let spoken: Vec<_> = spoken.collect();
    let word = |at: usize| {
        let text = source.slice(spoken[at].span);
        let next = spoken.get(at + 1).map(|next| next.kind);
        match (spoken[at].kind, next) {
            (TokenKind::String, Some(TokenKind::Assign)) => Some(&text[1..text.len() - 1]),
            (TokenKind::String, Some(TokenKind::LeftCurly)) if text.len() == 2 => None,
            _ => Some(text),
        }
    };
    let words = (0..spoken.len()).filter_map(word).collect();
    let comments = lexed.comments.iter().flat_map(|group| &group.comments);
    (
        words,
        comments.map(|comment| comment.text.clone()).collect(),
    )
}

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::from_bytes("fuzz", bytes);
    let (file, diagnostics) = parse(&source);
    if diagnostics.has_errors() {
        return;
    }
    let printed = SourceFile::new("printed", print(&file));
    let (again, diagnostics) = parse(&printed);
    let text = printed.text();
    assert!(
        !diagnostics.has_errors(),
        "{text}\n{}",
        diagnostics.render()
    );
    assert_eq!(said(&source), said(&printed), "{text}");
    let twice = SourceFile::new("twice", print(&again));
    assert_eq!(said(&printed), said(&twice), "{}", twice.text());
});
