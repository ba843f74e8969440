//! Expressions: precedence by climbing, then the chain of accesses, indexes and calls.

use super::{EXPRESSION_HEIGHT_MAX, Parser};
use crate::ast::{
    Access, Array, Binary, Call, Expr, Ident, Index, Literal, ObjectField, ObjectLiteral, Paren,
    Unary,
};
use crate::source::Span;
use crate::token::TokenKind;

/// An expression and the height of its tree.
struct Tree {
    expr: Expr,
    height: u32,
}

impl Tree {
    fn leaf(expr: Expr) -> Self {
        Self { expr, height: 1 }
    }
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Expr {
        self.tree().expr
    }

    fn tree(&mut self) -> Tree {
        self.binary(1)
    }

    /// Operators that bind at least as strongly as `weakest`, from left to right.
    fn binary(&mut self, weakest: u8) -> Tree {
        let mut left = self.power();
        loop {
            let operator = self.kind();
            let strength = operator
                .precedence()
                .filter(|strength| *strength >= weakest);
            let Some(strength) = strength.filter(|_| !self.lost) else {
                return left;
            };
            let operator_span = self.take().span;
            let right = self.binary(strength + 1);
            left = self.join(left, operator, operator_span, right);
        }
    }

    /// `^` binds from right to left, and more weakly than a sign before its left operand.
    fn power(&mut self) -> Tree {
        let left = self.unary();
        if self.lost || self.kind() != TokenKind::Pow || !self.enter() {
            return left;
        }
        let operator_span = self.take().span;
        let right = self.power();
        self.leave();
        self.join(left, TokenKind::Pow, operator_span, right)
    }

    fn join(&mut self, left: Tree, operator: TokenKind, operator_span: Span, right: Tree) -> Tree {
        let height = left.height.max(right.height);
        let (left, right) = (Box::new(left.expr), Box::new(right.expr));
        self.grow(
            height,
            Expr::Binary(Binary {
                left,
                operator,
                operator_span,
                right,
            }),
        )
    }

    fn unary(&mut self) -> Tree {
        let operator = self.kind();
        if !matches!(operator, TokenKind::Not | TokenKind::Sub) {
            return self.chain();
        }
        if !self.enter() {
            return self.invalid();
        }
        let operator_span = self.take().span;
        let operand = self.unary();
        self.leave();
        let height = operand.height;
        let operand = Box::new(operand.expr);
        self.grow(
            height,
            Expr::Unary(Unary {
                operator,
                operator_span,
                operand,
            }),
        )
    }

    fn chain(&mut self) -> Tree {
        let mut tree = self.primary();
        while !self.lost {
            tree = match self.kind() {
                TokenKind::Dot => self.access(tree),
                TokenKind::LeftBracket => self.index(tree),
                TokenKind::LeftParen => self.call(tree),
                TokenKind::LeftCurly => self.block_as_value(tree),
                TokenKind::String if self.labels_block() => self.block_as_value(tree),
                _ => return tree,
            };
        }
        tree
    }

    fn access(&mut self, tree: Tree) -> Tree {
        self.take();
        let height = tree.height;
        let Some(name) = self.identifier("the name of a field after `.`") else {
            return self.invalid();
        };
        self.grow(
            height,
            Expr::Access(Access {
                value: Box::new(tree.expr),
                name,
            }),
        )
    }

    fn index(&mut self, tree: Tree) -> Tree {
        if !self.enter() {
            return self.invalid();
        }
        let open = self.take().span.start;
        let index = self.tree();
        self.close(TokenKind::RightBracket);
        self.leave();
        let height = tree.height.max(index.height);
        let (value, index) = (Box::new(tree.expr), Box::new(index.expr));
        let close = self.behind.saturating_sub(1);
        self.grow(
            height,
            Expr::Index(Index {
                value,
                open,
                index,
                close,
            }),
        )
    }

    fn call(&mut self, tree: Tree) -> Tree {
        let open = self.token().span.start;
        let mut height = tree.height;
        let mut arguments = Vec::new();
        self.list(TokenKind::RightParen, |parser| {
            let argument = parser.tree();
            height = height.max(argument.height);
            arguments.push(argument.expr);
        });
        let function = Box::new(tree.expr);
        let close = self.behind.saturating_sub(1);
        self.grow(
            height,
            Expr::Call(Call {
                function,
                open,
                arguments,
                close,
            }),
        )
    }

    fn labels_block(&self) -> bool {
        let next = self.tokens.get(1);
        next.is_some_and(|next| next.kind == TokenKind::LeftCurly)
    }

    /// `name "label" { ... }` where a value should be: read as a block, to say so.
    fn block_as_value(&mut self, tree: Tree) -> Tree {
        let start = tree.expr.span().start;
        if self.kind() == TokenKind::String {
            self.take();
        }
        if !self.enter() {
            return self.invalid();
        }
        self.take();
        self.body(TokenKind::RightCurly);
        self.close(TokenKind::RightCurly);
        self.leave();
        let span = Span::new(start, self.behind);
        if !self.lost {
            self.error(span, "a block cannot be used as a value");
        }
        Tree::leaf(Expr::Invalid(span))
    }

    fn primary(&mut self) -> Tree {
        if self.starts_statement() {
            // The next line is read as what it looks like.
            let end = Span::new(self.behind, self.behind);
            self.error(end, "expected a value, found the end of the line");
            return Tree::leaf(Expr::Invalid(end));
        }
        let token = self.token();
        let kind = token.kind;
        match kind {
            TokenKind::Ident => {
                let span = self.take().span;
                Tree::leaf(Expr::Ident(Ident {
                    text: self.source.slice(span).to_owned(),
                    span,
                }))
            }
            TokenKind::String
            | TokenKind::Number
            | TokenKind::Float
            | TokenKind::Bool
            | TokenKind::Null => {
                let span = self.take().span;
                let text = self.source.slice(span).to_owned();
                Tree::leaf(Expr::Literal(Literal { kind, text, span }))
            }
            TokenKind::LeftParen => self.paren(),
            TokenKind::LeftBracket => self.array(),
            TokenKind::LeftCurly => self.object(),
            _ => {
                self.expected("a value");
                self.invalid()
            }
        }
    }

    fn paren(&mut self) -> Tree {
        if !self.enter() {
            return self.invalid();
        }
        let start = self.take().span.start;
        let inner = self.tree();
        self.close(TokenKind::RightParen);
        self.leave();
        let span = Span::new(start, self.behind);
        self.grow(
            inner.height,
            Expr::Paren(Paren {
                inner: Box::new(inner.expr),
                span,
            }),
        )
    }

    fn array(&mut self) -> Tree {
        let start = self.token().span.start;
        let mut height = 0;
        let mut elements = Vec::new();
        self.list(TokenKind::RightBracket, |parser| {
            let element = parser.tree();
            height = height.max(element.height);
            elements.push(element.expr);
        });
        let span = Span::new(start, self.behind);
        self.grow(height, Expr::Array(Array { elements, span }))
    }

    fn object(&mut self) -> Tree {
        let start = self.token().span.start;
        let mut height = 0;
        let mut fields = Vec::new();
        self.list(TokenKind::RightCurly, |parser| {
            if let Some((name, quoted)) = parser.key() {
                let value = parser.tree();
                height = height.max(value.height);
                fields.push(ObjectField {
                    name,
                    quoted,
                    value: value.expr,
                });
            }
        });
        let span = Span::new(start, self.behind);
        self.grow(height, Expr::Object(ObjectLiteral { fields, span }))
    }

    /// The key of a field and its `=`. An empty quoted key keeps its quotes, as in Alloy.
    fn key(&mut self) -> Option<(Ident, bool)> {
        let token = self.token();
        if !matches!(token.kind, TokenKind::String | TokenKind::Ident) {
            self.expected("the name of a field");
            return None;
        }
        self.take();
        let written = self.source.slice(token.span);
        let quoted = token.kind == TokenKind::String && written.len() > 2;
        // A string that is not closed has been reported, and may end anywhere.
        let inner = written.get(1..written.len() - 1).filter(|_| quoted);
        let text = inner.unwrap_or(written);
        let name = Ident {
            text: text.to_owned(),
            span: token.span,
        };
        if !self.eat(TokenKind::Assign) {
            self.expected(&format!("`=` after the field name `{}`", name.text));
            return None;
        }
        Some((name, quoted))
    }

    /// Elements with commas between them, from the opening bracket to the closing one. A mistake
    /// in one element does not hide those in the next.
    fn list(&mut self, until: TokenKind, mut element: impl FnMut(&mut Self)) {
        if !self.enter() {
            return;
        }
        self.take();
        // A statement inside brackets means that they were not closed; in braces it may be a field.
        let unclosed = |parser: &Self| until != TokenKind::RightCurly && parser.starts_statement();
        while self.kind() != until && self.kind() != TokenKind::End && !unclosed(self) {
            element(self);
            if self.kind() == until || self.eat(TokenKind::Comma) {
                continue;
            }
            let line_end = self.kind() == TokenKind::Terminator;
            match self.kind() {
                TokenKind::Terminator => {
                    let span = self.token().span;
                    self.error(
                        span,
                        format!("missing `,` at the end of the line, or {until}"),
                    );
                }
                _ => self.expected(&format!("`,` or {until}")),
            }
            // What is left of the element is skipped; the next one is read as if all were well.
            self.lost = false;
            self.skip(|parser| matches!(parser.kind(), TokenKind::Comma | TokenKind::Terminator));
            if !self.eat(TokenKind::Comma) && !self.eat(TokenKind::Terminator) {
                break;
            }
            if line_end && unclosed(self) {
                // That the bracket is not closed has been said.
                self.lost = true;
                break;
            }
        }
        self.close(until);
        self.leave();
    }

    fn close(&mut self, kind: TokenKind) {
        if !self.eat(kind) {
            self.expected(&kind.to_string());
        }
    }

    fn invalid(&mut self) -> Tree {
        Tree::leaf(Expr::Invalid(self.token().span))
    }

    fn grow(&mut self, height: u32, expr: Expr) -> Tree {
        let height = height + 1;
        if height > EXPRESSION_HEIGHT_MAX {
            let message = format!(
                "the expression has too many operators in a row (limit: expression height, \
                 {EXPRESSION_HEIGHT_MAX})"
            );
            self.error(expr.span(), message);
            self.give_up();
            return self.invalid();
        }
        Tree { expr, height }
    }
}
