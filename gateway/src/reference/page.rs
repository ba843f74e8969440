//! The page of a component.

use std::{collections::HashMap, fmt::Write};

use syntax::{Field, FieldKind, Schema};

use super::{MARK, prose, usage};
use crate::{
    components::{VOCABULARY, alloy},
    graph::{Definition, Known, Label},
};

/// The whole page.
pub fn component(definition: &Definition) -> String {
    let mut out = format!(
        "# {}\n\n{}\n",
        definition.name,
        prose::markdown(prose::comment(definition))
    );
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "\n{}", standing(definition));
    let skeleton = usage::skeleton(definition);
    let _ = writeln!(out, "\n## Usage\n\n```alloy\n{}```", skeleton);
    let schema = (definition.arguments)();
    out.push_str("\n## Arguments\n\n");
    attributes(&mut out, schema, "It has no arguments.");
    let blocks = Blocks::of(schema);
    blocks.list(&mut out);
    blocks.sections(&mut out);
    exports(&mut out, (definition.exports)());
    missing(&mut out, definition);
    let _ = write!(out, "\n{MARK}");
    out
}

/// How finished it is, here and in Alloy, and how often there may be one.
fn standing(definition: &Definition) -> String {
    let mut text = format!("Stability: {}.", definition.stability.as_str());
    match VOCABULARY.known(definition.name).map(Known::stability) {
        None => text.push_str(" Alloy has no block of this name."),
        Some(there) if there != definition.stability.as_str() => {
            let _ = write!(text, " In Alloy it is {there}.");
        }
        Some(_) => {}
    }
    text.push_str(match definition.label {
        Label::Required => " Each block needs a label of its own.",
        Label::None => " There is at most one, without a label.",
    });
    text
}

/// The attributes of a block, or a sentence if there are none.
fn attributes(out: &mut String, schema: &Schema, none: &str) {
    let fields: Vec<&Field> = schema
        .fields
        .iter()
        .filter(|field| !field.is_block())
        .collect();
    if fields.is_empty() {
        let _ = writeln!(out, "{none}");
        return;
    }
    out.push_str("| name | type | what it is for | default | required |\n|---|---|---|---|---|\n");
    for field in fields {
        let name = match field.kind {
            FieldKind::Label => "(label)".to_owned(),
            _ => format!("`{}`", field.name),
        };
        let default = field
            .default
            .as_ref()
            .map(|text| format!("`{}`", text.replace('|', "\\|")));
        let (type_name, doc) = (&field.type_name, describe(field));
        let _ = writeln!(
            out,
            "| {name} | `{type_name}` | {doc} | {} | {} |",
            default.unwrap_or_default(),
            if field.required { "yes" } else { "no" },
        );
    }
}

/// What a field is for, with the words that it can be.
pub fn describe(field: &Field) -> String {
    let mut text = prose::cell(field.doc);
    let written = |word: &&str| match *word {
        "" => "`\"\"`".to_owned(),
        word => format!("`{word}`"),
    };
    let words: Vec<String> = field.keywords.iter().map(written).collect();
    if words.iter().any(|word| !text.contains(word)) {
        let _ = write!(text, " One of {}.", words.join(", "));
    }
    text
}

/// Type, default and necessity of a field in a line: `string, required`.
pub fn field_summary(field: &Field) -> String {
    let mut text = match field.kind {
        FieldKind::Block { repeated: true, .. } => "block, may be repeated".to_owned(),
        FieldKind::Block { .. } => "block".to_owned(),
        _ => field.type_name.clone(),
    };
    if field.required {
        text.push_str(", required");
    }
    if let Some(default) = &field.default {
        let _ = write!(text, ", default {default}");
    }
    text
}

fn exports(out: &mut String, schema: &Schema) {
    out.push_str("\n## Exports\n\n");
    if schema.fields.is_empty() {
        return out.push_str("It exports nothing.\n");
    }
    out.push_str("| name | type | what it is |\n|---|---|---|\n");
    for field in &schema.fields {
        let (name, type_name, doc) = (&field.name, &field.type_name, describe(field));
        let _ = writeln!(out, "| `{name}` | `{type_name}` | {doc} |");
    }
}

/// What Alloy's block of the same name has beyond this one.
fn missing(out: &mut String, definition: &Definition) {
    let Some(missing) = alloy::missing(definition) else {
        return;
    };
    out.push_str("\n## Beside Alloy\n\n");
    if missing.is_empty() {
        return out.push_str(
            "All arguments of Alloy's block are known here. Where a value of one is not honoured, it is \
             refused with the reason.\n",
        );
    }
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    let _ = writeln!(
        out,
        "Alloy's block has arguments that are refused here: {names}."
    );
}

/// The blocks inside of a component, each described once.
struct Blocks {
    found: Vec<Found>,
}

struct Found {
    /// `client > tls`
    path: String,
    field: &'static Field,
    schema: &'static Schema,
    /// The path under which blocks of the same content are described, if that is another.
    same_as: Option<String>,
}

impl Blocks {
    fn of(schema: &'static Schema) -> Self {
        let mut blocks = Self { found: Vec::new() };
        blocks.add("", schema, &mut HashMap::new());
        blocks
    }

    fn add(
        &mut self,
        above: &str,
        schema: &'static Schema,
        seen: &mut HashMap<*const Schema, String>,
    ) {
        for field in schema.fields.iter() {
            let FieldKind::Block { schema, .. } = &field.kind else {
                continue;
            };
            let schema = schema();
            let path = match above {
                "" => field.name.clone(),
                above => format!("{above} > {}", field.name),
            };
            let same_as = seen.get(&std::ptr::from_ref(schema)).cloned();
            let is_new = same_as.is_none();
            self.found.push(Found {
                path: path.clone(),
                field,
                schema,
                same_as,
            });
            // Also ends the descent into a block that contains itself.
            if is_new {
                seen.insert(schema, path.clone());
                self.add(&path, schema, seen);
            }
        }
    }

    fn list(&self, out: &mut String) {
        if self.found.is_empty() {
            return;
        }
        out.push_str(
            "\n## Blocks\n\n| block | what it is for | required | repeated |\n|---|---|---|---|\n",
        );
        for found in &self.found {
            let link = found.same_as.as_ref().unwrap_or(&found.path);
            let path = &found.path;
            let FieldKind::Block {
                repeated, group, ..
            } = &found.field.kind
            else {
                continue;
            };
            let repeated = match (repeated, group) {
                (_, Some(_)) => "yes, order counts",
                (true, None) => "yes",
                (false, None) => "no",
            };
            let required = if found.field.required { "yes" } else { "no" };
            let doc = describe(found.field);
            let _ = writeln!(
                out,
                "| [`{path}`](#{}) | {doc} | {required} | {repeated} |",
                anchor(link)
            );
        }
    }

    fn sections(&self, out: &mut String) {
        for found in self.found.iter().filter(|found| found.same_as.is_none()) {
            let doc = prose::markdown(found.schema.doc);
            let _ = writeln!(out, "\n### {}\n\n{doc}\n", found.path);
            attributes(out, found.schema, "It has no arguments.");
        }
    }
}

/// What a heading is linked by, as Git hosts make it.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    let text = heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>();
    text.replace(' ', "-")
}
