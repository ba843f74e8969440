//! Texts with `$1` and `${name}`, which what a pattern captured is put into.

use super::pattern::{Captures, Pattern};

/// A text with groups, by Go's rules: a name is as long as letters, digits and underscores go (`$1x` is
/// the group `1x`), `$$` is a dollar, and so is one that no name follows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    /// The template for what `pattern` captures.
    pub(super) fn new(source: &str, pattern: &Pattern) -> Self {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some((before, behind)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(behind) = behind.strip_prefix('$') {
                text.push('$');
                rest = behind;
                continue;
            }
            let Some((name, behind)) = name(behind) else {
                text.push('$');
                rest = behind;
                continue;
            };
            rest = behind;
            // A group that does not exist is empty.
            if let Some(number) = number(name).or_else(|| pattern.group_number(name)) {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Group(number));
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Self { pieces }
    }

    /// Replaces `out` with the text for what was captured of `value`.
    pub(super) fn expand(&self, captures: &Captures, value: &str, out: &mut String) {
        out.clear();
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(number) => captures.group(*number, value),
            });
        }
    }
}

/// The name of the group that is behind a dollar, and what follows it.
fn name(behind: &str) -> Option<(&str, &str)> {
    let (inner, is_braced) = match behind.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (behind, false),
    };
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let end = inner
        .find(|character| !is_name(character))
        .unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let rest = if is_braced {
        rest.strip_prefix('}')?
    } else {
        rest
    };
    (!name.is_empty()).then_some((name, rest))
}

/// The number that a name is; one with a leading zero is none.
fn number(name: &str) -> Option<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let has_zero = name.len() > 1 && name.starts_with('0');
    (is_number && !has_zero).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_as_go_finds_them() {
        let pattern = Pattern::new("(?P<first>a+)(b)?").unwrap();
        let captures = pattern.captures("aa").unwrap();
        let table = [
            ("$1", "aa"),
            ("${1}x", "aax"),
            ("$1x", ""),
            ("${first}-$first", "aa-aa"),
            ("$0$2", "aa"),
            ("$01|$9|$none", "||"),
            ("$$1", "$1"),
            ("a$", "a$"),
            ("$-${", "$-${"),
            ("${1", "${1"),
            ("${}", "${}"),
            ("", ""),
        ];
        for (source, expected) in table {
            let mut out = "old".to_owned();
            Template::new(source, &pattern).expand(&captures, "aa", &mut out);
            assert_eq!(out, expected, "{source}");
        }
    }
}
