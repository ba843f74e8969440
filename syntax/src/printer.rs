//! The tree as text in the one standard layout, which is `alloy fmt`'s, byte for byte.
//!
//! ```text
//! walk (what comes next) -> layout (comments, line ends, indents) -> columns (alignment) -> trim
//! ```
//!
//! Alloy's formatter treats the inside of multi-line strings as layout: it realigns tabs there and
//! cuts blanks off line ends, which changes the value. The strings to which that would happen, and
//! only those, are kept as they are here. Nor are quoted keys escaped again and again.

mod columns;
mod layout;
mod trim;
mod walk;

use std::collections::HashSet;

use crate::ast::{Body, Expr, File, Statement};
use crate::parser;
use crate::source::SourceFile;
use crate::token::TokenKind;

/// Prints a file. The tree must be one that was parsed without errors.
pub fn print(file: &File) -> String {
    let mut kept = HashSet::new();
    let strings = strings(&file.body);
    loop {
        let mut text = render(file, &kept);
        text.push('\n');
        let changed = changed(&strings, &text);
        // A string that is kept cannot change any more, so this ends.
        if changed.iter().all(|start| kept.contains(start)) {
            return text;
        }
        kept.extend(changed);
    }
}

fn render(file: &File, kept: &HashSet<u32>) -> String {
    let laid_out = walk::file(file, kept);
    let aligned = columns::align(&laid_out);
    let trimmed = trim::trim(&aligned);
    // The marks around kept text are the only bytes that are not UTF-8, and they are gone.
    String::from_utf8_lossy(&trimmed).into_owned()
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
