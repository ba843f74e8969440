//! The tree in order: which words, and which white space between them.

use std::collections::HashSet;

use super::Places;
use super::layout::{Layout, Space};
use crate::ast::{Array, Block, Body, Call, Expr, File, ObjectField, ObjectLiteral, Statement};
use crate::literal::quote;
use crate::source::{SourceFile, Span};
use crate::token::TokenKind;

struct Walk<'a> {
    source: &'a SourceFile,
    layout: Layout<'a>,
    /// The strings inside of which nothing may change, by where they start.
    kept: &'a HashSet<u32>,
    places: Places,
}

pub(super) fn file(file: &File, kept: &HashSet<u32>, places: Places) -> Vec<u8> {
    let layout = Layout::new(&file.source, &file.comments);
    let source = &file.source;
    let mut walk = Walk {
        source,
        layout,
        kept,
        places,
    };
    walk.statements(&file.body);
    walk.layout.finish()
}

impl Walk<'_> {
    fn statements(&mut self, body: &Body) {
        let mut previous: Option<Span> = None;
        for statement in &body.statements {
            let span = statement.span();
            let block = matches!(statement, Statement::Block(_));
            // A blank line is in front of every block, and where the source has one.
            if previous
                .is_some_and(|last| block || self.line(span.start) > self.line(last.last()) + 1)
            {
                self.layout.space(Space::Break);
            }
            match statement {
                Statement::Attribute(attribute) => {
                    self.layout
                        .at(attribute.name.span.start)
                        .word(&attribute.name.text);
                    self.assign();
                    self.expr(&attribute.value);
                }
                Statement::Block(block) => self.block(block),
            }
            // What spans lines is not aligned with what follows.
            let lines = if self.many_lines(span) {
                Space::Break
            } else {
                Space::Newline
            };
            self.layout.space(lines);
            previous = Some(span);
        }
    }

    fn assign(&mut self) {
        self.layout
            .space(Space::Column)
            .sign("=")
            .space(Space::Blank);
    }

    fn block(&mut self, block: &Block) {
        self.layout.at(block.span.start).word(&block.name.dotted());
        if let Some(label) = &block.label {
            self.layout
                .space(Space::Blank)
                .at(label.span.start)
                .word(&quote(&label.text));
        }
        self.layout
            .space(Space::Blank)
            .at(block.body.span.start)
            .sign("{")
            .space(Space::Indent);
        if block.body.statements.is_empty() {
            self.layout.space(Space::Blank);
        } else {
            self.layout.space(Space::Break);
            self.statements(&block.body);
        }
        self.layout
            .space(Space::Unindent)
            .at(block.span.last())
            .sign("}");
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(literal) => {
                self.layout.at(literal.span.start);
                match literal.kind {
                    TokenKind::Number => self.layout.number(&literal.text),
                    _ if self.kept.contains(&literal.span.start) => self.layout.kept(&literal.text),
                    _ => self.layout.word(&literal.text),
                };
            }
            Expr::Ident(ident) => {
                self.layout.at(ident.span.start).word(&ident.text);
            }
            Expr::Array(array) => self.array(array),
            Expr::Object(object) => self.object(object),
            Expr::Access(access) => {
                self.expr(&access.value);
                self.layout.sign(".");
                self.guessed(access.name.span.start);
                self.layout.word(&access.name.text);
            }
            Expr::Index(index) => {
                self.expr(&index.value);
                self.layout.at(index.open).sign("[");
                self.expr(&index.index);
                self.layout.at(index.close).sign("]");
            }
            Expr::Call(call) => self.call(call),
            Expr::Unary(unary) => {
                let operator = unary.operator.text().unwrap_or_default();
                self.layout.at(unary.operator_span.start).sign(operator);
                self.expr(&unary.operand);
            }
            Expr::Binary(binary) => {
                self.expr(&binary.left);
                let operator = binary.operator.text().unwrap_or_default();
                self.layout
                    .space(Space::Blank)
                    .at(binary.operator_span.start)
                    .sign(operator);
                self.layout.space(Space::Blank);
                self.expr(&binary.right);
            }
            Expr::Paren(paren) => {
                self.guessed(paren.span.start);
                self.layout.sign("(");
                self.expr(&paren.inner);
                self.guessed(paren.span.last());
                self.layout.sign(")");
            }
            // Only a tree with errors has one; its source is the best that can be shown.
            Expr::Invalid(span) => {
                self.layout.at(span.start).kept(self.source.slice(*span));
            }
        }
    }

    fn array(&mut self, array: &Array) {
        let close = array.span.last();
        self.layout.at(array.span.start).sign("[");
        let mut previous = array.span.start;
        for (index, element) in array.elements.iter().enumerate() {
            let span = element.span();
            let own_line = !self.same_line(previous, span.start);
            if own_line {
                // The indent is in front of the line end, for comments in between.
                self.layout.space(Space::Indent).space(Space::Break);
            } else if index > 0 {
                self.layout.space(Space::Blank);
            }
            previous = span.last();
            self.expr(element);
            if index + 1 < array.elements.len() {
                self.layout.sign(",");
            }
            if own_line {
                self.layout.space(Space::Unindent);
            }
        }
        if !array.elements.is_empty() && !self.same_line(previous, close) {
            self.layout.sign(",");
            self.layout
                .space(Space::Indent)
                .space(Space::Break)
                .space(Space::Unindent);
        }
        self.layout.at(close).sign("]");
    }

    fn object(&mut self, object: &ObjectLiteral) {
        let close = object.span.last();
        self.layout
            .at(object.span.start)
            .sign("{")
            .space(Space::Indent);
        let mut previous = object.span.start;
        for (index, field) in object.fields.iter().enumerate() {
            let start = field.name.span.start;
            if !self.same_line(previous, start) {
                let before = index
                    .checked_sub(1)
                    .and_then(|before| object.fields.get(before));
                let align = before.is_some_and(|field| !self.many_lines(field.value.span()));
                self.layout
                    .space(if align { Space::Newline } else { Space::Break });
            } else if index > 0 {
                self.layout.space(Space::Blank);
            }
            // The key counts here, not the value: a field behind a value of many lines goes to a
            // line of its own.
            previous = start + field.name.text.len().saturating_sub(1) as u32;
            let key = self.key(field);
            self.layout.at(start).word(&key);
            self.assign();
            self.expr(&field.value);
            if index + 1 < object.fields.len() {
                self.layout.sign(",");
            }
        }
        if !object.fields.is_empty() && !self.same_line(previous, close) {
            self.layout.sign(",").space(Space::Break);
        }
        self.layout.space(Space::Unindent).at(close).sign("}");
    }

    /// A key as it is written: in double quotes where that leaves it as it is.
    fn key(&self, field: &ObjectField) -> String {
        let written = self.source.slice(field.name.span);
        if field.quoted && written.starts_with('`') {
            let quoted = quote(&field.name.text);
            if quoted.get(1..quoted.len() - 1) == Some(&field.name.text) {
                return quoted;
            }
        }
        written.to_owned()
    }

    fn call(&mut self, call: &Call) {
        self.expr(&call.function);
        self.guessed(call.open);
        self.layout.sign("(");
        let mut previous = call.open;
        for (index, argument) in call.arguments.iter().enumerate() {
            let span = argument.span();
            let own_line = !self.same_line(previous, span.start);
            if own_line {
                self.layout.space(Space::Break).space(Space::Indent);
            }
            self.expr(argument);
            previous = span.last();
            if index + 1 < call.arguments.len() {
                self.layout.sign(",").space(Space::Blank);
            }
            if own_line {
                self.layout.space(Space::Unindent);
            }
        }
        // Alloy puts a comma into empty parentheses as well, and then cannot read it back.
        if !call.arguments.is_empty() && !self.same_line(previous, call.close) {
            self.layout.sign(",").space(Space::Break);
        }
        self.guessed(call.close);
        self.layout.sign(")");
    }

    /// Says where the next word is, where Alloy does not look.
    fn guessed(&mut self, offset: u32) {
        if self.places == Places::Exact {
            self.layout.at(offset);
        }
    }

    fn line(&self, offset: u32) -> u32 {
        self.source.line_of(offset)
    }

    fn same_line(&self, a: u32, b: u32) -> bool {
        self.line(a) == self.line(b)
    }

    fn many_lines(&self, span: Span) -> bool {
        !self.same_line(span.start, span.last())
    }
}
