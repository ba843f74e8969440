//! The pages under `docs/reference` are what the program would write.

use std::{collections::BTreeMap, fs, path::Path};

use corten::{components::TABLE, reference};
use syntax::{FieldKind, Schema, SourceFile};

#[test]
fn the_reference_is_fresh() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"));
    let files = fs::read_dir(folder).expect("docs/reference is missing: run `make docs`");
    let found: BTreeMap<String, String> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    for (name, page) in reference::pages() {
        let there = found.get(&name);
        assert!(
            there.is_some(),
            "docs/reference/{name} is missing: run `make docs`"
        );
        assert!(
            there == Some(&page),
            "docs/reference/{name} is stale: run `make docs`"
        );
    }
    let pages = reference::pages();
    for name in found.keys() {
        let known = pages.iter().any(|(page, _)| page == name);
        assert!(
            known,
            "docs/reference/{name} has no component: run `make docs`"
        );
    }
}

#[test]
fn every_page_says_what_its_component_does_and_shows_it() {
    for definition in TABLE {
        let (name, page) = (definition.name, reference::component(definition));
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some(format!("# {name}").as_str()));
        let summary = reference::summary(definition);
        assert!(
            summary.ends_with('.') && summary.len() > 20,
            "{name}: {summary:?}"
        );
        let usage = page
            .split("```alloy\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let (file, diagnostics) = syntax::parse(&SourceFile::new(name, usage));
        assert!(diagnostics.is_empty(), "{}", diagnostics.render());
        assert_eq!(syntax::print(&file), usage, "{name}");
        for field in &(definition.arguments)().fields {
            assert!(!field.doc.is_empty(), "{name}: {} says nothing", field.name);
            assert!(
                page.contains(&format!("`{}`", field.name)),
                "{name}: {}",
                field.name
            );
        }
        for row in page.lines().filter(|line| line.starts_with("| `")) {
            let cells = row.replace("\\|", "").matches('|').count();
            assert!([4, 6, 5].contains(&cells), "{name}: {row}");
        }
    }
}

/// What `corten validate` says of a file that another machine has depends on this.
#[test]
fn arguments_that_name_files_say_so() {
    for definition in TABLE {
        check_files(definition.name, (definition.arguments)(), 0);
    }
}

fn check_files(path: &str, schema: &Schema, depth: usize) {
    // A block may contain itself.
    if depth > 8 {
        return;
    }
    for field in &schema.fields {
        let name = format!("{path} > {}", field.name);
        if let FieldKind::Block { schema, .. } = field.kind {
            check_files(&name, schema(), depth + 1);
        } else {
            let is_file = field.name.ends_with("_file") || field.name == "filename";
            let is_file = is_file && field.type_name == "string";
            assert!(!is_file || field.names_file, "{name} needs #[attr(file)]");
        }
    }
}
