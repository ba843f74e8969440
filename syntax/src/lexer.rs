//! Text into words.
//!
//! A line end is a word of its own (a terminator) exactly where a statement may end, as in Go; so
//! inside brackets a line must end with a comma. A comment that reaches the end of its line stands
//! behind the terminator, not in front of it: that is what tells the printer which statement a
//! comment belongs to.

use std::sync::LazyLock;

use regex::Regex;

use crate::ast::{Comment, CommentGroup};
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

    fn refuse(&mut self, start: usize, ch: char) {
        let message = match ch {
            '\0' => "illegal character NUL".to_owned(),
            BYTE_ORDER_MARK => "a byte order mark may only be the first character".to_owned(),
            char::REPLACEMENT_CHARACTER => "the text is not valid UTF-8 here".to_owned(),
            ';' => "illegal character `;`: a statement ends with its line".to_owned(),
            '#' => "illegal character `#`: a comment begins with `//`".to_owned(),
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

    fn raw(&mut self, start: usize) -> TokenKind {
        match self.text[self.offset..].find('`') {
            Some(length) => {
                self.refuse_nul(self.offset, self.offset + length);
                self.offset += length + 1;
            }
            None => {
                self.offset = self.text.len();
                self.error(
                    start,
                    start + 1,
                    "this raw string is not closed with a backtick",
                );
            }
        }
        TokenKind::String
    }

    fn quoted(&mut self, start: usize, quote: char) -> TokenKind {
        loop {
            match self.peek() {
                None | Some('\n') => {
                    self.error(start, self.offset, "this string is not closed on its line");
                    break;
                }
                Some('\\') => {
                    self.offset += 1;
                    self.escape();
                }
                Some(ch) => {
                    self.offset += ch.len_utf8();
                    if ch == quote {
                        break;
                    }
                    if ch == '\0' {
                        self.refuse(self.offset - 1, ch);
                    }
                }
            }
        }
        TokenKind::String
    }

    fn refuse_nul(&mut self, start: usize, end: usize) {
        if let Some(at) = self.text[start..end].find('\0') {
            self.refuse(start + at, '\0');
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) {
        let start = self.offset - 1;
        let (digits, base, max) = match self.peek() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"') => {
                self.offset += 1;
                return;
            }
            Some('0'..='7') => (3, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, 0x0010_FFFF),
            Some('U') => (8, 16, 0x0010_FFFF),
            None | Some('\n') => return,
            Some(ch) => {
                let end = self.offset + ch.len_utf8();
                let message = format!("unknown escape sequence `\\{ch}`");
                self.error(start, end, message);
                return;
            }
        };
        if base == 16 {
            self.offset += 1;
        }
        let mut code = 0u32;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|ch| ch.to_digit(base)) else {
                let message = format!("the escape sequence needs {digits} digits of base {base}");
                self.error(start, self.offset, message);
                return;
            };
            code = code.wrapping_mul(base).wrapping_add(digit);
            self.offset += 1;
        }
        if code > max || (0xD800..0xE000).contains(&code) {
            self.error(
                start,
                self.offset,
                "the escape sequence is no valid character",
            );
        }
    }

    fn comment_or_terminator(&mut self, start: usize) {
        if self.terminator_due && self.comment_ends_line() {
            self.terminator_due = false;
            self.push_span(TokenKind::Terminator, Span::new(start as u32, start as u32));
        }
        let line_comment = self.peek_at(1) == Some('/');
        let end = match comment_end(self.text, start) {
            Some(end) => end,
            None => {
                self.error(start, start + 2, "this comment is not closed with `*/`");
                self.text.len()
            }
        };
        self.offset = end;
        self.terminator_due = false;

        let mut text = &self.text[start..end];
        if line_comment {
            text = text.trim_end_matches('\r');
        }
        let span = Span::new(start as u32, end as u32);
        let line = self.source.line_of(span.start);
        let comment = Comment {
            text: text.replace('\r', ""),
            span,
        };
        let last_line = line + text.matches('\n').count() as u32;
        match (self.group_line, self.comments.last_mut()) {
            (Some(previous), Some(group)) if line <= previous + 1 => group.comments.push(comment),
            _ => self.comments.push(CommentGroup {
                comments: vec![comment],
            }),
        }
        self.group_line = Some(last_line);
    }

    /// Whether nothing but comments is between here (the start of a comment) and the line's end.
    fn comment_ends_line(&self) -> bool {
        let mut at = self.offset;
        loop {
            let rest = &self.text[at..];
            if rest.starts_with("//") {
                return true;
            }
            if !rest.starts_with("/*") {
                return rest.is_empty() || rest.starts_with('\n');
            }
            match comment_end(self.text, at) {
                Some(end) if !self.text[at..end].contains('\n') => at = end,
                _ => return true,
            }
            let blank = |ch: char| matches!(ch, ' ' | '\t' | '\r');
            at = self.text.len() - self.text[at..].trim_start_matches(blank).len();
        }
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

/// The offset behind the comment that begins at `start`; `None` if it is not closed.
fn comment_end(text: &str, start: usize) -> Option<usize> {
    let body = start + 2;
    if text[start..].starts_with("//") {
        return Some(
            text[body..]
                .find('\n')
                .map_or(text.len(), |length| body + length),
        );
    }
    text[body..].find("*/").map(|length| body + length + 2)
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
