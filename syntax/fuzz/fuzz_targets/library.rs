//! Any texts through the functions that read a language of their own: a value, or an error that
//! says why not, within a small budget.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use syntax::stdlib::{Library, System};
use syntax::{Evaluator, Limits, Object, SourceFile, Value, parse_expression};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::new(Arc::new(System), "1.0.0"));

/// `a` and `b` are the halves of the bytes.
const CALLS: [&str; 10] = [
    "encoding.from_yaml(a)",
    "encoding.to_json({a = encoding.from_yaml(a)})",
    "encoding.from_json(a)",
    "json_path(a, b)",
    "json_path(\"{\\\"a\\\": [1, {\\\"b\\\": \\\"c\\\"}], \\\"d\\\": 2.5}\", a)",
    "string.format(a, b, 1, -1.5, [b], {k = null})",
    "encoding.from_base64(a) + encoding.from_URLbase64(b)",
    "encoding.url_decode(a)",
    "string.replace(a, b, string.to_upper(a))",
    "string.join(string.split(a, b), b) == a || file.path_join(a, b) != b",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let middle = (0..=text.len() / 2)
        .rev()
        .find(|at| text.is_char_boundary(*at));
    let (a, b) = text.split_at(middle.unwrap_or(0));
    let call = CALLS[usize::from(*choice) % CALLS.len()];
    // Most take one text: then it is the whole.
    let a = if call.contains(" b") {
        a
    } else {
        &text
    };
    let scope: Object = [("a", a), ("b", b)]
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .into_iter()
        .collect();
    let source = SourceFile::new("fuzz", call);
    let (expr, _) = parse_expression(&source);
    let limits = Limits {
        steps: 100_000,
        text_bytes: 1 << 20,
    };
    let evaluator = Evaluator::new(&source, &scope, &LIBRARY).with_limits(limits);
    match evaluator.evaluate(&expr) {
        Ok(value) => drop(value.to_string()),
        Err(error) => assert!(!error.message.is_empty()),
    }
});
