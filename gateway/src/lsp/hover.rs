//! What the reference says of the word under the cursor.

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use syntax::Field;

use super::{context::Context, definition::referred, documents::Unit, position};
use crate::{components::VOCABULARY, graph::Definition, reference};

/// The text for the word at an offset.
pub(super) fn at(unit: &Unit, offset: u32) -> Option<Hover> {
    let document = unit.document()?;
    let context = Context::at(document, offset);
    let word = document.slice(context.word);
    let value = match (context.attribute.is_some(), context.blocks.is_empty()) {
        _ if context.in_string || word.is_empty() => return None,
        (true, _) => reference_to(unit, word)?,
        (false, true) => top_level(word)?,
        (false, false) => field(context.schema()?.field(word)?),
    };
    let kind = MarkupKind::Markdown;
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent { kind, value }),
        range: Some(position::range(document, context.word)),
    })
}

/// A component's page, without its blocks.
fn top_level(name: &str) -> Option<String> {
    if let Some(definition) = VOCABULARY.definition(name) {
        let page = reference::component(definition);
        let end = page
            .find("\n## Blocks")
            .or_else(|| page.find("\n## Exports"));
        return Some(page[..end.unwrap_or(page.len())].to_owned());
    }
    let known = VOCABULARY.known(name)?;
    if VOCABULARY.has(name) {
        return Some(format!("`{name}` is part of the language."));
    }
    let stability = known.stability();
    Some(format!(
        "`{name}` exists in Alloy ({stability}). Corten does not have it yet."
    ))
}

pub(super) fn field(field: &Field) -> String {
    let (summary, doc) = (reference::field_summary(field), reference::describe(field));
    format!("`{}` ({summary})\n\n{doc}", field.name)
}

/// What a path refers to: a component, and one of its exports.
fn reference_to(unit: &Unit, path: &str) -> Option<String> {
    let (_, block, rest) = referred(unit, path)?;
    let definition = VOCABULARY.definition(&block.name.dotted())?;
    let export = rest
        .split('.')
        .next()
        .and_then(|name| export(definition, name));
    let export = export.map(|export| format!("{}\n\n", field(export)));
    let summary = reference::summary(definition);
    let (export, id) = (export.unwrap_or_default(), block.id());
    Some(format!("{export}`{id}`: {summary}"))
}

fn export(definition: &Definition, name: &str) -> Option<&'static Field> {
    (definition.exports)().field(name)
}
