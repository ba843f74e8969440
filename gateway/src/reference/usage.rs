//! The shortest configuration of a component: what must be there, with something to replace.

use std::fmt::Write;

use syntax::{Field, FieldKind, Schema, SourceFile};

use crate::{
    components::TABLE,
    graph::{Definition, Label},
};

/// How deep blocks that must be there are shown; no component has more.
const DEPTH_MAX: usize = 8;

/// The skeleton in its canonical form.
pub(super) fn skeleton(definition: &Definition) -> String {
    let mut text = definition.name.to_owned();
    if definition.label == Label::Required {
        text.push_str(" \"LABEL\"");
    }
    body(&mut text, (definition.arguments)(), 0);
    let (file, _) = syntax::parse(&SourceFile::new("usage", text));
    syntax::print(&file)
}

fn body(text: &mut String, schema: &Schema, depth: usize) {
    let needed = |field: &&Field| field.required && !matches!(field.kind, FieldKind::Label);
    let fields: Vec<&Field> = schema.fields.iter().filter(needed).collect();
    if fields.is_empty() || depth > DEPTH_MAX {
        return text.push_str(" { }\n");
    }
    text.push_str(" {\n");
    for field in fields {
        match &field.kind {
            FieldKind::Block { schema, .. } => {
                text.push_str(&field.name);
                let schema = schema();
                if schema.has_label() {
                    text.push_str(" \"LABEL\"");
                }
                body(text, schema, depth + 1);
            }
            _ => {
                let value = placeholder(&field.name, &field.type_name, field.keywords);
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{} = {value}", field.name);
            }
        }
    }
    text.push_str("}\n");
}

/// Something of the type, to be replaced.
pub(super) fn placeholder(name: &str, type_name: &str, keywords: &[&str]) -> String {
    let inner = |prefix: &str| {
        let inner = type_name.strip_prefix(prefix)?.strip_suffix(')')?;
        Some(inner.to_owned())
    };
    if let Some(element) = inner("list(") {
        return format!("[{}]", placeholder(name, &element, keywords));
    }
    if let Some(element) = inner("map(") {
        return format!(
            "{{ \"<KEY>\" = {} }}",
            placeholder(name, &element, keywords)
        );
    }
    if inner("capsule(").is_some() {
        return exported(type_name);
    }
    match (type_name, keywords.first()) {
        (_, Some(word)) => format!("{word:?}"),
        ("number", _) => "0".to_owned(),
        ("bool", _) => "false".to_owned(),
        ("duration", _) => "\"1m\"".to_owned(),
        _ => format!("\"<{}>\"", name.to_uppercase()),
    }
}

/// The first export of the type that a component has.
fn exported(type_name: &str) -> String {
    let export = TABLE.iter().find_map(|definition| {
        let fields = &(definition.exports)().fields;
        let field = fields.iter().find(|field| field.type_name == type_name)?;
        Some(format!("{}.LABEL.{}", definition.name, field.name))
    });
    export.unwrap_or_else(|| "null".to_owned())
}
