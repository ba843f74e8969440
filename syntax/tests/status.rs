//! The status API's form of arguments and exports, and that no secret is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use syntax::stdlib::{Library, System};
use syntax::{
    Arguments, Evaluator, Object, OptionalSecret, Secret, SourceFile, Value, parse, status,
};

#[derive(Arguments)]
#[expect(dead_code, reason = "only the schema is looked at")]
struct Client {
    #[attr]
    password: Secret,
    #[attr]
    old_passwords: Option<Vec<Secret>>,
    #[attr]
    headers: Option<BTreeMap<String, OptionalSecret>>,
    #[attr]
    timeout: Option<f64>,
}

#[derive(Arguments)]
#[expect(dead_code, reason = "only the schema is looked at")]
struct Example {
    #[attr]
    names: Vec<String>,
    #[block]
    client: Client,
}

#[test]
fn arguments_are_shown_with_their_secrets_hidden() {
    let text = "names = [\"a\", null]\nunknown = 1\nclient {\n\tpassword = \"s3cret\"\n\told_passwords = \
                [\"s3cret\"]\n\theaders = { a = \"b\", c = key }\n\ttimeout = 1 + 1\n}\n";
    let source = SourceFile::new("t", text);
    let (file, _) = parse(&source);
    let library = Library::new(Arc::new(System), "");
    let key = Value::Secret(Secret::new("s3cret"));
    let scope: Object = [("key".to_owned(), key)].into_iter().collect();
    let evaluator = Evaluator::new(&source, &scope, &library);
    let shown = status::body_to_json(&file.body, Example::schema(), &evaluator);
    let secret = json!({ "type": "capsule", "value": "(secret)" });
    let expected = json!([
        { "name": "names", "type": "attr", "value": { "type": "array", "value": [
            { "type": "string", "value": "a" }, { "type": "null", "value": null },
        ] } },
        { "name": "client", "type": "block", "body": [
            { "name": "password", "type": "attr", "value": secret },
            { "name": "old_passwords", "type": "attr", "value": { "type": "array", "value": [secret] } },
            { "name": "headers", "type": "attr", "value": { "type": "object", "value": [
                { "key": "a", "value": { "type": "capsule", "value": "\"b\"" } },
                { "key": "c", "value": secret },
            ] } },
            { "name": "timeout", "type": "attr", "value": { "type": "number", "value": 2.0 } },
        ] },
    ]);
    assert_eq!(shown, expected);
    assert!(!shown.to_string().contains("s3cret"));
}

#[test]
fn exports_are_shown_as_attributes() {
    let exports: Object = [("content".to_owned(), Value::from("x"))]
        .into_iter()
        .collect();
    let expected = json!([
        { "name": "content", "type": "attr", "value": { "type": "string", "value": "x" } },
    ]);
    assert_eq!(status::object_to_json(&exports), expected);
}
