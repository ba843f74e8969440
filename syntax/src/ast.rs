//! The tree of a parsed file: statements, expressions, and where each of them is.

use crate::source::{SourceFile, Span};
use crate::token::TokenKind;

/// A parsed file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Where the text came from.
    pub source: SourceFile,
    /// The statements.
    pub body: Body,
    /// The comments, which belong to no statement: the printer puts them back by position.
    pub comments: Vec<CommentGroup>,
}

/// Comments with nothing between them but line ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommentGroup {
    /// The comments, in order.
    pub comments: Vec<Comment>,
}

/// A comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Its text with the comment marks, without carriage returns.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

/// The statements of a file or of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// A block's from brace to brace, a file's as a whole.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `name = value`
    Attribute(Attribute),
    /// `name "label" { ... }`
    Block(Block),
}

/// An attribute: `name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}

/// A block: `name "label" { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its name, of one or more parts.
    pub name: BlockName,
    /// Its label; an empty label is none.
    pub label: Option<Label>,
    /// What is inside.
    pub body: Body,
    /// From the name to the closing brace.
    pub span: Span,
}

/// The name of a block: one identifier, or several with dots between.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockName {
    /// The parts, at least one.
    pub parts: Vec<Ident>,
}

/// The label of a block: an identifier in double quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The text, without its quotes.
    pub text: String,
    /// Where it is, with its quotes.
    pub span: Span,
}

/// An identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// Its text.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number, a string, a boolean or null.
    Literal(Literal),
    /// A name.
    Ident(Ident),
    /// `[a, b]`
    Array(Array),
    /// `{ a = 1, "b" = 2 }`
    Object(ObjectLiteral),
    /// `value.name`
    Access(Access),
    /// `value[index]`
    Index(Index),
    /// `function(a, b)`
    Call(Call),
    /// `-value`, `!value`
    Unary(Unary),
    /// `a + b`
    Binary(Binary),
    /// `(value)`
    Paren(Paren),
    /// What could not be parsed; the parser has reported it. Its value is unknown.
    Invalid(Span),
}

/// A literal, kept as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// One of `Number`, `Float`, `String`, `Bool`, `Null`.
    pub kind: TokenKind,
    /// The text as written, with quotes.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

/// A list of expressions in brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The elements.
    pub elements: Vec<Expr>,
    /// From bracket to bracket.
    pub span: Span,
}

/// Fields in braces.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectLiteral {
    /// The fields, in order.
    pub fields: Vec<ObjectField>,
    /// From brace to brace.
    pub span: Span,
}

/// A field of an object literal.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectField {
    /// The key. A quoted key is what stands between its quotes, with escapes left as they are.
    pub name: Ident,
    /// Whether the key is quoted.
    pub quoted: bool,
    /// The value.
    pub value: Expr,
}

/// `value.name`
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// What is accessed.
    pub value: Box<Expr>,
    /// The field.
    pub name: Ident,
}

/// `value[index]`
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// What is indexed.
    pub value: Box<Expr>,
    /// Where the opening bracket is.
    pub open: u32,
    /// The index.
    pub index: Box<Expr>,
    /// Where the closing bracket is.
    pub close: u32,
}

/// `function(arguments)`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called.
    pub function: Box<Expr>,
    /// Where the opening parenthesis is.
    pub open: u32,
    /// The arguments.
    pub arguments: Vec<Expr>,
    /// Where the closing parenthesis is.
    pub close: u32,
}

/// An operator before its operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// `Not` or `Sub`.
    pub operator: TokenKind,
    /// Where the operator is.
    pub operator_span: Span,
    /// The operand.
    pub operand: Box<Expr>,
}

/// An operator between its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The left operand.
    pub left: Box<Expr>,
    /// The operator.
    pub operator: TokenKind,
    /// Where the operator is.
    pub operator_span: Span,
    /// The right operand.
    pub right: Box<Expr>,
}

/// An expression in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What is inside.
    pub inner: Box<Expr>,
    /// From parenthesis to parenthesis.
    pub span: Span,
}

// === impl Body ===

impl Body {
    /// The blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.statements
            .iter()
            .filter_map(|statement| match statement {
                Statement::Block(block) => Some(block),
                Statement::Attribute(_) => None,
            })
    }

    /// The attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.statements
            .iter()
            .filter_map(|statement| match statement {
                Statement::Attribute(attribute) => Some(attribute),
                Statement::Block(_) => None,
            })
    }
}

// === impl Statement ===

impl Statement {
    /// Where it is.
    pub fn span(&self) -> Span {
        match self {
            Self::Attribute(attribute) => attribute.span(),
            Self::Block(block) => block.span,
        }
    }
}

// === impl Attribute ===

impl Attribute {
    /// From the name to the end of the value.
    pub fn span(&self) -> Span {
        self.name.span.to(self.value.span())
    }
}

// === impl Block ===

impl Block {
    /// The name and the label: where an error about the block as a whole points.
    pub fn header(&self) -> Span {
        let name = self.name.span();
        self.label
            .as_ref()
            .map_or(name, |label| name.to(label.span))
    }

    /// The name and, behind a dot, the label: `otelcol.receiver.otlp.default`.
    pub fn id(&self) -> String {
        match &self.label {
            Some(label) => format!("{}.{}", self.name.dotted(), label.text),
            None => self.name.dotted(),
        }
    }
}

// === impl BlockName ===

impl BlockName {
    /// The parts with dots between them.
    pub fn dotted(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.text.as_str()).collect();
        parts.join(".")
    }

    /// From the first part to the last.
    pub fn span(&self) -> Span {
        let spans = self.parts.iter().map(|part| part.span);
        spans.reduce(Span::to).unwrap_or_default()
    }
}

// === impl Expr ===

impl Expr {
    /// Where it is.
    pub fn span(&self) -> Span {
        match self {
            Self::Literal(literal) => literal.span,
            Self::Ident(ident) => ident.span,
            Self::Array(array) => array.span,
            Self::Object(object) => object.span,
            Self::Access(access) => access.value.span().to(access.name.span),
            Self::Index(index) => Span::new(index.value.span().start, index.close + 1),
            Self::Call(call) => Span::new(call.function.span().start, call.close + 1),
            Self::Unary(unary) => unary.operator_span.to(unary.operand.span()),
            Self::Binary(binary) => binary.left.span().to(binary.right.span()),
            Self::Paren(paren) => paren.span,
            Self::Invalid(span) => *span,
        }
    }
}
