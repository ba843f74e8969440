//! Text into words.
//!
//! A line end is a word of its own (a terminator) exactly where a statement may end, as in Go; so
//! inside brackets a line must end with a comma. A comment that reaches the end of its line stands
//! behind the terminator, not in front of it: that is what tells the printer which statement a
//! comment belongs to.

mod comment;
mod string;

use std::sync::LazyLock;

use regex::Regex;

use crate::ast::CommentGroup;
use crate::diagnostic::{Diagnostic, Diagnostics, ERRORS_MAX};
use crate::source::{SourceFile, Span};
use crate::token::{Token, TokenKind};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The words of a file, ending with [`TokenKind::End`], and its comments.
#[derive(Debug)]
pub struct Lexed {
    /// The words.
    pub tokens: Vec<Token>,
    /// The comments, grouped where nothing but a line end is between them.
    pub comments: Vec<CommentGroup>,
}

/// Splits a file into words. What is no word is reported and becomes [`TokenKind::Illegal`].
pub fn lex(source: &SourceFile) -> (Lexed, Diagnostics) {
    let mut lexer = Lexer {
        source,
        text: source.text(),
        offset: 0,
        terminator_due: false,
        tokens: Vec::new(),
        comments: Vec::new(),
        group_line: None,
        diagnostics: Diagnostics::default(),
    };
    if lexer.text.starts_with(BYTE_ORDER_MARK) {
        lexer.offset = BYTE_ORDER_MARK.len_utf8();
    }
    lexer.refuse_everywhere();
    lexer.run();
    (
        Lexed {
            tokens: lexer.tokens,
            comments: lexer.comments,
        },
        lexer.diagnostics,
    )
}

/// Whether the text is an identifier, and so can be a label or an unquoted key.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_letter)
        && chars.all(is_letter_or_digit)
        && !matches!(text, "true" | "false" | "null")
}

struct Lexer<'a> {
    source: &'a SourceFile,
    text: &'a str,
    offset: usize,
    /// Whether the next line end is a terminator.
    terminator_due: bool,
    tokens: Vec<Token>,
    comments: Vec<CommentGroup>,
    /// The last line of the comment group that the next comment may join.
    group_line: Option<u32>,
    diagnostics: Diagnostics,
}

impl Lexer<'_> {
    fn run(&mut self) {
        loop {
            self.skip_blanks();
            let start = self.offset;
            let Some(ch) = self.peek() else {
                if std::mem::take(&mut self.terminator_due) {
                    self.push(TokenKind::Terminator, start);
                }
                self.push(TokenKind::End, start);
                return;
            };
            if ch == '/' && matches!(self.peek_at(1), Some('/' | '*')) {
                self.comment_or_terminator(start);
                continue;
            }
            let kind = self.word(ch);
            self.push(kind, start);
            self.terminator_due = match kind {
                // What is no word leaves things as they were, except a single-quoted string,
                // which stands where a string should.
                TokenKind::Illegal if ch == '\'' => true,
                TokenKind::Illegal => self.terminator_due,
                kind => kind.ends_statement(),
            };
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(ch) = self.peek() {
            match ch {
                ' ' | '\t' | '\r' => self.offset += 1,
                '\n' if !self.terminator_due => self.offset += 1,
                '\n' => {
                    self.terminator_due = false;
                    let start = self.offset;
                    self.offset += 1;
                    self.push(TokenKind::Terminator, start);
                }
                _ => return,
            }
        }
    }

    /// Reads one word that is neither a comment nor a terminator.
    fn word(&mut self, ch: char) -> TokenKind {
        if is_letter(ch) {
            return self.identifier();
        }
        let fraction = ch == '.' && self.peek_at(1).is_some_and(|next| next.is_ascii_digit());
        if ch.is_ascii_digit() || fraction {
            return self.number();
        }
        let start = self.offset;
        self.offset += ch.len_utf8();
        match ch {
            '"' => self.quoted(start, '"'),
            '`' => self.raw(start),
            '\'' => {
                self.error(
                    start,
                    start + 1,
                    "text needs double quotes, not single quotes",
                );
                self.quoted(start, '\'');
                TokenKind::Illegal
            }
            '|' => self.doubled('|', TokenKind::Or),
            '&' => self.doubled('&', TokenKind::And),
            '!' => self.with_equal(TokenKind::NotEqual, TokenKind::Not),
            '=' => self.with_equal(TokenKind::Equal, TokenKind::Assign),
            '<' => self.with_equal(TokenKind::LessEqual, TokenKind::Less),
            '>' => self.with_equal(TokenKind::GreaterEqual, TokenKind::Greater),
            '+' => TokenKind::Add,
            '-' => TokenKind::Sub,
            '*' => TokenKind::Mul,
            '/' => TokenKind::Div,
            '%' => TokenKind::Mod,
            '^' => TokenKind::Pow,
            '{' => TokenKind::LeftCurly,
            '}' => TokenKind::RightCurly,
            '(' => TokenKind::LeftParen,
            ')' => TokenKind::RightParen,
            '[' => TokenKind::LeftBracket,
            ']' => TokenKind::RightBracket,
            ',' => TokenKind::Comma,
            '.' => TokenKind::Dot,
            _ => {
                self.refuse(start, ch);
                TokenKind::Illegal
            }
        }
    }

    /// Reports what may be nowhere, not even in a string or a comment.
    fn refuse_everywhere(&mut self) {
        if let Some(at) = self.source.invalid_at() {
            let at = at as usize;
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            self.error(at, end, "the text is not valid UTF-8 from here on");
        }
        let text = self.text;
        for (at, found) in text
            .match_indices(['\0', BYTE_ORDER_MARK])
            .filter(|(at, _)| *at > 0 || !text.starts_with(BYTE_ORDER_MARK))
        {
            let message = match found {
                "\0" => "illegal character NUL",
                _ => "a byte order mark may only be the first character",
            };
            self.error(at, at + found.len(), message);
        }
    }

    fn refuse(&mut self, start: usize, ch: char) {
        let message = match ch {
            '\0' | BYTE_ORDER_MARK => return,
            char::REPLACEMENT_CHARACTER if self.source.invalid_at().is_some() => return,
            ';' => "illegal character `;`: a statement ends with its line".to_owned(),
            '#' => "illegal character `#`: a comment begins with `//`".to_owned(),
            ':' => "illegal character `:`: what has a name gets its value with `=`".to_owned(),
            '?' => {
                "illegal character `?`: there are no conditions, but there is `coalesce`".to_owned()
            }
            '“' | '”' | '„' => {
                format!("illegal character `{ch}`: text needs straight quotes, `\"`")
            }
            '\u{a0}' => "illegal character U+00A0, a no-break space: write a blank".to_owned(),
            _ => format!("illegal character {ch:?} (U+{:04X})", ch as u32),
        };
        self.error(start, start + ch.len_utf8(), message);
    }

    fn identifier(&mut self) -> TokenKind {
        let start = self.offset;
        self.take_while(is_letter_or_digit);
        match &self.text[start..self.offset] {
            "true" | "false" => TokenKind::Bool,
            "null" => TokenKind::Null,
            _ => TokenKind::Ident,
        }
    }

    fn number(&mut self) -> TokenKind {
        let start = self.offset;
        let mut kind = TokenKind::Number;
        self.take_while(|ch| ch.is_ascii_digit());
        if self.eat('.') {
            kind = TokenKind::Float;
            self.take_while(|ch| ch.is_ascii_digit());
        }
        if self.eat('e') || self.eat('E') {
            kind = TokenKind::Float;
            let _sign = self.eat('+') || self.eat('-');
            if self.take_while(|ch| ch.is_ascii_digit()) == 0 {
                self.error(start, self.offset, "the number's exponent has no digits");
            }
        }
        kind
    }

    fn doubled(&mut self, second: char, kind: TokenKind) -> TokenKind {
        if !self.eat(second) {
            let message = format!("`{second}` is no operator; `{second}{second}` is");
            self.error(self.offset - 1, self.offset, message);
        }
        kind
    }

    fn with_equal(&mut self, both: TokenKind, single: TokenKind) -> TokenKind {
        if self.eat('=') { both } else { single }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.offset..].chars().next()
    }

    /// The character some bytes further, where the current one is ASCII.
    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.get(self.offset + ahead..)?.chars().next()
    }

    fn eat(&mut self, ch: char) -> bool {
        let found = self.peek() == Some(ch);
        if found {
            self.offset += ch.len_utf8();
        }
        found
    }

    fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> usize {
        let mut count = 0;
        while let Some(ch) = self.peek().filter(|ch| accepted(*ch)) {
            self.offset += ch.len_utf8();
            count += 1;
        }
        count
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.push_span(kind, Span::new(start as u32, self.offset as u32));
    }

    fn push_span(&mut self, kind: TokenKind, span: Span) {
        self.tokens.push(Token { kind, span });
        self.group_line = None;
    }

    fn error(&mut self, start: usize, end: usize, message: impl Into<String>) {
        let span = Span::new(start as u32, end as u32);
        if self.diagnostics.len() < ERRORS_MAX {
            self.diagnostics
                .push(Diagnostic::error(self.source, span, message));
        }
    }
}

fn is_letter(ch: char) -> bool {
    ch.is_ascii_alphabetic() || ch == '_' || (!ch.is_ascii() && matches(&LETTER, ch))
}

fn is_letter_or_digit(ch: char) -> bool {
    is_letter(ch) || ch.is_ascii_digit() || (!ch.is_ascii() && matches(&DIGIT, ch))
}

// The standard library's notion of alphabetic is wider than the general category that identifiers
// are made of.
static LETTER: LazyLock<Regex> = LazyLock::new(|| category(r"^\p{L}$"));
static DIGIT: LazyLock<Regex> = LazyLock::new(|| category(r"^\p{Nd}$"));

fn category(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

fn matches(category: &Regex, ch: char) -> bool {
    category.is_match(ch.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let source = SourceFile::new("t", text);
        let (lexed, diagnostics) = lex(&source);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render());
        let show = |token: &Token| match token.kind {
            TokenKind::Terminator => "EOL".to_owned(),
            TokenKind::End => "END".to_owned(),
            _ => source.slice(token.span).to_owned(),
        };
        lexed.tokens.iter().map(show).collect()
    }

    #[test]
    fn a_line_end_is_a_word_only_behind_what_can_end_a_statement() {
        let table: &[(&str, &[&str])] = &[
            ("", &["END"]),
            ("\n\n", &["END"]),
            ("a", &["a", "EOL", "END"]),
            ("a =\n1\n\n", &["a", "=", "1", "EOL", "END"]),
            ("a // c\nb", &["a", "EOL", "b", "EOL", "END"]),
            ("a /* c */ b", &["a", "b", "EOL", "END"]),
            ("a /* c\n */ b", &["a", "EOL", "b", "EOL", "END"]),
            ("a /* c */ /* d */\nb", &["a", "EOL", "b", "EOL", "END"]),
            ("a /* c */ // d", &["a", "EOL", "END"]),
            ("a { /* c */\n}", &["a", "{", "}", "EOL", "END"]),
            ("\u{feff}a", &["a", "EOL", "END"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn words_are_told_apart() {
        let table: &[(&str, &[&str])] = &[
            (
                "1 1.5 .5 1. 1e3 1E-3",
                &["1", "1.5", ".5", "1.", "1e3", "1E-3", "EOL", "END"],
            ),
            ("a.b.5", &["a", ".", "b", ".5", "EOL", "END"]),
            ("<=<!==!===", &["<=", "<", "!=", "=", "!=", "==", "END"]),
            ("été٣ _x1", &["été٣", "_x1", "EOL", "END"]),
            (
                "\"a\\\"b\" `c\n\\`",
                &["\"a\\\"b\"", "`c\n\\`", "EOL", "END"],
            ),
            (
                "\"\\a\\377\\x41\\u00e9\\U0001F600\"",
                &["\"\\a\\377\\x41\\u00e9\\U0001F600\"", "EOL", "END"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_word_is_reported_at_its_place() {
        let table = [
            ("a = 'x'", 4, 5, "double quotes"),
            ("a = \"x", 4, 6, "not closed"),
            ("a = `x", 4, 5, "backtick"),
            ("/* x", 0, 2, "not closed"),
            ("a = \"\\'\"", 5, 7, "unknown escape"),
            ("a = \"\\ud800\"", 5, 11, "no valid character"),
            ("a = \"\\777\"", 5, 9, "no valid character"),
            ("a = \"\\xg0\"", 5, 7, "digits"),
            ("a & b", 2, 3, "no operator"),
            ("a = 1e", 4, 6, "no digits"),
            ("a;", 1, 2, "ends with its line"),
            ("a\u{feff}", 1, 4, "byte order mark"),
            ("\0", 0, 1, "NUL"),
            ("a = 1 // \0", 9, 10, "NUL"),
            ("a = `\u{feff}`", 5, 8, "byte order mark"),
        ];
        for (text, start, end, message) in table {
            let (_, diagnostics) = lex(&SourceFile::new("t", text));
            let first = diagnostics.iter().next().expect(text);
            assert_eq!(
                first.span,
                Span::new(start, end),
                "{text:?}: {}",
                first.message
            );
            assert!(
                first.message.contains(message),
                "{text:?}: {}",
                first.message
            );
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused_even_in_a_comment() {
        let source = SourceFile::from_bytes("t", b"a = 1 // \xff\nb = \xfe");
        let (_, diagnostics) = lex(&source);
        assert_eq!(diagnostics.len(), 1, "{}", diagnostics.render());
        let first = diagnostics.iter().next().expect("one");
        assert_eq!(first.span, Span::new(9, 12));
        assert!(first.message.contains("UTF-8"));
        // The replacement character itself may be in a string.
        let (_, diagnostics) = lex(&SourceFile::from_bytes("t", "a = \"\u{fffd}\"".as_bytes()));
        assert!(diagnostics.is_empty());
    }

    #[test]
    fn comments_are_grouped_by_lines_and_words() {
        let text = "// a\n// b\n\n// c\nx = 1 // d\n// e\r\n/* f\r\n */ y = /* g */ 2\n";
        let (lexed, _) = lex(&SourceFile::new("t", text));
        let groups: Vec<Vec<&str>> = lexed
            .comments
            .iter()
            .map(|group| {
                group
                    .comments
                    .iter()
                    .map(|comment| comment.text.as_str())
                    .collect()
            })
            .collect();
        let expected: Vec<Vec<&str>> = vec![
            vec!["// a", "// b"],
            vec!["// c"],
            vec!["// d", "// e", "/* f\n */"],
            vec!["/* g */"],
        ];
        assert_eq!(groups, expected);
    }

    #[test]
    fn identifiers_are_known() {
        for good in ["a", "_", "a1", "été"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "true", "null", "a.b", "a b", "²"] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }
}
