//! Mistakes in a file, each reported once and at its place, and the limits of the parser.

use syntax::{EXPRESSION_HEIGHT_MAX, FILE_BYTES_MAX, NESTING_MAX, SourceFile, parse};

fn errors(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse(&SourceFile::new("t", text));
    let shown = |d: &syntax::Diagnostic| {
        assert!(
            d.span.start <= d.span.end && d.span.end as usize <= text.len(),
            "{d}"
        );
        let at = d.file.position(d.span.start);
        format!("{}:{} {}", at.line, at.column, d.message)
    };
    diagnostics.iter().map(shown).collect()
}

#[test]
fn each_mistake_is_reported_at_its_place() {
    let table: &[(&str, &[&str])] = &[
        ("a = 1\n", &[]),
        (
            "a = 1 b = 2\n",
            &["1:7 expected the end of the line, found `b`"],
        ),
        (
            "a =\n",
            &["2:1 expected a value, found the end of the file"],
        ),
        (
            "a\n",
            &["1:2 expected `=` or `{` after `a`, found the end of the line"],
        ),
        (
            "a.b\n",
            &["1:4 expected `{` after `a.b`, found the end of the line"],
        ),
        (
            "a.b = 1",
            &["1:1 the attribute name `a.b` may not have dots"],
        ),
        ("a \"l\" = 1", &["1:3 an attribute has no label"]),
        ("a `l` {}", &["1:3 a block's label needs double quotes"]),
        ("a \"\" {}\n", &[]),
        (
            "a \"l-l\" {}",
            &[
                "1:3 a block's label must be an identifier (letters, digits and underscores), but \
               this is \"l-l\"",
            ],
        ),
        (
            "a = [1\n2]",
            &["1:7 missing `,` at the end of the line, or `]`"],
        ),
        ("a = [1,\n2,\n]\n", &[]),
        (
            "a = [1,\n2\n]\n",
            &["2:2 missing `,` at the end of the line, or `]`"],
        ),
        (
            "a = {b = 1 c = 2}",
            &["1:12 expected `,` or `}`, found `c`"],
        ),
        (
            "a = {1 = 2}",
            &["1:6 expected the name of a field, found a number"],
        ),
        (
            "a = {b: 2}",
            &["1:7 illegal character `:`: what has a name gets its value with `=`"],
        ),
        (
            "a = [\n1,\nb = 2\nc {\nd = e(\n}\nf = 3 3\n",
            &[
                "3:1 expected `]`, found `b`",
                "6:1 expected a value, found `}`",
                "7:7 expected the end of the line, found a number",
            ],
        ),
        (
            "a = f(1,\n",
            &["2:1 expected `)`, found the end of the file"],
        ),
        (
            "a = b.true",
            &["1:7 expected the name of a field after `.`, found a boolean"],
        ),
        (
            "a = b \"c\" {\n}\nd = 1 1\n",
            &[
                "1:5 a block cannot be used as a value",
                "3:7 expected the end of the line, found a number",
            ],
        ),
        (
            "true = 1",
            &["1:1 expected an attribute or a block, found a boolean"],
        ),
        (
            "}\na = 1 1\n",
            &[
                "1:1 expected an attribute or a block, found `}`",
                "2:7 expected the end of the line, found a number",
            ],
        ),
        (
            "a {\nb = 1\n",
            &["3:1 expected `}`, found the end of the file"],
        ),
        (
            "a = 'x'\nb = 1 1",
            &[
                "1:5 text needs double quotes, not single quotes",
                "2:7 expected the end of the line, found a number",
            ],
        ),
        (
            "a = [1 1,\n2 2,\n+,\n]\nb = 2 2\n",
            &[
                "1:8 expected `,` or `]`, found a number",
                "2:3 expected `,` or `]`, found a number",
                "3:1 expected a value, found `+`",
                "5:7 expected the end of the line, found a number",
            ],
        ),
        (
            "a {\n\tb = +\n\tc {\n\t\td = 1 1\n\t}\n}\ne = /\n",
            &[
                "2:6 expected a value, found `+`",
                "4:9 expected the end of the line, found a number",
                "7:5 expected a value, found `/`",
            ],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(errors(text), *expected, "{text:?}");
    }
}

#[test]
fn what_is_well_formed_survives_around_a_mistake() {
    let text = "a = 1 1\nb = 2\nc {\n\td = [1 2, 3]\n\te = 4\n}\n";
    let (file, diagnostics) = parse(&SourceFile::new("t", text));
    assert_eq!(diagnostics.len(), 2);
    let names: Vec<&str> = file
        .body
        .attributes()
        .map(|a| a.name.text.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let block = file.body.blocks().next().expect("the block");
    assert_eq!(block.body.attributes().count(), 2);
}

#[test]
fn nesting_and_size_have_limits() {
    let nest = |open: &str, close: &str, depth| {
        format!("a = {}1{}\n", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{ a = ", "}"),
        ("f(", ")"),
        ("-", ""),
        ("2 ^ ", ""),
        ("a[", "]"),
    ] {
        assert_eq!(errors(&nest(open, close, NESTING_MAX)), [""; 0], "{open}");
        for depth in [NESTING_MAX + 1, 100_000] {
            let found = errors(&nest(open, close, depth));
            assert_eq!(found.len(), 1, "{open}: {found:?}");
            assert!(found[0].contains("limit: nesting, 64"), "{open}: {found:?}");
        }
    }
    let blocks = format!("{}{}", "a {\n".repeat(1000), "}\n".repeat(1000));
    assert!(errors(&blocks)[0].contains("limit: nesting"));
    for chain in [" + 1", ".a", "[0]", "()"] {
        let height = EXPRESSION_HEIGHT_MAX as usize;
        assert_eq!(
            errors(&format!("a = b{}\n", chain.repeat(height - 1))),
            [""; 0],
            "{chain}"
        );
        let found = errors(&format!("a = b{}\n", chain.repeat(100_000)));
        assert!(
            found.len() == 1 && found[0].contains("limit: expression height"),
            "{found:?}"
        );
    }
    for mistake in ["+\n", "#", "a = {\n"] {
        let found = errors(&mistake.repeat(50_000));
        assert!(
            (1..=200).contains(&found.len()),
            "{mistake}: {}",
            found.len()
        );
    }
    assert!(
        errors(&"1 +\n1\n".repeat(200))
            .concat()
            .contains("limit: errors, 100")
    );
    let found = errors(&" ".repeat(FILE_BYTES_MAX + 1));
    assert!(found[0].contains("limit: file size"), "{found:?}");
}
