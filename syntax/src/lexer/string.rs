//! Strings: in double quotes with escapes, in backticks without.

use super::Lexer;
use crate::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn raw(&mut self, start: usize) -> TokenKind {
        match self.text[self.offset..].find('`') {
            Some(length) => self.offset += length + 1,
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

    pub(super) fn quoted(&mut self, start: usize, quote: char) -> TokenKind {
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
                }
            }
        }
        TokenKind::String
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
}
