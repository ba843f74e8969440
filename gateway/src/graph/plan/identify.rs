//! What a block is, by its name and by where it stands.

use std::{collections::HashMap, sync::Arc};

use syntax::{Diagnostic, Diagnostics, did_you_mean};

use super::{Kind, Rules};
use crate::graph::{
    Definition, Stability,
    definition::Label,
    module::{Catalogue, Declare, Found, Located, Space, SpaceKind},
};

/// How finished `foreach` is.
const FOREACH_STABILITY: Stability = Stability::Experimental;

/// The custom components of a space, and which of its blocks define them.
pub(super) fn catalogue<'a>(
    space: &Space<'a>,
    blocks: &[Located],
    rules: &Rules,
    diagnostics: &mut Diagnostics,
) -> (Vec<bool>, Catalogue<'a>) {
    let mut declares = HashMap::new();
    let mut namespaces: HashMap<String, &Located> = HashMap::new();
    let mut found = Vec::with_capacity(blocks.len());
    for at in blocks {
        let name = at.block.name.dotted();
        let label = at.block.label.as_ref().map(|label| label.text.clone());
        let mut declared = false;
        if let Some(label) = label {
            if name == "declare" && label != "declare" {
                let declare = Arc::new(Declare::new(at, diagnostics));
                // The second of a name is reported as such.
                declares.entry(label).or_insert(declare);
                declared = true;
            } else if is_import(&name, rules) {
                match namespaces.get(&label) {
                    // The same block twice is reported as such.
                    Some(first) if first.block.name.dotted() != name => {
                        let line = first.source.line_of(first.block.span.start);
                        let message = format!("namespace {label:?} is already imported");
                        let note = format!("note: at {}:{line}", first.source.name());
                        let error = Diagnostic::error(&at.source, at.block.header(), message);
                        diagnostics.push(error.with_note(note));
                    }
                    _ => drop(namespaces.insert(label, at)),
                }
            }
        }
        found.push(declared);
    }
    let catalogue = Catalogue::new(space, declares, namespaces.into_keys());
    (found, catalogue)
}

/// Whether a block brings a module, be it one that works here or one that only Alloy has: of what
/// that would bring nothing is known.
fn is_import(name: &str, rules: &Rules) -> bool {
    match definition(name, rules) {
        Some(definition) => definition.is_import(),
        None => name.starts_with("import.") && rules.vocabulary.known(name).is_some(),
    }
}

fn definition(name: &str, rules: &Rules) -> Option<&'static Definition> {
    rules.vocabulary.definition(name)
}

/// What a block is.
pub(super) fn kind(
    space: &Space<'_>,
    catalogue: &Catalogue<'_>,
    at: &Located,
    rules: &Rules,
) -> Result<Kind, Diagnostic> {
    let block = &at.block;
    let name = block.name.dotted();
    let refuse = |message: String| Err(Diagnostic::error(&at.source, block.header(), message));
    let unlabelled = || refuse(format!("{name} block must have a label"));
    let definition = definition(&name, rules);
    let is_import = definition.is_some_and(Definition::is_import);
    if let SpaceKind::Imported { remote } = space.kind {
        if !is_import && name != "declare" {
            return refuse(format!(
                "a module has only declare and import blocks at its top, not {name}"
            ));
        }
        if remote && name == "import.file" {
            let why = "import.file cannot be used in a module that comes from a web server";
            return refuse(why.to_owned());
        }
    }
    match name.as_str() {
        "declare" if block.label.is_none() => return unlabelled(),
        "declare" => return refuse("declare is no name for a custom component".to_owned()),
        "argument" | "export" if space.kind != SpaceKind::Custom => {
            return refuse(format!(
                "{name} blocks are only allowed inside a declare block"
            ));
        }
        "argument" | "export" | "foreach" if block.label.is_none() => return unlabelled(),
        "argument" => return Ok(Kind::Argument(space.given.clone())),
        "export" => return Ok(Kind::Export),
        "foreach" => {
            allow("block", &name, FOREACH_STABILITY, at, rules)?;
            return Ok(Kind::Foreach);
        }
        _ => {}
    }
    let is_block = definition.is_some_and(|definition| definition.label == Label::None);
    if !is_block && !is_import && catalogue.has(&block.name.parts[0].text) {
        return custom(catalogue, at);
    }
    let Some(definition) = definition else {
        let (message, note) = rules.vocabulary.explain(&name);
        let error = Diagnostic::error(&at.source, block.header(), message);
        return Err(note.into_iter().fold(error, Diagnostic::with_note));
    };
    allow("component", &name, definition.stability, at, rules)?;
    match (&block.label, definition.label) {
        (None, Label::Required) if is_import => unlabelled(),
        (None, Label::Required) => refuse(format!("component {name:?} must have a label")),
        (Some(_), Label::None) => refuse(format!("block {name:?} does not take a label")),
        (None, Label::None) if space.kind != SpaceKind::Root => {
            let place = match space.kind {
                SpaceKind::Template => "a foreach",
                SpaceKind::Isolated => "a remote configuration",
                _ => "a module",
            };
            refuse(format!("block {name:?} is not allowed in {place}"))
        }
        _ if is_import => Ok(Kind::Import(definition)),
        _ => Ok(Kind::Component(definition)),
    }
}

/// An instance of a custom component.
fn custom(catalogue: &Catalogue<'_>, at: &Located) -> Result<Kind, Diagnostic> {
    let (block, name) = (&at.block, at.block.name.dotted());
    if block.label.is_none() {
        let message = format!("component {name:?} must have a label");
        return Err(Diagnostic::error(&at.source, block.header(), message));
    }
    // What is imported is known only when the import has been evaluated, so this is asked again.
    if block.name.parts.len() == 1
        && let Found::Missing(known) = catalogue.find(&block.name)
    {
        return Err(undefined(at, &known));
    }
    Ok(Kind::Instance(Vec::new()))
}

/// The error for a custom component that nobody declares.
pub(in crate::graph) fn undefined(at: &Located, known: &[String]) -> Diagnostic {
    let name = at.block.name.dotted();
    let message = format!("cannot find the definition of component name {name:?}");
    let error = Diagnostic::error(&at.source, at.block.header(), message);
    let (namespace, component) = match name.split_once('.') {
        Some((namespace, component)) => (format!("module {namespace:?}"), component),
        None => ("this configuration".to_owned(), name.as_str()),
    };
    let note = did_you_mean(component, known.iter().map(String::as_str));
    let note = note.unwrap_or_else(|| match known {
        [] => format!("note: {namespace} declares nothing"),
        known => format!("note: {namespace} declares {}", known.join(", ")),
    });
    error.with_note(note)
}

/// Whether something as finished as this may be used.
fn allow(
    what: &str,
    name: &str,
    stability: Stability,
    at: &Located,
    rules: &Rules,
) -> Result<(), Diagnostic> {
    if stability >= rules.stability {
        return Ok(());
    }
    let (is, allowed) = (stability.as_str(), rules.stability.as_str());
    let message = format!(
        "{what} {name:?} is at stability level {is:?}, which is below the minimum allowed \
         stability level {allowed:?}"
    );
    let error = Diagnostic::error(&at.source, at.block.header(), message);
    Err(error.with_note(format!("use --stability.level={is} to enable it")))
}
