//! Who may use whom inside the gateway. A module that reaches to its left is a design mistake
//! before it is anything else.

use std::{collections::BTreeSet, fs, path::Path};

/// Each module with the modules that it may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("batch", &[]),
    ("discovery", &[]),
    ("relabel", &[]),
    ("telemetry", &[]),
    ("net", &["batch"]),
    ("ledger", &["batch", "telemetry"]),
    ("services", &["batch", "ledger", "net", "telemetry"]),
    ("graph", &["batch", "services", "telemetry"]),
    ("delivery", &["batch", "graph", "ledger", "net", "services"]),
    (
        "components",
        &[
            "batch",
            "delivery",
            "discovery",
            "graph",
            "ledger",
            "net",
            "relabel",
            "telemetry",
        ],
    ),
    (
        "app",
        &["batch", "components", "graph", "services", "telemetry"],
    ),
    ("admin", &["app", "delivery", "graph", "net"]),
    ("cli", &["graph", "net"]),
    ("reference", &["cli", "components", "graph"]),
    ("lsp", &["app", "components", "graph", "reference"]),
    (
        "commands",
        &[
            "admin",
            "app",
            "batch",
            "cli",
            "components",
            "delivery",
            "graph",
            "lsp",
            "net",
            "reference",
            "services",
            "telemetry",
        ],
    ),
];

#[test]
fn modules_use_only_what_is_below_them() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut wrong = Vec::new();
    for (module, allowed) in LAYERS {
        let mut text = String::new();
        let file = root.join(format!("{module}.rs"));
        if file.exists() {
            text = fs::read_to_string(&file).unwrap();
        } else {
            read(&root.join(module), &mut text);
        }
        for used in named(&text) {
            if used != *module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{module} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_layer() {
    let library = include_str!("../src/lib.rs");
    let modules = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(
            LAYERS.iter().any(|(name, _)| *name == module),
            "{module} has no layer"
        );
    }
}

fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            read(&path, text);
        } else if path.file_stem().is_none_or(|stem| stem != "tests") {
            text.push_str(&fs::read_to_string(&path).expect("the sources can be read"));
        }
    }
}

/// The first segments behind every `crate::`, also inside braces.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut first = true;
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => first = true,
                    _ if depth > 0 => continue,
                    _ => {}
                }
                if first && (character.is_alphanumeric() || character == '_') {
                    word.push(character);
                } else if !word.is_empty() {
                    names.insert(std::mem::take(&mut word));
                    first = false;
                }
            }
            if !word.is_empty() {
                names.insert(word);
            }
        } else {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
        }
    }
    names.remove("");
    names
}
