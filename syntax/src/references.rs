//! Which names a body refers to: the edges of the graph.

use crate::ast::{Body, Expr, Ident, Statement};
use crate::source::Span;

/// A path of names as it stands in an expression: `a.b.c`. An index or a call ends one.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The names.
    pub parts: Vec<Ident>,
    /// From the first name to the last.
    pub span: Span,
}

/// All references in the attributes of a body and of the blocks inside it, in order.
pub fn references(body: &Body) -> Vec<Reference> {
    let mut found = Vec::new();
    in_body(body, &mut found);
    found
}

/// All references in an expression, in order.
pub fn expression_references(expr: &Expr) -> Vec<Reference> {
    let mut found = Vec::new();
    in_expr(expr, &mut found);
    found
}

// === impl Reference ===

impl Reference {
    /// The names with dots between them.
    pub fn dotted(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.text.as_str()).collect();
        parts.join(".")
    }
}

fn in_body(body: &Body, found: &mut Vec<Reference>) {
    for statement in &body.statements {
        match statement {
            Statement::Attribute(attribute) => in_expr(&attribute.value, found),
            Statement::Block(block) => in_body(&block.body, found),
        }
    }
}

fn in_expr(expr: &Expr, found: &mut Vec<Reference>) {
    match expr {
        Expr::Literal(_) | Expr::Invalid(_) => {}
        Expr::Ident(ident) => path(vec![ident.clone()], found),
        Expr::Access(_) => access(expr, found),
        Expr::Array(array) => array
            .elements
            .iter()
            .for_each(|element| in_expr(element, found)),
        Expr::Object(object) => {
            object
                .fields
                .iter()
                .for_each(|field| in_expr(&field.value, found));
        }
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

fn access(expr: &Expr, found: &mut Vec<Reference>) {
    let mut parts = Vec::new();
    let mut inner = expr;
    while let Expr::Access(access) = inner {
        parts.push(access.name.clone());
        inner = &access.value;
    }
    match inner {
        Expr::Ident(first) => {
            parts.push(first.clone());
            parts.reverse();
            path(parts, found);
        }
        // What follows an index or a call is a field of a value, not part of a name.
        other => in_expr(other, found),
    }
}

fn path(parts: Vec<Ident>, found: &mut Vec<Reference>) {
    let span = parts
        .iter()
        .map(|part| part.span)
        .reduce(Span::to)
        .unwrap_or_default();
    found.push(Reference { parts, span });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn references_are_found_everywhere_and_end_at_an_index_or_a_call() {
        let text = "a = b.c.d\nx \"y\" {\n\te = [f.g[h].i, -j + (k(l.m).n)]\n\to = { p = q }\n}\n";
        let source = SourceFile::new("t", text);
        let (file, diagnostics) = crate::parse(&source);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render());
        let found = references(&file.body);
        let names: Vec<String> = found.iter().map(Reference::dotted).collect();
        assert_eq!(names, ["b.c.d", "f.g", "h", "j", "k", "l.m", "q"]);
        let spans: Vec<&str> = found.iter().map(|found| source.slice(found.span)).collect();
        assert_eq!(spans, names);
    }
}
