//! Arguments and exports as the status API shows them: Alloy's JSON form of blocks and values.
//!
//! What is shown is what the file says, evaluated; what it leaves out is not shown. A text in the
//! place of a secret is hidden, wherever it came from.

use serde_json::{Value as Json, json};

use crate::ast::{Body, Statement};
use crate::eval::Evaluator;
use crate::literal::quote;
use crate::schema::{FieldKind, Schema};
use crate::value::{Object, Value};

/// The statements of a body as a JSON array. What does not evaluate, or is not in the schema, is
/// left out.
pub fn body_to_json(body: &Body, schema: &Schema, evaluator: &Evaluator<'_>) -> Json {
    let statement = |statement: &Statement| match statement {
        Statement::Attribute(attribute) => {
            let name = attribute.name.text.as_str();
            let field = schema.field(name)?;
            let value = evaluator.evaluate(&attribute.value).ok()?;
            let value = value_to_json(&(field.shown)(&value));
            Some(json!({ "name": name, "type": "attr", "value": value }))
        }
        Statement::Block(block) => {
            let name = block.name.dotted();
            let FieldKind::Block { schema, .. } = schema.field(&name)?.kind else {
                return None;
            };
            let body = body_to_json(&block.body, schema(), evaluator);
            let mut shown = json!({ "name": name, "type": "block", "body": body });
            if let Some(label) = &block.label {
                shown["label"] = label.text.as_str().into();
            }
            Some(shown)
        }
    };
    Json::Array(body.statements.iter().filter_map(statement).collect())
}

/// Exports, or any object, as a JSON array of attributes.
pub fn object_to_json(object: &Object) -> Json {
    let attribute = |(name, value): (&String, &Value)| json!({ "name": name, "type": "attr", "value": value_to_json(value) });
    Json::Array(object.iter().map(attribute).collect())
}

/// A value as JSON with its type.
pub fn value_to_json(value: &Value) -> Json {
    let (kind, shown) = match value {
        Value::Null => ("null", Json::Null),
        Value::Bool(value) => ("bool", (*value).into()),
        Value::Number(number) => ("number", number.to_f64().into()),
        Value::String(text) => ("string", (**text).into()),
        Value::Array(values) => ("array", values.iter().map(value_to_json).collect()),
        Value::Object(object) => ("object", fields(object)),
        Value::Function(function) => ("function", function.name().into()),
        Value::Secret(_) => ("capsule", "(secret)".into()),
        Value::OptionalSecret(secret) if secret.is_secret => ("capsule", "(secret)".into()),
        Value::OptionalSecret(secret) => ("capsule", quote(secret.expose()).into()),
        Value::Unknown => ("capsule", "(unknown)".into()),
        Value::Capsule(capsule) => match capsule.to_object() {
            Some(object) => ("object", fields(&object)),
            None => (
                "capsule",
                format!("capsule({})", quote(capsule.type_name())).into(),
            ),
        },
    };
    json!({ "type": kind, "value": shown })
}

fn fields(object: &Object) -> Json {
    let field =
        |(key, value): (&String, &Value)| json!({ "key": key, "value": value_to_json(value) });
    object.iter().map(field).collect()
}
