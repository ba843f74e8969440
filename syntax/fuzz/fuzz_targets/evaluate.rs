//! Any expression comes to a value or to an error that points at it, within a small budget.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use syntax::stdlib::{Environment, Library};
use syntax::{Evaluator, Limits, Object, SourceFile, Value, parse_expression};

struct Nothing;

impl Environment for Nothing {
    fn variable(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn hostname(&self) -> Option<String> {
        None
    }
}

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::new(Arc::new(Nothing), "1.0.0"));

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::from_bytes("fuzz", bytes);
    let (expr, diagnostics) = parse_expression(&source);
    if diagnostics.has_errors() {
        return;
    }
    let scope: Object = [("unknown".to_owned(), Value::Unknown)]
        .into_iter()
        .collect();
    let limits = Limits {
        steps: 10_000,
        text_bytes: 1 << 20,
    };
    match Evaluator::new(&source, &scope, &LIBRARY)
        .with_limits(limits)
        .evaluate(&expr)
    {
        Ok(value) => drop(value.to_string()),
        Err(error) => {
            let span = error.span.start as usize..error.span.end as usize;
            assert!(source.text().get(span).is_some(), "{error}");
        }
    }
});
