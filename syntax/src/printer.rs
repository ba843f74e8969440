//! The tree as text in the one standard layout, which is `alloy fmt`'s, byte for byte.
//!
//! ```text
//! walk (what comes next) -> layout (comments, line ends, indents) -> columns (alignment) -> trim
//! ```
//!
//! Alloy's formatter changes what some files mean, and there this one differs:
//! - It treats the inside of strings as layout: it realigns tabs there and cuts blanks off line
//!   ends. The strings to which that would happen, and only those, are kept as they are.
//! - It escapes the escapes of quoted keys, again with each run. Keys are kept as they are.
//! - It may carry a comment across a word, so that the rest of a statement ends up behind a `//` or
//!   on a line of its own. Then the place of every word is taken from the source; and if that does
//!   not help, the file is left as it is.

mod columns;
mod layout;
mod trim;
mod walk;

use std::collections::HashSet;

use crate::ast::{Body, Expr, File, Statement};
use crate::lexer;
use crate::parser;
use crate::source::SourceFile;
use crate::token::{Token, TokenKind};

/// Prints a file. The tree must be one that was parsed without errors.
pub fn print(file: &File) -> String {
    for places in [Places::Guessed, Places::Exact] {
        let printed = settled(file, places);
        if says_the_same(&file.source, &SourceFile::new("", printed.as_str())) {
            return printed;
        }
    }
    file.source.text().to_owned()
}

/// How the printer knows where in the source a word is, to put comments in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    /// As Alloy does: parentheses and names behind a dot are taken to follow the last word.
    Guessed,
    Exact,
}

/// Prints until no string changes by it.
fn settled(file: &File, places: Places) -> String {
    let mut kept = HashSet::new();
    let strings = strings(&file.body);
    loop {
        let mut text = render(file, &kept, places);
        text.push('\n');
        let changed = changed(&strings, &text);
        // A string that is kept cannot change any more, so this ends.
        if changed.iter().all(|start| kept.contains(start)) {
            return text;
        }
        kept.extend(changed);
    }
}

fn render(file: &File, kept: &HashSet<u32>, places: Places) -> String {
    let laid_out = walk::file(file, kept, places);
    let aligned = columns::align(&laid_out);
    let trimmed = trim::trim(&aligned);
    // The marks around kept text are the only bytes that are not UTF-8, and they are gone.
    String::from_utf8_lossy(&trimmed).into_owned()
}

/// Whether what was printed parses, and has the same words and comments in the same order. Commas
/// and line ends are the printer's to add.
fn says_the_same(source: &SourceFile, printed: &SourceFile) -> bool {
    let (_, errors) = parser::parse(printed);
    let ((before, _), (after, _)) = (lexer::lex(source), lexer::lex(printed));
    let comments = |lexed: &lexer::Lexed| {
        let comments = lexed.comments.iter().flat_map(|group| &group.comments);
        comments
            .map(|comment| comment.text.clone())
            .collect::<Vec<_>>()
    };
    !errors.has_errors()
        && words(source, &before.tokens).eq(words(printed, &after.tokens))
        && comments(&before) == comments(&after)
}

fn words<'a>(source: &'a SourceFile, tokens: &'a [Token]) -> impl Iterator<Item = &'a str> {
    let spoken = |kind: TokenKind| {
        !matches!(
            kind,
            TokenKind::Comma | TokenKind::Terminator | TokenKind::End
        )
    };
    let word = move |pair: &'a [Token]| {
        let text = source.slice(pair[0].span);
        let next = pair.get(1).map(|next| next.kind);
        match (pair[0].kind, next) {
            // A key may get other quotes, and an empty label goes.
            (TokenKind::String, Some(TokenKind::Assign)) => text.get(1..text.len() - 1),
            (TokenKind::String, Some(TokenKind::LeftCurly)) if text.len() == 2 => None,
            (kind, _) => Some(text).filter(|_| spoken(kind)),
        }
    };
    (0..tokens.len()).filter_map(move |at| word(&tokens[at..tokens.len().min(at + 2)]))
}

/// The strings that printing changed, by where they start.
fn changed(strings: &[(u32, &str)], printed: &str) -> Vec<u32> {
    let fragile = |(_, text): &&(u32, &str)| text.contains(['\t', '\n', '\u{b}', '\u{c}']);
    if !strings.iter().any(|string| fragile(&string)) {
        return Vec::new();
    }
    let (file, _) = parser::parse(&SourceFile::new("", printed));
    let after = self::strings(&file.body);
    let pairs = strings.iter().zip(after.iter());
    let different = pairs.filter(|((_, before), (_, after))| before != after);
    different.map(|((start, _), _)| *start).collect()
}

/// The strings of a body in order, and where each starts.
fn strings(body: &Body) -> Vec<(u32, &str)> {
    let mut found = Vec::new();
    in_body(body, &mut found);
    found
}

fn in_body<'a>(body: &'a Body, found: &mut Vec<(u32, &'a str)>) {
    for statement in &body.statements {
        match statement {
            Statement::Attribute(attribute) => in_expr(&attribute.value, found),
            Statement::Block(block) => in_body(&block.body, found),
        }
    }
}

fn in_expr<'a>(expr: &'a Expr, found: &mut Vec<(u32, &'a str)>) {
    match expr {
        Expr::Literal(literal) if literal.kind == TokenKind::String => {
            found.push((literal.span.start, &literal.text));
        }
        Expr::Literal(_) | Expr::Ident(_) | Expr::Invalid(_) => {}
        Expr::Array(array) => array
            .elements
            .iter()
            .for_each(|element| in_expr(element, found)),
        Expr::Object(object) => object.fields.iter().for_each(|f| in_expr(&f.value, found)),
        Expr::Access(access) => in_expr(&access.value, found),
        Expr::Index(index) => {
            in_expr(&index.value, found);
            in_expr(&index.index, found);
        }
        Expr::Call(call) => {
            in_expr(&call.function, found);
            call.arguments
                .iter()
                .for_each(|argument| in_expr(argument, found));
        }
        Expr::Unary(unary) => in_expr(&unary.operand, found),
        Expr::Binary(binary) => {
            in_expr(&binary.left, found);
            in_expr(&binary.right, found);
        }
        Expr::Paren(paren) => in_expr(&paren.inner, found),
    }
}
