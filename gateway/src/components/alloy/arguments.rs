//! The arguments of Alloy's blocks, and which of them are not honoured here.

use syntax::{
    Diagnostic, Diagnostics, FieldKind, Schema, SourceFile, Span,
    ast::{Body, Statement},
};

use super::super::VOCABULARY;
use crate::graph::Definition;

/// Lines of a component, a block's path in it, and the names of its attributes.
const TABLE: &str = include_str!("arguments.txt");

/// Blocks whose bodies are configurations again.
const NESTING: &[&str] = &["declare", "foreach", "template"];

/// A block of Alloy's.
struct Row {
    /// The names of the blocks on the way to it; none for the component itself.
    path: Vec<&'static str>,
    attributes: Vec<&'static str>,
}

fn rows(component: &str) -> impl Iterator<Item = Row> {
    TABLE.lines().filter_map(move |line| {
        let mut words = line.split(' ');
        if words.next() != Some(component) {
            return None;
        }
        let path = match words.next()? {
            "-" => Vec::new(),
            path => path.split('/').collect(),
        };
        let attributes = words.collect();
        Some(Row { path, attributes })
    })
}

/// The arguments and blocks that Alloy's block of this name has and ours has not: `client > tls`.
/// None if what Alloy's has is not listed here.
pub fn missing(definition: &Definition) -> Option<Vec<String>> {
    let mut rows = rows(definition.name).peekable();
    rows.peek()?;
    let mut missing = Vec::new();
    for Row { path, attributes } in rows {
        match descend((definition.arguments)(), &path) {
            Some(schema) => {
                let unknown = |name: &&str| schema.field(name).is_none();
                let unknown = attributes.into_iter().filter(unknown);
                missing.extend(unknown.map(|name| join(&path, name)));
            }
            // What is in a block that is missing is missing with it.
            None => {
                let (last, above) = path.split_last()?;
                if descend((definition.arguments)(), above).is_some() {
                    missing.push(join(above, last));
                }
            }
        }
    }
    Some(missing)
}

fn join(path: &[&str], name: &str) -> String {
    let mut steps = path.to_vec();
    steps.push(name);
    steps.join(" > ")
}

fn descend(schema: &'static Schema, path: &[&str]) -> Option<&'static Schema> {
    path.iter()
        .try_fold(schema, |schema, name| match &schema.field(name)?.kind {
            FieldKind::Block { schema, .. } => Some(schema()),
            _ => None,
        })
}

/// Where a finding is that a name is unknown, and Alloy knows it, says that instead of a guess.
pub fn note(files: &[SourceFile], diagnostics: Diagnostics) -> Diagnostics {
    if diagnostics.is_empty() {
        return diagnostics;
    }
    let mut places = Vec::new();
    for source in files {
        let (file, _) = syntax::parse(source);
        components(source, &file.body, &mut places);
    }
    let noted = |mut found: Diagnostic| {
        let here =
            |(file, span): &(&SourceFile, Span)| found.file.same(file) && found.span == *span;
        if found.message.starts_with("unknown ") && places.iter().any(here) {
            found.notes = vec!["note: Alloy has it; Corten does not have it yet".to_owned()];
        }
        found
    };
    diagnostics.into_iter().map(noted).collect()
}

fn components<'f>(source: &'f SourceFile, body: &Body, places: &mut Vec<(&'f SourceFile, Span)>) {
    for block in body.blocks() {
        let name = block.name.dotted();
        if NESTING.contains(&name.as_str()) {
            components(source, &block.body, places);
        } else if let Some(definition) = VOCABULARY.definition(&name) {
            let rows: Vec<Row> = rows(&name).collect();
            let unknown = unknown(
                &block.body,
                (definition.arguments)(),
                &rows,
                &mut Vec::new(),
            );
            places.extend(unknown.into_iter().map(|span| (source, span)));
        }
    }
}

/// The names in a body that Alloy knows at this place and the schema does not.
fn unknown(body: &Body, schema: &Schema, rows: &[Row], path: &mut Vec<String>) -> Vec<Span> {
    let mut found = Vec::new();
    for statement in &body.statements {
        match statement {
            Statement::Attribute(attribute) => {
                let name = &attribute.name;
                let here = rows.iter().filter(|row| row.path.iter().eq(path.iter()));
                let is_known = schema.field(&name.text).is_some();
                let mut there = here.flat_map(|row| &row.attributes);
                if !is_known && there.any(|other| *other == name.text) {
                    found.push(name.span);
                }
            }
            Statement::Block(block) => {
                let name = block.name.dotted();
                path.push(name.clone());
                match schema.field(&name).map(|field| &field.kind) {
                    Some(FieldKind::Block { schema, .. }) => {
                        found.extend(unknown(&block.body, schema(), rows, path));
                    }
                    Some(_) => {}
                    None => {
                        if rows.iter().any(|row| row.path.iter().eq(path.iter())) {
                            found.push(block.name.span());
                        }
                    }
                }
                path.pop();
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_of_blocks_that_alloy_has() {
        let lines: Vec<(&str, &str)> = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let mut words = line.split(' ');
                let (name, path) = (words.next().unwrap(), words.next().unwrap());
                assert!(VOCABULARY.known(name).is_some(), "{line}");
                (name, path.strip_prefix('-').unwrap_or(path))
            })
            .collect();
        assert!(lines.is_sorted_by(|a, b| a < b));
        assert!(lines.len() > 500);
    }

    #[test]
    fn what_is_missing_is_found_by_its_path() {
        #[derive(syntax::Arguments)]
        struct Arguments {
            #[attr]
            #[expect(dead_code, reason = "only its name counts")]
            filename: Option<String>,
        }
        let file = VOCABULARY.definition("local.file").unwrap();
        assert_eq!(missing(file), Some(Vec::new()));
        let schema = <Arguments as syntax::Arguments>::schema();
        let text = "filename = 1\nis_secret = true\nnonsense = 2\nblock { }\n";
        let source = SourceFile::new("t", text);
        let (parsed, _) = syntax::parse(&source);
        let rows: Vec<Row> = rows("local.file").collect();
        let found = unknown(&parsed.body, schema, &rows, &mut Vec::new());
        let found: Vec<_> = found.iter().map(|span| source.slice(*span)).collect();
        assert_eq!(found, ["is_secret"]);
        let otlp = VOCABULARY.definition("otelcol.exporter.otlp").unwrap();
        let arguments = (otlp.arguments)();
        assert!(descend(arguments, &["client", "tls", "tpm"]).is_some());
        assert!(descend(arguments, &["client", "endpoint"]).is_none());
    }
}
