//! Comments, and whether one ends its line.

use super::Lexer;
use crate::ast::{Comment, CommentGroup};
use crate::source::Span;
use crate::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn comment_or_terminator(&mut self, start: usize) {
        if self.terminator_due && self.comment_ends_line() {
            self.terminator_due = false;
            self.push_span(TokenKind::Terminator, Span::new(start as u32, start as u32));
        }
        let end = match comment_end(self.text, start) {
            Some(end) => end,
            None => {
                self.error(start, start + 2, "this comment is not closed with `*/`");
                self.text.len()
            }
        };
        self.offset = end;
        self.terminator_due = false;

        let span = Span::new(start as u32, end as u32);
        let line = self.source.line_of(span.start);
        let comment = Comment {
            text: self.text[start..end].replace('\r', ""),
            span,
        };
        let last_line = line + comment.text.matches('\n').count() as u32;
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
