//! Files and what the printer makes of them.

use syntax::{SourceFile, parse, print};

fn printed(text: &str) -> String {
    let (file, diagnostics) = parse(&SourceFile::new("t", text));
    assert!(diagnostics.is_empty(), "{text}\n{}", diagnostics.render());
    print(&file)
}

#[test]
fn files_are_printed_in_the_one_layout() {
    let table = [
        // Nothing, and nothing but comments.
        ("", "\n"),
        ("\n\n", "\n"),
        ("// a\n\n\n\n// b\n", "// a\n\n// b\n"),
        ("/* a */ /* b */", "/* a */ /* b */\n"),
        // Attributes align while nothing breaks the run.
        ("a=1\nbbb  =2", "a   = 1\nbbb = 2\n"),
        ("a=1\n\nbbb=2", "a = 1\n\nbbb = 2\n"),
        ("a=1\n// c\nbbb=2", "a = 1\n// c\nbbb = 2\n"),
        ("a = [\n1,\n]\nbbb = 2", "a = [\n\t1,\n]\nbbb = 2\n"),
        (
            "a = 1 // x\nbbb = 22   // y\n",
            "a   = 1  // x\nbbb = 22 // y\n",
        ),
        // Blocks stand apart.
        (
            "a = 1\nb{}\nc \"l\"{d=1}",
            "a = 1\n\nb { }\n\nc \"l\" {\n\td = 1\n}\n",
        ),
        (
            "a.b \"\" {\n\n\nc = 1\n\n\n\nd = 2\n\n}\n",
            "a.b {\n\tc = 1\n\n\td = 2\n}\n",
        ),
        (
            "a { // x\n// y\nb = 1 // z\n// w\n}\n// v",
            "a { // x\n\t// y\n\tb = 1 // z\n\t// w\n}\n// v\n",
        ),
        ("a {\n\n// only\n\n}", "a {\n\n\t// only\n\n}\n"),
        // Lists and objects keep their lines.
        ("a = [1,2,  3]", "a = [1, 2, 3]\n"),
        ("a = [1,\n2, 3]", "a = [1,\n\t2, 3]\n"),
        ("a = [1,\n2,\n]", "a = [1,\n\t2,\n]\n"),
        (
            "a = [\n// c\n1, // d\n\n// e\n]",
            "a = [\n\t// c\n\t1, // d\n\n\t// e\n]\n",
        ),
        ("a = {b=1,\"c-d\"=2}", "a = {b = 1, \"c-d\" = 2}\n"),
        (
            "a = {\nb=1,\n\"ccc\"=2,\n}",
            "a = {\n\tb     = 1,\n\t\"ccc\" = 2,\n}\n",
        ),
        ("a = {b = [\n1,\n]}", "a = {b = [\n\t\t1,\n\t],\n}\n"),
        (
            "a = {`b` = 1, `c\"` = 2, \"d\\\"\" = 3}",
            "a = {\"b\" = 1, `c\"` = 2, \"d\\\"\" = 3}\n",
        ),
        // Expressions.
        (
            "a = ( 1+2 )*-b [ 0 ].c( d,e )",
            "a = (1 + 2) * -b[0].c(d, e)\n",
        ),
        ("a = b(\nc,\nd,\n)", "a = b(\n\tc,\n\td,\n)\n"),
        ("a = 1 .b", "a = 1 .b\n"),
        ("a = 1 +\n2", "a = 1 + 2\n"),
        ("a = /* x */ 1 /* y */ + 2", "a = /* x */ 1 /* y */ + 2\n"),
        // Raw strings stay what they are.
        ("a = `x\n  y`\nbbb = 1", "a = `x\n  y`\nbbb = 1\n"),
        ("\u{feff}a=1\r\nb = `x\r\ny`\r\n", "a = 1\nb = `x\r\ny`\n"),
    ];
    for (text, expected) in table {
        assert_eq!(printed(text), expected, "{text:?}");
        assert_eq!(printed(expected), expected, "again: {text:?}");
    }
}

#[test]
fn printing_never_changes_a_string() {
    // Blanks at line ends, tabs between words, tabs below a long name: layout anywhere else.
    let text = "block {\n\ta_long_name = `x  \n\t\ty\tz\t\n\t\t\tw`\n\tb = \"p\tq\"\n\tccccccccccc = [1, `\t\n`]\n}\n";
    let expected = "block {\n\ta_long_name = `x  \n\t\ty\tz\t\n\t\t\tw`\n\tb           = \"p\tq\"\n\tccccccccccc = [1, `\t\n`]\n}\n";
    assert_eq!(printed(text), expected);
    assert_eq!(printed(expected), expected);
}
