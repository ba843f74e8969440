//! Broad tables as files: expressions and their values, sources as they are printed, and sources
//! and all of their mistakes.
//!
//! `GOLDEN_UPDATE=1 cargo test -p syntax --test golden` writes what comes out now into the files;
//! read the difference before it is committed.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::eval::EmptyScope;
use syntax::stdlib::{Environment, Library};
use syntax::{Evaluator, Object, OptionalSecret, Secret, SourceFile, Value};

struct Machine;

impl Environment for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "REGION").then(|| "eu-west".to_owned())
    }

    fn hostname(&self) -> Option<String> {
        Some("node-1".to_owned())
    }
}

/// The names that the expressions use.
fn scope() -> Object {
    let fields = [
        ("secret", Value::Secret(Secret::new("hunter2"))),
        ("hidden", Value::OptionalSecret(OptionalSecret::secret("h"))),
        ("plain", Value::OptionalSecret(OptionalSecret::plain("p"))),
        ("unknown", Value::Unknown),
        ("list", Value::array(["x".into(), 2i64.into(), Value::Null])),
        (
            "map",
            Value::object([("a", Value::from(1i64)), ("b c", Value::from("d"))]),
        ),
        (
            "targets",
            Value::array([
                Value::object([("job", Value::from("api")), ("port", "80".into())]),
                Value::object([("job", Value::from("db")), ("port", "5432".into())]),
                Value::object([("port", Value::from("9100"))]),
            ]),
        ),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into_iter().collect()
}

/// All files of a directory, with what is in them.
fn files(directory: &str) -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(directory);
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", directory.display());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it can be read");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn compare(path: &Path, before: &str, now: &str) {
    if std::env::var_os("GOLDEN_UPDATE").is_some() {
        fs::write(path, now).expect("it can be written");
        return;
    }
    let (before_lines, now_lines) = (before.lines(), now.lines());
    for (number, (before, now)) in before_lines.zip(now_lines).enumerate() {
        assert_eq!(now, before, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(now, before, "{}", path.display());
}

/// What an expression comes to, in a line.
fn outcome(text: &str, library: &Library) -> String {
    let source = SourceFile::new("t", text);
    let (expr, diagnostics) = syntax::parse_expression(&source);
    let scope = scope();
    let result = match diagnostics.into_iter().next() {
        Some(diagnostic) => Err(diagnostic),
        None => Evaluator::new(&source, &scope, library).evaluate(&expr),
    };
    match result {
        Ok(value) => format!("= {value}"),
        Err(error) => format!("! {}: {}", error.span.start, error.message),
    }
}

#[test]
fn expressions_come_to_their_values() {
    let library = Library::new(Arc::new(Machine), "1.2.3");
    for (path, before) in files("evaluation") {
        let mut now = String::new();
        for line in before.lines().filter(|line| !line.starts_with(['=', '!'])) {
            writeln!(now, "{line}").unwrap();
            if !line.is_empty() && !line.starts_with('#') {
                writeln!(now, "{}", outcome(line, &library)).unwrap();
            }
        }
        compare(&path, &before, &now);
    }
}

/// Rewrites the part behind `---` of each case of a file. A case begins with `=== name`.
fn rewrite(before: &str, expected: impl Fn(&str) -> String) -> String {
    let mut now = String::new();
    for case in before.split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').expect("a name");
        let (source, _) = rest.split_once("---\n").expect(name);
        now += &format!("=== {name}\n{source}---\n{}", expected(source));
    }
    now
}

#[test]
fn sources_are_printed() {
    for (path, before) in files("printing") {
        let now = rewrite(&before, |source| {
            let (file, diagnostics) = syntax::parse(&SourceFile::new("t", source));
            assert!(diagnostics.is_empty(), "{}", diagnostics.render());
            let printed = syntax::print(&file);
            let (again, _) = syntax::parse(&SourceFile::new("t", printed.clone()));
            assert_eq!(syntax::print(&again), printed, "{source}");
            printed
        });
        compare(&path, &before, &now);
    }
}

#[test]
fn every_mistake_is_reported_where_it_is() {
    for (path, before) in files("errors") {
        let now = rewrite(&before, |source| {
            let (_, diagnostics) = syntax::parse(&SourceFile::new("t", source));
            let mut shown = String::new();
            for error in &diagnostics {
                let (start, end) = (error.span.start, error.span.end);
                let (from, to) = (error.file.position(start), error.file.position(end));
                let place = format!("{}:{} to {}:{}", from.line, from.column, to.line, to.column);
                writeln!(shown, "{place} {}", error.message).unwrap();
            }
            shown
        });
        compare(&path, &before, &now);
    }
}

#[test]
fn a_scope_without_names_has_the_library_only() {
    let library = Library::new(Arc::new(Machine), "");
    let source = SourceFile::new("t", "list");
    let (expr, _) = syntax::parse_expression(&source);
    let result = Evaluator::new(&source, &EmptyScope, &library).evaluate(&expr);
    assert!(result.is_err_and(|error| error.message.contains("does not exist")));
}
