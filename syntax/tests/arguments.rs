//! Blocks into arguments, through the derives, as a component sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syntax::eval::EmptyScope;
use syntax::stdlib::{Library, System};
use syntax::{
    Arguments, BlockEnum, Diagnostics, Evaluator, Exports, FieldKind, Keyword, Object,
    OptionalSecret, Scope, SourceFile, Value, decode, parse,
};

#[derive(Keyword, Clone, Copy, Debug, PartialEq)]
enum Compression {
    #[keyword("gzip", "gz")]
    Gzip,
    Zstd,
    None,
}

/// How to connect.
#[derive(Arguments, Clone, Debug, PartialEq)]
struct Client {
    /// Where to send to.
    #[attr]
    endpoint: String,
    #[attr(default = "10s")]
    timeout: Duration,
    #[attr(default = Compression::Gzip)]
    compression: Compression,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Queue {
    #[attr(default = 1000)]
    size: u32,
    #[attr(default)]
    blocking: bool,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Rule {
    #[label]
    label: String,
    #[attr(name = "type")]
    kind: Option<String>,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Json {
    #[attr]
    expressions: BTreeMap<String, String>,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Match {
    #[attr]
    selector: String,
    #[stages(prefix = "stage")]
    stages: Vec<Stage>,
}

#[derive(BlockEnum, Clone, Debug, PartialEq)]
enum Stage {
    /// Takes values out of a line.
    #[block("json")]
    Json(Json),
    Match(Match),
}

/// Sends things.
#[derive(Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
struct Example {
    #[squash]
    client: Client,
    #[attr]
    headers: Option<BTreeMap<String, OptionalSecret>>,
    #[attr(default = ["a", "b"])]
    names: Vec<String>,
    #[block(default)]
    queue: Queue,
    #[block(name = "rule")]
    rules: Vec<Rule>,
    #[stages(prefix = "stage")]
    stages: Vec<Stage>,
}

impl Example {
    fn check(&self) -> Result<(), (&'static str, String)> {
        match self.names.len() {
            0 => Err(("names", "needs at least one name".to_owned())),
            _ => Ok(()),
        }
    }
}

fn with_scope(text: &str, scope: &dyn Scope) -> (Option<Example>, Diagnostics) {
    let source = SourceFile::new("config.alloy", format!("example \"x\" {{\n{text}\n}}\n"));
    let (file, diagnostics) = parse(&source);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let library = Library::new(Arc::new(System), "1.0.0");
    let evaluator = Evaluator::new(&source, scope, &library);
    let block = file.body.blocks().next().expect("the block");
    let mut decoder = syntax::Decoder::new(block, &evaluator).ignoring_label();
    let example = Example::decode(&block.body, &mut decoder);
    (example, decoder.finish())
}

fn good(text: &str) -> Example {
    let (example, diagnostics) = with_scope(text, &EmptyScope);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    example.expect("arguments")
}

fn errors(text: &str) -> Vec<String> {
    let (example, diagnostics) = with_scope(text, &EmptyScope);
    assert_eq!(example, None);
    let shown = |d: &syntax::Diagnostic| {
        let at = d.file.position(d.span.start);
        format!("{}:{} {}", at.line - 1, at.column, d.message)
    };
    diagnostics.iter().map(shown).collect()
}

#[test]
fn what_is_missing_has_its_default() {
    let example = good("endpoint = \"e:4317\"");
    assert_eq!(example.client.timeout, Duration::from_secs(10));
    assert_eq!(example.client.compression, Compression::Gzip);
    assert_eq!(example.headers, None);
    assert_eq!(example.names, ["a", "b"]);
    assert_eq!(
        example.queue,
        Queue {
            size: 1000,
            blocking: false
        }
    );
    assert!(example.rules.is_empty() && example.stages.is_empty());
}

#[test]
fn everything_is_decoded_in_its_place_and_order() {
    let example = good(
        "endpoint = \"a\" + \"b\"\ntimeout = \"1m\"\ncompression = \"none\"\nheaders = { \"x-y\" = \"1\" }\n\
         names = [\"n\"]\nqueue { size = \"5\" }\nrule \"one\" { type = \"t\" }\nrule \"two\" { }\n\
         stage.match {\n selector = \"s\"\n stage.json { expressions = { } }\n}\nstage.json { expressions = { a = \"b\" } }",
    );
    assert_eq!(example.client.endpoint, "ab");
    assert_eq!(example.client.timeout, Duration::from_mins(1));
    assert_eq!(example.client.compression, Compression::None);
    let headers = example.headers.expect("headers");
    assert_eq!(headers["x-y"], OptionalSecret::plain("1"));
    assert_eq!(example.queue.size, 5);
    let labels: Vec<&str> = example
        .rules
        .iter()
        .map(|rule| rule.label.as_str())
        .collect();
    assert_eq!(labels, ["one", "two"]);
    assert_eq!(example.rules[0].kind.as_deref(), Some("t"));
    assert!(matches!(&example.stages[0], Stage::Match(inner) if inner.stages.len() == 1));
    assert!(matches!(&example.stages[1], Stage::Json(_)));
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let text = "timeout = \"10\"\ntimeout = \"5s\"\nendpiont = \"x\"\nqueue = 5\nheaders { }\n\
                compression = \"gzp\"\nqueue { size = -1 }\nqueue { }\nrule { }\nrool \"x\" { }\n\
                names = [\"a\", true]\nstage.json \"l\" { expressions = 5 }\nstage.match { }";
    let mut found = errors(text);
    found.sort_by_key(|shown| {
        shown
            .split(':')
            .next()
            .and_then(|line| line.parse::<u32>().ok())
    });
    let expected = [
        "0:1 missing required attribute \"endpoint\" in block \"example\"",
        "1:11 timeout is a duration without a unit: \"10\"; write \"10s\"?",
        "2:1 attribute \"timeout\" may only be given once",
        "3:1 unknown attribute \"endpiont\" in block \"example\"",
        "4:1 \"queue\" must be a block, but is used as an attribute",
        "5:1 \"headers\" must be an attribute, but is used as a block",
        "6:15 compression should be one of \"gzip\", \"zstd\", \"none\", got \"gzp\"; did you mean \"gzip\"?",
        "7:16 size should be from 0 to 4294967295, got -1",
        "8:1 block \"queue\" may only be given once",
        "9:1 block \"rule\" needs a label",
        "10:1 unknown block \"rool\" in block \"example\"",
        "11:15 names[1] should be string, got bool",
        "12:12 block \"stage.json\" has no label",
        "12:32 expressions should be object, got number",
        "13:1 missing required attribute \"selector\" in block \"stage.match\"",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_validation_points_at_its_field() {
    assert_eq!(
        errors("endpoint = \"e\"\nnames = []"),
        ["2:9 names needs at least one name"]
    );
}

#[test]
fn what_is_unknown_is_no_error_and_hides_none() {
    let scope: Object = [("u".to_owned(), Value::Unknown)].into_iter().collect();
    let (example, diagnostics) = with_scope("endpoint = u.a.b\nnames = [u[0] + 1]", &scope);
    assert_eq!(example, None);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let (example, diagnostics) = with_scope("endpoint = u\ntimeout = 5\nx = u", &scope);
    assert_eq!(
        (example, diagnostics.len()),
        (None, 2),
        "{}",
        diagnostics.render()
    );
}

#[test]
fn a_block_decodes_with_its_label() {
    let source = SourceFile::new("f", "rule \"r\" { }");
    let (file, _) = parse(&source);
    let library = Library::new(Arc::new(System), "");
    let evaluator = Evaluator::new(&source, &EmptyScope, &library);
    let block = file.body.blocks().next().expect("the block");
    let (rule, _) = decode::<Rule>(block, &evaluator);
    assert_eq!(
        rule,
        Some(Rule {
            label: "r".to_owned(),
            kind: None
        })
    );
}

#[test]
fn the_schema_says_everything() {
    let schema = Example::schema();
    assert_eq!(schema.doc, "Sends things.");
    let names: Vec<&str> = schema
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let expected = [
        "endpoint",
        "timeout",
        "compression",
        "headers",
        "names",
        "queue",
        "rule",
        "stage.json",
        "stage.match",
    ];
    assert_eq!(names, expected);
    let field = |name| schema.field(name).expect("a field");
    assert!(field("endpoint").required && field("endpoint").doc == "Where to send to.");
    assert_eq!(field("timeout").default.as_deref(), Some("\"10s\""));
    assert_eq!(field("timeout").type_name, "duration");
    assert_eq!(field("compression").default.as_deref(), Some("\"gzip\""));
    assert_eq!(field("compression").keywords, ["gzip", "zstd", "none"]);
    assert_eq!(field("headers").type_name, "map(secret or string)");
    assert_eq!(field("names").default.as_deref(), Some("[\"a\", \"b\"]"));
    let FieldKind::Block { schema, group, .. } = field("stage.match").kind else {
        panic!("a block");
    };
    assert_eq!(group, Some("stages"));
    assert!(
        schema().field("stage.match").is_some(),
        "a stage contains stages"
    );
    assert_eq!(field("stage.json").doc, "Takes values out of a line.");
}

#[derive(Exports)]
struct Content {
    /// The text.
    #[attr]
    content: OptionalSecret,
    #[attr(name = "size")]
    length: u64,
}

#[test]
fn exports_become_an_object() {
    let exports = Content {
        content: OptionalSecret::plain("x"),
        length: 1,
    };
    assert_eq!(
        exports.to_object().to_string(),
        "{ content = \"x\", size = 1 }"
    );
    assert_eq!(Content::schema().fields[0].doc, "The text.");
}
