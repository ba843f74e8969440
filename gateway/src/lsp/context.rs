//! What stands around a place in a document. It is found from the words alone, without a tree: a
//! document that is being written has seldom one.

use syntax::{FieldKind, Schema, SourceFile, Span, Token, TokenKind, lex};

use crate::{components::VOCABULARY, graph::Definition};

/// Where a place is.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The blocks around it, outermost first.
    pub(super) blocks: Vec<Around>,
    /// The attribute in whose value it is.
    pub(super) attribute: Option<String>,
    /// The text with dots that is there, or that ends there.
    pub(super) word: Span,
    /// Whether that is inside of quotes.
    pub(super) in_string: bool,
}

/// A block around a place.
#[derive(Debug)]
pub(super) struct Around {
    /// `otelcol.exporter.otlp`
    pub(super) name: String,
    /// With its label: `otelcol.exporter.otlp.default`
    pub(super) id: String,
}

/// What an open bracket belongs to.
enum Open {
    Block,
    Value,
}

impl Context {
    /// What is around an offset.
    pub(super) fn at(source: &SourceFile, offset: u32) -> Self {
        let (lexed, _) = lex(source);
        let mut context = Self {
            word: word(source, offset),
            ..Self::default()
        };
        let mut open = Vec::new();
        let mut statement: Vec<Token> = Vec::new();
        for token in lexed.tokens {
            let text = source.slice(token.span);
            let is_closed = text.len() > 1 && text.ends_with('"');
            let last = match is_closed {
                true => token.span.last(),
                false => token.span.end,
            };
            if text.starts_with('"') && token.span.start < offset && offset <= last {
                context.in_string = true;
                context.word = Span::new(token.span.start + 1, offset);
                break;
            }
            if token.span.start >= context.word.start {
                break;
            }
            context.take(source, token, &mut open, &mut statement);
        }
        context
    }

    fn take(
        &mut self,
        source: &SourceFile,
        token: Token,
        open: &mut Vec<Open>,
        statement: &mut Vec<Token>,
    ) {
        let in_value = matches!(open.last(), Some(Open::Value));
        match token.kind {
            TokenKind::LeftCurly if self.attribute.is_none() && !in_value => {
                self.blocks.push(around(source, statement));
                open.push(Open::Block);
                statement.clear();
            }
            TokenKind::LeftCurly | TokenKind::LeftBracket | TokenKind::LeftParen => {
                open.push(Open::Value);
            }
            TokenKind::RightCurly | TokenKind::RightBracket | TokenKind::RightParen => {
                if let Some(Open::Block) = open.pop() {
                    self.blocks.pop();
                    self.attribute = None;
                    statement.clear();
                }
            }
            TokenKind::Terminator if !in_value => {
                self.attribute = None;
                statement.clear();
            }
            TokenKind::Assign if !in_value => {
                let name = statement
                    .last()
                    .map(|name| source.slice(name.span).to_owned());
                self.attribute = name;
            }
            _ if !in_value => statement.push(token),
            _ => {}
        }
    }

    /// The kind of the outermost block, if it is one of ours.
    pub(super) fn definition(&self) -> Option<&'static Definition> {
        VOCABULARY.definition(&self.blocks.first()?.name)
    }

    /// What the innermost block may contain.
    pub(super) fn schema(&self) -> Option<&'static Schema> {
        let mut schema = (self.definition()?.arguments)();
        for block in &self.blocks[1..] {
            let FieldKind::Block { schema: inner, .. } = schema.field(&block.name)?.kind else {
                return None;
            };
            schema = inner();
        }
        Some(schema)
    }
}

fn around(source: &SourceFile, statement: &[Token]) -> Around {
    let (mut name, mut id) = (String::new(), String::new());
    for token in statement {
        let text = source.slice(token.span);
        if token.kind == TokenKind::String {
            id = format!("{name}.{}", text.trim_matches('"'));
        } else {
            name.push_str(text);
        }
    }
    if id.is_empty() {
        id.clone_from(&name);
    }
    Around { name, id }
}

/// The name with dots that an offset touches.
fn word(source: &SourceFile, offset: u32) -> Span {
    let text = source.text();
    let offset = offset as usize;
    let (before, behind) = text.split_at(offset.min(text.len()));
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let start = before.trim_end_matches(is_part).len();
    let end = text.len() - behind.trim_start_matches(is_part).len();
    Span::new(start as u32, end as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place is where the text has a `|`.
    fn at(text: &str) -> (String, Option<String>, String, bool) {
        let offset = text.find('|').unwrap();
        let source = SourceFile::new("t", text.replacen('|', "", 1));
        let context = Context::at(&source, offset as u32);
        let ids: Vec<_> = context
            .blocks
            .iter()
            .map(|block| block.id.as_str())
            .collect();
        let word = source.slice(context.word).to_owned();
        (ids.join(" "), context.attribute, word, context.in_string)
    }

    #[test]
    fn a_place_is_found_in_text_that_is_being_written() {
        for (text, ids, attribute, word, in_string) in [
            ("|", "", None, "", false),
            ("otelcol.exp|", "", None, "otelcol.exp", false),
            ("a.b \"c\" {\n\tcli|\n}", "a.b.c", None, "cli", false),
            (
                "a.b \"c\" {\n\td {\n\t\te = |\n",
                "a.b.c d",
                Some("e"),
                "",
                false,
            ),
            (
                "a.b \"c\" {\n\td { }\n\te = [x.y, z.|]\n}",
                "a.b.c",
                Some("e"),
                "z.",
                false,
            ),
            (
                "a.b \"c\" {\n\te = { x = [1] }\n\tf|",
                "a.b.c",
                None,
                "f",
                false,
            ),
            (
                "a.b \"c\" {\n\te = \"gz|\"\n}",
                "a.b.c",
                Some("e"),
                "gz",
                true,
            ),
            (
                "a.b \"c\" {\n\te = \"gz|\n}",
                "a.b.c",
                Some("e"),
                "gz",
                true,
            ),
            ("a.b \"c|\" {\n}", "", None, "c", true),
            ("a \"b\" {\n}\nlog|ging {", "", None, "logging", false),
            (
                "a \"b\" {\n\tx = f(1,\n\t\ty|",
                "a.b",
                Some("x"),
                "y",
                false,
            ),
        ] {
            let attribute = attribute.map(str::to_owned);
            let expected = (ids.to_owned(), attribute, word.to_owned(), in_string);
            assert_eq!(at(text), expected, "{text}");
        }
    }
}
