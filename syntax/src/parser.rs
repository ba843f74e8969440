//! Words into a tree.
//!
//! After a mistake the parser goes on behind the statement or the list element it is in, and says
//! nothing more until then: each message stands for a mistake of its own. What could not be parsed
//! becomes [`Expr::Invalid`], so that the rest of the file can still be checked.

mod expression;

use std::collections::VecDeque;

use crate::ast::{Attribute, Block, BlockName, Body, Expr, File, Ident, Label, Statement};
use crate::diagnostic::{Diagnostic, Diagnostics, ERRORS_MAX};
use crate::lexer::{self, is_identifier};
use crate::source::{FILE_BYTES_MAX, SourceFile, Span};
use crate::token::{Token, TokenKind};

/// How deep blocks, brackets and operators that recurse may nest. Real files stay below ten; each
/// level costs stack.
pub const NESTING_MAX: usize = 64;

/// How high the tree of one expression may grow: each term of a sum and each step of `a.b[0].c`
/// adds a level, and everything that walks a tree recurses. A sum of five hundred terms is still
/// possible.
pub const EXPRESSION_HEIGHT_MAX: u32 = 512;

/// Parses a file. The tree is complete only if there are no errors.
pub fn parse(source: &SourceFile) -> (File, Diagnostics) {
    let everything = Span::new(0, source.text().len().min(u32::MAX as usize) as u32);
    if source.text().len() > FILE_BYTES_MAX {
        let message = format!(
            "the file has {} bytes, more than a configuration may have (limit: file size, \
             {FILE_BYTES_MAX} bytes)",
            source.text().len(),
        );
        let diagnostic = Diagnostic::error(source, Span::default(), message);
        let file = File {
            source: source.clone(),
            body: Body::default(),
            comments: Vec::new(),
        };
        return (file, diagnostic.into());
    }
    let (lexed, diagnostics) = lexer::lex(source);
    let mut parser = Parser::new(source, lexed.tokens, diagnostics);
    let mut body = parser.body(TokenKind::End);
    body.span = everything;
    let file = File {
        source: source.clone(),
        body,
        comments: lexed.comments,
    };
    (file, parser.finish())
}

/// Parses a single expression, as a test or a prompt has it.
pub fn parse_expression(source: &SourceFile) -> (Expr, Diagnostics) {
    let (lexed, diagnostics) = lexer::lex(source);
    let mut parser = Parser::new(source, lexed.tokens, diagnostics);
    let expression = parser.expression();
    parser.eat(TokenKind::Terminator);
    if parser.kind() != TokenKind::End {
        parser.expected("the end of the expression");
    }
    (expression, parser.finish())
}

struct Parser<'a> {
    source: &'a SourceFile,
    tokens: VecDeque<Token>,
    diagnostics: Diagnostics,
    /// Set by an error, cleared where parsing can go on.
    lost: bool,
    /// The line of the last error: a second one on the same line is most likely its echo.
    error_line: u32,
    nesting: usize,
    /// The end of the last word that was taken.
    behind: u32,
}

impl<'a> Parser<'a> {
    fn new(source: &'a SourceFile, tokens: Vec<Token>, diagnostics: Diagnostics) -> Self {
        let tokens = VecDeque::from(tokens);
        let (lost, error_line, nesting, behind) = (false, 0, 0, 0);
        Self {
            source,
            tokens,
            diagnostics,
            lost,
            error_line,
            nesting,
            behind,
        }
    }

    fn finish(mut self) -> Diagnostics {
        self.diagnostics.sort();
        self.diagnostics
    }

    /// Statements up to, and without, the closing word.
    fn body(&mut self, until: TokenKind) -> Body {
        let start = self.token().span.start;
        let mut statements = Vec::new();
        while self.kind() != until && self.kind() != TokenKind::End {
            statements.extend(self.statement());
            if self.kind() == until {
                break;
            }
            if !self.lost && self.kind() != TokenKind::Terminator {
                self.expected("the end of the line");
            }
            self.recover();
            let ended = self.eat(TokenKind::Terminator) || self.starts_statement();
            if !ended && self.kind() != until {
                // A closing bracket of nothing.
                self.take();
                self.eat(TokenKind::Terminator);
            }
        }
        self.lost = false;
        Body {
            statements,
            span: Span::new(start, self.token().span.end),
        }
    }

    fn statement(&mut self) -> Option<Statement> {
        let first = self.identifier("an attribute or a block")?;
        let mut parts = vec![first];
        while self.eat(TokenKind::Dot) {
            parts.push(self.identifier("a name")?);
        }
        let name = BlockName { parts };
        let label = match self.kind() {
            TokenKind::String => Some(self.label()),
            _ => None,
        };
        match self.kind() {
            TokenKind::Assign => {
                self.take();
                self.attribute(name, label.as_ref())
                    .map(Statement::Attribute)
            }
            TokenKind::LeftCurly => {
                let label = label.filter(|label| !label.text.is_empty());
                self.block(name, label).map(Statement::Block)
            }
            _ if name.parts.len() == 1 && label.is_none() => {
                self.expected(&format!("`=` or `{{` after `{}`", name.dotted()));
                None
            }
            _ => {
                self.expected(&format!("`{{` after `{}`", name.dotted()));
                None
            }
        }
    }

    fn label(&mut self) -> Label {
        let token = self.take();
        let literal = self.source.slice(token.span);
        let text = literal.get(1..literal.len() - 1).unwrap_or("").to_owned();
        if !literal.starts_with('"') {
            self.error(token.span, "a block's label needs double quotes");
            self.lost = false;
        } else if !text.is_empty() && !is_identifier(&text) {
            let message = format!(
                "a block's label must be an identifier (letters, digits and underscores), but \
                 this is {literal}"
            );
            self.error(token.span, message);
            self.lost = false;
        }
        Label {
            text,
            span: token.span,
        }
    }

    fn attribute(&mut self, name: BlockName, label: Option<&Label>) -> Option<Attribute> {
        if name.parts.len() > 1 {
            let message = format!("the attribute name `{}` may not have dots", name.dotted());
            self.error(name.span(), message);
            self.lost = false;
        } else if let Some(label) = label {
            self.error(label.span, "an attribute has no label");
            self.lost = false;
        }
        let value = self.expression();
        let name = name.parts.into_iter().next()?;
        Some(Attribute { name, value })
    }

    fn block(&mut self, name: BlockName, label: Option<Label>) -> Option<Block> {
        if !self.enter() {
            return None;
        }
        let open = self.take().span;
        let mut body = self.body(TokenKind::RightCurly);
        body.span.start = open.start;
        if self.kind() == TokenKind::RightCurly {
            self.take();
        } else {
            let at = self.source.position(open.start);
            let note = format!("the block `{}` opens in line {}", name.dotted(), at.line);
            self.expected_with("`}`", Some(note));
        }
        self.leave();
        body.span.end = self.behind;
        let span = Span::new(name.span().start, self.behind);
        Some(Block {
            name,
            label,
            body,
            span,
        })
    }

    fn identifier(&mut self, wanted: &str) -> Option<Ident> {
        if self.kind() != TokenKind::Ident {
            self.expected(wanted);
            return None;
        }
        let span = self.take().span;
        Some(Ident {
            text: self.source.slice(span).to_owned(),
            span,
        })
    }

    /// Skips to the end of the statement: a line end, a line that looks like the next statement, or
    /// a closing bracket that was opened before the statement.
    fn recover(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        self.skip(|parser| {
            parser.kind() == TokenKind::Terminator || (lost && parser.starts_statement())
        });
    }

    /// Whether a line begins here that can hardly be anything but a statement. A line that ends
    /// with an operator has no terminator.
    fn starts_statement(&self) -> bool {
        let kind = |ahead: usize| self.tokens.get(ahead).map(|token| token.kind);
        let named = match kind(1) {
            Some(TokenKind::Assign | TokenKind::LeftCurly) => true,
            Some(TokenKind::String) => kind(2) == Some(TokenKind::LeftCurly),
            _ => false,
        };
        let start = self.token().span.start;
        named
            && kind(0) == Some(TokenKind::Ident)
            && self.source.line_of(start) > self.source.line_of(self.behind)
    }

    /// Skips to a word outside of all brackets that open on the way, or to a bracket that closes
    /// one from before.
    fn skip(&mut self, found: impl Fn(&Self) -> bool) {
        let mut depth = 0usize;
        loop {
            match self.kind() {
                TokenKind::End => return,
                _ if depth == 0 && found(self) => return,
                TokenKind::LeftCurly | TokenKind::LeftBracket | TokenKind::LeftParen => depth += 1,
                TokenKind::RightCurly | TokenKind::RightBracket | TokenKind::RightParen => {
                    if depth == 0 {
                        return;
                    }
                    depth -= 1;
                }
                _ => {}
            }
            self.take();
        }
    }

    /// Goes one level deeper; false at the limit, and then the rest of the file is given up.
    fn enter(&mut self) -> bool {
        self.nesting += 1;
        if self.nesting <= NESTING_MAX {
            return true;
        }
        let span = self.token().span;
        self.error(
            span,
            format!("nested too deeply (limit: nesting, {NESTING_MAX} levels)"),
        );
        self.give_up();
        false
    }

    fn leave(&mut self) {
        self.nesting -= 1;
    }

    fn give_up(&mut self) {
        let end = self.source.text().len() as u32;
        self.tokens = [Token {
            kind: TokenKind::End,
            span: Span::new(end, end),
        }]
        .into();
        self.error_line = self.source.line_of(end);
        self.lost = true;
    }

    fn token(&self) -> Token {
        *self
            .tokens
            .front()
            .expect("the last word, the end, is never taken")
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    fn take(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.tokens.pop_front();
            // A line end belongs to the line that it ends.
            self.behind = match token.kind {
                TokenKind::Terminator => token.span.start,
                _ => token.span.end,
            };
        }
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.kind() == kind;
        if found {
            self.take();
        }
        found
    }

    fn expected(&mut self, wanted: &str) {
        self.expected_with(wanted, None);
    }

    fn expected_with(&mut self, wanted: &str, note: Option<String>) {
        let token = self.token();
        if token.kind == TokenKind::Illegal {
            // The lexer has said so.
            self.lost = true;
            return;
        }
        let found = match token.kind {
            TokenKind::Ident => format!("`{}`", self.source.slice(token.span)),
            kind => kind.to_string(),
        };
        let before = self.diagnostics.len();
        self.error(token.span, format!("expected {wanted}, found {found}"));
        if let (Some(note), true) = (note, self.diagnostics.len() > before) {
            let last = std::mem::take(&mut self.diagnostics)
                .into_iter()
                .enumerate();
            let annotate = |(index, diagnostic): (usize, Diagnostic)| match index {
                index if index == before => diagnostic.with_note(note.clone()),
                _ => diagnostic,
            };
            self.diagnostics = last.map(annotate).collect();
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        let line = self.source.line_of(span.start);
        let echo = self.lost || self.error_line == line;
        self.lost = true;
        if echo {
            return;
        }
        self.error_line = line;
        self.diagnostics
            .push(Diagnostic::error(self.source, span, message));
        if self.diagnostics.len() >= ERRORS_MAX {
            let message = format!("the rest is not checked (limit: errors, {ERRORS_MAX})");
            self.diagnostics
                .push(Diagnostic::error(self.source, span, message));
            self.give_up();
        }
    }
}
