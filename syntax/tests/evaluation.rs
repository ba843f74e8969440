//! Expressions and what they come to: operators, access, the standard library, limits.

use std::sync::Arc;

use syntax::stdlib::{Environment, Library};
use syntax::{
    Capsule, CapsuleValue, Evaluator, Limits, Object, OptionalSecret, Secret, SourceFile, Value,
    parse_expression,
};

struct Machine;

impl Environment for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".to_owned())
    }

    fn hostname(&self) -> Option<String> {
        Some("node-1".to_owned())
    }
}

#[derive(Debug)]
struct Target(&'static str);

impl CapsuleValue for Target {
    fn type_name(&self) -> &'static str {
        "Target"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other
            .as_any()
            .downcast_ref::<Self>()
            .is_some_and(|other| self.0 == other.0)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn to_object(&self) -> Option<Object> {
        Some([("job".to_owned(), self.0.into())].into_iter().collect())
    }
}

fn scope() -> Object {
    let secret = Value::Secret(Secret::new("s3cret"));
    [
        ("secret".to_owned(), secret),
        (
            "hidden".to_owned(),
            Value::OptionalSecret(OptionalSecret::secret("h1dden")),
        ),
        (
            "plain".to_owned(),
            Value::OptionalSecret(OptionalSecret::plain("p")),
        ),
        ("unknown".to_owned(), Value::Unknown),
        (
            "target".to_owned(),
            Value::Capsule(Capsule::new(Arc::new(Target("api")))),
        ),
        ("list".to_owned(), Value::array([1i64.into(), 2i64.into()])),
        (
            "map".to_owned(),
            Value::object([("a", Value::from("x")), ("b", Value::Null)]),
        ),
    ]
    .into_iter()
    .collect()
}

fn eval_within(text: &str, limits: Limits) -> Result<Value, String> {
    let source = SourceFile::new("t", text);
    let (expr, diagnostics) = parse_expression(&source);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let library = Library::new(Arc::new(Machine), "1.2.3");
    let scope = scope();
    let evaluator = Evaluator::new(&source, &scope, &library).with_limits(limits);
    evaluator.evaluate(&expr).map_err(|error| {
        assert!(error.span.end as usize <= text.len() && error.span.start < error.span.end);
        format!("{}: {}", source.slice(error.span), error.message)
    })
}

fn eval(text: &str) -> Result<Value, String> {
    eval_within(text, Limits::default())
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let shown = eval(text).map(|value| value.to_string());
        assert_eq!(shown.as_deref(), Ok(*expected), "{text}");
    }
}

fn refuse(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = eval(text).expect_err(text);
        assert_eq!(error, *expected, "{text}");
    }
}

#[test]
fn operators_have_their_precedence_and_kinds() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 ^ 2", "4"),
        ("2 ^ 3 ^ 2", "512"),
        ("2 ^ -1", "2"),
        ("1 ^ -1", "1"),
        ("0 ^ -1", "0"),
        ("2.0 ^ -1", "0.5"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7.0 / 2", "3.5"),
        ("7 % 3 + 7.5 % 2", "2.5"),
        ("9223372036854775807 + 1", "-9223372036854775808"),
        ("9223372036854775808 + 1.0", "9223372036854776000"),
        ("18446744073709551615 - 1 == -2", "true"),
        ("5.0 == 10 / 2", "true"),
        ("\"1\" == 1", "false"),
        ("\"a\" < \"b\" && 1 <= 1.0", "true"),
        ("true || false == false", "true"),
        ("!true || true", "true"),
        ("- - 1 - -1", "2"),
        ("[1, {a = 2}] == [1.0, {\"a\" = 2}]", "true"),
        ("null == null && [] != {}", "true"),
        ("coalesce == coalesce", "false"),
        ("target == target", "true"),
        ("\"a\" + \"b\"", "\"ab\""),
        ("010 + 08", "16"),
    ]);
    refuse(&[
        (
            "1 + \"a\"",
            "\"a\": \"a\" should be number, as on the left, got string",
        ),
        (
            "true + 1",
            "true: true should be number, string or secret for `+`, got bool",
        ),
        ("1 && true", "1: 1 should be bool for `&&`, got number"),
        ("1 / 0", "0: 0 is zero, and nothing can be divided by zero"),
        (
            "1 % 0.0",
            "0.0: 0.0 is zero, and nothing can be divided by zero",
        ),
        (
            "[] < []",
            "[]: [] should be number or string for `<`, got array",
        ),
        ("-\"a\"", "\"a\": \"a\" should be number, got string"),
        ("!1", "1: 1 should be bool, got number"),
        ("1e999", "1e999: the number is too large"),
        (
            "\"\\xff\"",
            "\"\\xff\": the string's bytes are not valid UTF-8",
        ),
        // Both sides are evaluated.
        (
            "true || nothing",
            "nothing: identifier \"nothing\" does not exist",
        ),
    ]);
}

#[test]
fn fields_and_elements_are_found_or_not() {
    check(&[
        ("list[1]", "2"),
        ("list[1.9]", "2"),
        ("map.a", "\"x\""),
        ("map[\"a\"]", "\"x\""),
        ("map[\"missing\"]", "null"),
        ("{a = {b = [5]}}.a.b[0]", "5"),
        ("{\"a.b\" = 1}[\"a.b\"]", "1"),
        ("target.job", "\"api\""),
        ("target[\"none\"]", "null"),
    ]);
    refuse(&[
        (
            "list[2]",
            "2: index 2 is out of range of the array, which has 2 elements",
        ),
        (
            "list[-1]",
            "-1: index -1 is out of range of the array, which has 2 elements",
        ),
        ("list[\"a\"]", "\"a\": \"a\" should be number, got string"),
        ("map[0]", "0: 0 should be string, got number"),
        ("map.missing", "missing: field \"missing\" does not exist"),
        (
            "list.a",
            "list.a: cannot access field \"a\" of list, which is array",
        ),
        ("1[0]", "1: 1 should be array or object, got number"),
        ("map.a()", "map.a: map.a should be function, got string"),
        ("lst", "lst: identifier \"lst\" does not exist"),
    ]);
}

#[test]
fn secrets_taint_what_they_touch() {
    check(&[
        ("secret", "(secret)"),
        ("secret + \"x\"", "(secret)"),
        ("\"x\" + hidden", "(secret)"),
        ("plain + \"x\"", "\"px\""),
        ("hidden + plain", "(secret)"),
        ("string.format(\"Bearer %s\", secret)", "(secret)"),
        (
            "convert.nonsensitive(\"Bearer \" + secret)",
            "\"Bearer s3cret\"",
        ),
        ("encoding.to_json({a = [secret]})", "(secret)"),
        (
            "convert.nonsensitive(encoding.to_json({a = [secret], b = plain}))",
            "\"{\\\"a\\\":[\\\"s3cret\\\"],\\\"b\\\":\\\"p\\\"}\"",
        ),
        ("secret == \"s3cret\"", "true"),
        ("string.to_upper(plain)", "\"P\""),
        ("[secret, {a = hidden}]", "[(secret), { a = (secret) }]"),
    ]);
    for text in [
        "string.to_upper(secret)",
        "encoding.from_json(encoding.to_json({a = secret}))",
        "secret + 1",
    ] {
        let error = eval(text).expect_err(text);
        assert!(
            error.contains("a secret") && !error.contains("s3cret"),
            "{error}"
        );
    }
}

#[test]
fn the_unknown_spreads() {
    check(&[
        ("unknown", "(unknown)"),
        ("unknown.a.b[0](1)", "(unknown)"),
        ("1 + unknown", "(unknown)"),
        ("unknown == unknown", "(unknown)"),
        ("-unknown", "(unknown)"),
        ("list[unknown]", "(unknown)"),
        ("[1, unknown]", "[1, (unknown)]"),
        ("string.join([\"a\", unknown], \",\")", "(unknown)"),
    ]);
    refuse(&[(
        "string.join(unknown)",
        "string.join(unknown): string.join takes 2 arguments, got 1",
    )]);
}

#[test]
fn the_library_works_as_alloys_does() {
    check(&[
        ("sys.env(\"HOME\") + env(\"none\")", "\"/root\""),
        ("constants.hostname", "\"node-1\""),
        ("constants.version", "\"v1.2.3\""),
        ("coalesce()", "null"),
        ("coalesce(null, \"\", 0, [], {}, false, \"x\")", "\"x\""),
        ("coalesce(\"\", 0)", "0"),
        ("array.concat()", "[]"),
        ("array.concat([1], [], [\"a\"])", "[1, \"a\"]"),
        ("concat([1])", "[1]"),
        (
            "array.combine_maps([{a = 1, b = 2}], [{a = 1, b = 3, c = 4}, {a = 2}], [\"a\"])",
            "[{ a = 1, b = 3, c = 4 }]",
        ),
        (
            "array.combine_maps([{a = \"x\"}, {a = \"y\"}, {}], [{a = \"y\", n = 1}, {}, {a = \"y\", n = 2}], [\"a\"])",
            "[{ a = \"y\", n = 1 }, { a = \"y\", n = 2 }]",
        ),
        (
            "array.combine_maps([{a = \"p\"}], [{a = \"x\"}, {a = plain}], [\"a\"])",
            "[{ a = \"p\" }]",
        ),
        (
            "array.combine_maps([{a = 1}], [{a = 2}, {a = 3}], [\"a\"], true)",
            "[{ a = 1 }, { a = 1 }]",
        ),
        (
            "array.combine_maps([target], [{job = \"api\", x = 1}], [\"job\"])",
            "[{ job = \"api\", x = 1 }]",
        ),
        (
            "array.group_by([{k = \"a\", n = 1}, {n = 2}, {k = \"a\", n = 3}], \"k\", true)",
            "[{ k = \"a\", items = [{ k = \"a\", n = 1 }, { k = \"a\", n = 3 }] }]",
        ),
        (
            "encoding.from_json(\"{\\\"b\\\": [1, null, true], \\\"a\\\": 1.5}\")",
            "{ b = [1, null, true], a = 1.5 }",
        ),
        (
            "encoding.to_json({b = 1, a = [\"<x>\", 1.5, 1e21, 1e-7], c = target})",
            "\"{\\\"a\\\":[\\\"\\\\u003cx\\\\u003e\\\",1.5,1e+21,1e-7],\\\"b\\\":1,\\\"c\\\":{\\\"job\\\":\\\"api\\\"}}\"",
        ),
        ("encoding.from_base64(\"aGk=\")", "\"hi\""),
        (
            "encoding.to_base64(\"~~~\") + encoding.to_URLbase64(\"???\")",
            "\"fn5+Pz8_\"",
        ),
        ("encoding.from_URLbase64(\"Pz8_\")", "\"???\""),
        ("encoding.url_encode(\"a b/ü~\")", "\"a+b%2F%C3%BC~\""),
        ("encoding.url_decode(\"a+b%2F%C3%BC\")", "\"a b/ü\""),
        ("json_path(\"{\\\"a\\\": [1, 2.5]}\", \".a\")[0][1]", "2.5"),
        ("file.path_join(\"/a\", \"..\", \"b\")", "\"/b\""),
        ("string.join([\"a\", 1], \"-\")", "\"a-1\""),
        ("replace(\"abc\", \"\", \"-\")", "\"-a-b-c-\""),
        ("split(\"a,b\", \",\")", "[\"a\", \"b\"]"),
        ("split(\"é1\", \"\")", "[\"é\", \"1\"]"),
        ("split(\"\", \",\")", "[\"\"]"),
        (
            "to_upper(\"straße ᾳ\") + to_lower(\"İΣ\")",
            "\"STRAßE ᾼiσ\"",
        ),
        (
            "trim(\"--a-\", \"-\") + trim_prefix(\"aab\", \"a\") + trim_suffix(\"abb\", \"b\")",
            "\"aabab\"",
        ),
        ("trim_space(\"\\t a \\u00a0\")", "\"a\""),
        (
            "string.format(\"%v|%5.2f|%q|%x|%t|%#v\", [1, \"a\"], 3.14159, \"é\", 255, true, {a = null})",
            "\"[1 a]| 3.14|\\\"é\\\"|ff|true|map[string]interface {}{\\\"a\\\":interface {}(nil)}\"",
        ),
        (
            "string.format(\"%.70000f\", 0.5) == \"0.5\" + string.format(\"%069999d\", 0)",
            "true",
        ),
        (
            "string.replace(string.format(\"%.70000g\", 0.1), \"0\", \"\")",
            "\".155511151231257827211815834454115625\"",
        ),
        (
            "string.format(\"%x|%X|%b|%.1x|%#x|%08x\", 1.5, 0.0, 0.1, 1.97, 3.0, 2.5)",
            "\"0x1.8p+00|0X0P+00|7205759403792794p-56|0x1.0p+01|0x1.8000p+01|0x1.4p+01\"",
        ),
        ("string.format(\"%x\", 4.9e-324)", "\"0x1p-1074\""),
        (
            "string.format(\"%*d\", -9223372036854775808, 1)",
            "\"%!(BADWIDTH)1\"",
        ),
        ("coalesce(-0.0, \"x\")", "\"x\""),
        (
            "encoding.from_yaml(\"a: 1\\nb: [yes, 0x10, 2001-12-14]\")",
            "{ a = 1, b = [\"yes\", 16, \"2001-12-14T00:00:00Z\"] }",
        ),
        (
            "format(\"%d %s\", \"x\") + format(\"%%\", 1)",
            "\"%!d(string=x) %!s(MISSING)%%!(EXTRA int=1)\"",
        ),
    ]);
    refuse(&[
        ("array.concat([1], 2)", "2: 2 should be array, got number"),
        (
            "array.combine_maps([], [], [1])",
            "[1]: [1] [0] should be string, got number",
        ),
        (
            "array.combine_maps([], [], null)",
            "null: null should be array, got null",
        ),
        (
            "array.combine_maps([], [], [\"a\"], \"x\")",
            "\"x\": \"x\" should be bool, got string",
        ),
        (
            "array.group_by([], 1, true)",
            "1: 1 should be string, got number",
        ),
        (
            "encoding.from_yaml(\"a: 1\\na: 2\")",
            "\"a: 1\\na: 2\": \"a: 1\\na: 2\" is not YAML that can be decoded: line 2: the key \"a\" is in line 1 already",
        ),
        (
            "encoding.to_json([1])",
            "[1]: [1] should be object, got array",
        ),
        (
            "encoding.from_base64(\"$\")",
            "\"$\": \"$\" is not base64: Invalid symbol 36, offset 0.",
        ),
        (
            "encoding.url_decode(\"%g\")",
            "\"%g\": \"%g\" has the invalid escape \"%g\"",
        ),
        (
            "string.join(\"a\", \",\")",
            "\"a\": \"a\" should be array, got string",
        ),
        (
            "string.join([\"a\", []], \",\")",
            "[\"a\", []]: [\"a\", []] [1] should be string, got array",
        ),
    ]);
}

#[test]
fn every_deprecated_name_has_a_replacement() {
    let library = Library::new(Arc::new(Machine), "");
    let deprecated: Vec<&str> = library
        .names()
        .filter(|name| Library::replacement(name).is_some())
        .collect();
    assert_eq!(deprecated.len(), 16);
    for name in deprecated {
        let replacement = Library::replacement(name).expect("a replacement");
        let Ok(Value::Function(function)) = eval(&replacement) else {
            panic!("{replacement} is no function");
        };
        assert_eq!(function.name(), replacement);
    }
}

#[test]
fn limits_are_named_when_they_are_reached() {
    let double = |text: &str| format!("string.replace({text}, \"a\", \"aaaaaaaaaaaaaaaa\")");
    let mut bomb = "\"aaaaaaaaaaaaaaaa\"".to_owned();
    for _ in 0..8 {
        bomb = double(&bomb);
    }
    let error = eval(&bomb).expect_err("too long a text");
    assert!(error.contains("limit: text, 16777216 bytes"), "{error}");
    let verbs = [
        "%9999999d",
        "%-9999999s",
        "%.9999999f",
        "%.9999999e",
        "%09999999.9999999d",
    ];
    for verb in verbs {
        for argument in ["1", "1.5"] {
            let arguments = [argument; 3].join(", ");
            let result = eval(&format!(
                "string.format(\"{}\", {arguments})",
                verb.repeat(3)
            ));
            let error = result.expect_err("too long a text");
            assert!(error.contains("limit: text"), "{verb} {argument}: {error}");
        }
    }
    let list = "1, ".repeat(10_000);
    let error = eval(&format!("string.format(\"%9999999v\", [{list}])")).expect_err("too long");
    assert!(error.contains("limit: text"), "{error}");
    let steps = Limits {
        steps: 10,
        ..Limits::default()
    };
    let error = eval_within("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", steps).expect_err("too many");
    assert!(error.contains("limit: steps, 10"), "{error}");
    let deep = format!("encoding.from_json(\"{}\")", "[".repeat(100_000));
    let error = eval(&deep).expect_err("too deep");
    assert!(error.contains("limit: nesting, 128"), "{error}");
}
