//! What can be written at a place: components, what a block may contain, words, and references to
//! the components that there are.

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, InsertTextFormat,
    MarkupContent, MarkupKind, TextEdit,
};
use syntax::{Field, FieldKind, Schema, parse, stdlib::Library};

use super::{context::Context, documents::Unit, hover, position};
use crate::{
    components::{TABLE, VOCABULARY},
    graph::{Definition, Label, STRUCTURAL, standard_library},
    reference,
};

/// What can stand at an offset.
pub(super) fn at(unit: &Unit, offset: u32, snippets: bool) -> Vec<CompletionItem> {
    let Some(document) = unit.document() else {
        return Vec::new();
    };
    let context = Context::at(document, offset);
    let choices = match &context.attribute {
        None if context.in_string => Vec::new(),
        None if context.blocks.is_empty() => top_level(),
        None => context.schema().map(fields).unwrap_or_default(),
        Some(name) => {
            let field = context.schema().and_then(|schema| schema.field(name));
            field
                .map(|field| values(unit, &context, field))
                .unwrap_or_default()
        }
    };
    let range = position::range(document, context.word);
    choices
        .into_iter()
        .map(|choice| choice.item(range, snippets))
        .collect()
}

/// Something that can be written.
struct Choice {
    label: String,
    kind: CompletionItemKind,
    detail: String,
    documentation: String,
    /// The text, with `$0` where one goes on to write.
    text: String,
}

impl Choice {
    fn item(self, range: lsp_types::Range, snippets: bool) -> CompletionItem {
        let (new_text, format) = match snippets {
            true => (self.text, InsertTextFormat::SNIPPET),
            // Without placeholders the text ends where the first would stand.
            false => {
                let plain = self.text.split(['$', '{']).next().unwrap_or_default();
                (plain.to_owned(), InsertTextFormat::PLAIN_TEXT)
            }
        };
        let kind = MarkupKind::Markdown;
        CompletionItem {
            label: self.label,
            kind: Some(self.kind),
            detail: Some(self.detail),
            documentation: Some(Documentation::MarkupContent(MarkupContent {
                kind,
                value: self.documentation,
            })),
            insert_text_format: Some(format),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text })),
            ..CompletionItem::default()
        }
    }
}

/// What a configuration may consist of.
fn top_level() -> Vec<Choice> {
    let structural = STRUCTURAL.iter().map(|name| Choice {
        label: (*name).to_owned(),
        kind: CompletionItemKind::MODULE,
        detail: "part of the language".to_owned(),
        documentation: String::new(),
        text: format!("{name} \"${{1:name}}\" {{\n\t$0\n}}"),
    });
    TABLE.iter().map(component).chain(structural).collect()
}

fn component(definition: &Definition) -> Choice {
    let name = definition.name;
    let text = match definition.label {
        Label::Required => format!("{name} \"${{1:default}}\" {{\n\t$0\n}}"),
        Label::None => format!("{name} {{\n\t$0\n}}"),
    };
    Choice {
        label: name.to_owned(),
        kind: CompletionItemKind::CLASS,
        detail: definition.stability.as_str().to_owned(),
        documentation: reference::summary(definition),
        text,
    }
}

fn fields(schema: &'static Schema) -> Vec<Choice> {
    let named = |field: &&Field| !matches!(field.kind, FieldKind::Label);
    schema.fields.iter().filter(named).map(field).collect()
}

fn field(field: &Field) -> Choice {
    let name = &field.name;
    let (kind, text) = match &field.kind {
        FieldKind::Block { schema, .. } if schema().has_label() => (
            CompletionItemKind::STRUCT,
            format!("{name} \"${{1:default}}\" {{\n\t$0\n}}"),
        ),
        FieldKind::Block { .. } => (CompletionItemKind::STRUCT, format!("{name} {{\n\t$0\n}}")),
        _ => (CompletionItemKind::PROPERTY, format!("{name} = $0")),
    };
    Choice {
        label: name.clone(),
        kind,
        detail: reference::field_summary(field),
        documentation: reference::describe(field),
        text,
    }
}

/// What the value of an attribute can be.
fn values(unit: &Unit, context: &Context, field: &Field) -> Vec<Choice> {
    let quote = if context.in_string { "" } else { "\"" };
    let mut choices: Vec<Choice> = field
        .keywords
        .iter()
        .map(|word| word_choice(word, &format!("{quote}{word}{quote}"), field))
        .collect();
    if context.in_string {
        return choices;
    }
    let wanted = element(&field.type_name);
    if wanted == "bool" {
        choices.extend(["true", "false"].map(|word| word_choice(word, word, field)));
    }
    choices.extend(references(unit, context, wanted));
    if !wanted.starts_with("capsule(") {
        choices.extend(library_names());
    }
    choices
}

fn word_choice(word: &str, text: &str, field: &Field) -> Choice {
    Choice {
        label: word.to_owned(),
        kind: CompletionItemKind::ENUM_MEMBER,
        detail: field.name.clone(),
        documentation: reference::describe(field),
        text: text.to_owned(),
    }
}

/// The type of what stands in a list.
fn element(type_name: &str) -> &str {
    let inner = type_name.strip_prefix("list(");
    inner
        .and_then(|inner| inner.strip_suffix(')'))
        .unwrap_or(type_name)
}

/// The exports, of the components that there are, that fit. A block cannot refer to itself.
fn references(unit: &Unit, context: &Context, wanted: &str) -> Vec<Choice> {
    let own = context.blocks.first().map(|block| block.id.as_str());
    let mut choices = Vec::new();
    for file in &unit.files {
        for block in parse(&file.source).0.body.blocks() {
            let id = block.id();
            let Some(definition) = VOCABULARY.definition(&block.name.dotted()) else {
                continue;
            };
            if own == Some(&id) {
                continue;
            }
            let fits = |field: &&Field| match wanted.starts_with("capsule(") {
                true => field.type_name == wanted,
                false => !field.type_name.starts_with("capsule("),
            };
            for export in (definition.exports)().fields.iter().filter(fits) {
                let label = format!("{id}.{}", export.name);
                choices.push(Choice {
                    kind: CompletionItemKind::REFERENCE,
                    detail: export.type_name.clone(),
                    documentation: hover::field(export),
                    text: label.clone(),
                    label,
                });
            }
        }
    }
    choices
}

/// The names of the standard library that are not old.
fn library_names() -> Vec<Choice> {
    let library = standard_library();
    let current = library
        .names()
        .filter(|name| Library::replacement(name).is_none());
    current
        .map(|name| Choice {
            label: name.to_owned(),
            kind: CompletionItemKind::MODULE,
            detail: "standard library".to_owned(),
            documentation: String::new(),
            text: name.to_owned(),
        })
        .collect()
}
