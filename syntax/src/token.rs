//! The words of the language.

use std::fmt;

use crate::source::Span;

/// A word and where it is; its text is the text of the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What sort of word it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}

/// The sorts of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// What is no word of the language; the lexer has reported it.
    Illegal,
    /// The end of the text.
    End,
    /// The end of a statement: a line end in the right place.
    Terminator,
    /// A name.
    Ident,
    /// A whole number.
    Number,
    /// A number with a fraction or an exponent.
    Float,
    /// A text in double quotes or backticks, with its quotes.
    String,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// `||`
    Or,
    /// `&&`
    And,
    /// `!`
    Not,
    /// `=`
    Assign,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `{`
    LeftCurly,
    /// `}`
    RightCurly,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `.`
    Dot,
}

// === impl TokenKind ===

impl TokenKind {
    /// Its text, if all words of this sort are the same.
    pub fn text(self) -> Option<&'static str> {
        Some(match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Not => "!",
            Self::Assign => "=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::LeftCurly => "{",
            Self::RightCurly => "}",
            Self::LeftParen => "(",
            Self::RightParen => ")",
            Self::LeftBracket => "[",
            Self::RightBracket => "]",
            Self::Comma => ",",
            Self::Dot => ".",
            _ => return None,
        })
    }

    /// Whether a line end behind this word ends the statement.
    pub(crate) fn ends_statement(self) -> bool {
        matches!(
            self,
            Self::Ident
                | Self::Number
                | Self::Float
                | Self::String
                | Self::Bool
                | Self::Null
                | Self::RightCurly
                | Self::RightParen
                | Self::RightBracket
        )
    }

    /// How strongly it binds as a binary operator; `None` if it is not one.
    pub(crate) fn precedence(self) -> Option<u8> {
        Some(match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod => 5,
            Self::Pow => 6,
            _ => return None,
        })
    }
}

impl fmt::Display for TokenKind {
    /// As a message names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Illegal => "an illegal character",
            Self::End => "the end of the file",
            Self::Terminator => "the end of the line",
            Self::Ident => "a name",
            Self::Number | Self::Float => "a number",
            Self::String => "a string",
            Self::Bool => "a boolean",
            Self::Null => "null",
            _ => return write!(f, "`{}`", self.text().unwrap_or_default()),
        };
        f.write_str(name)
    }
}
