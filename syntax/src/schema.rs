//! What a block may contain, as data: the reference page and completion are made of it.

use crate::decode::{Arguments, BlockEnum, Variant, stage_name};
use crate::value::{FromValue, Value};

/// The fields of a block or of exports.
#[derive(Clone, Debug)]
pub struct Schema {
    /// What the block is for: the doc comment of its type.
    pub doc: &'static str,
    /// The fields, in the order in which they are declared.
    pub fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name as it is written in a file, with dots.
    pub name: String,
    /// Whether it is an attribute, a block or the label.
    pub kind: FieldKind,
    /// The name of its type: `string`, `list(secret)`; empty for a block.
    pub type_name: String,
    /// Whether it must be there.
    pub required: bool,
    /// The value that stands in for it, as it would be written in a file.
    pub default: Option<String>,
    /// What it is for: the doc comment of the field.
    pub doc: &'static str,
    /// The words it can be, if those are all.
    pub keywords: &'static [&'static str],
    /// Whether the value is the path of a file that is read.
    pub names_file: bool,
    /// The value of the field as it may be shown: with secrets hidden.
    pub shown: fn(&Value) -> Value,
}

/// What a field is.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// `name = value`
    Attribute,
    /// `name { ... }`
    Block {
        /// What the block may contain. A function, since a block may contain itself.
        schema: fn() -> &'static Schema,
        /// Whether there may be more than one.
        repeated: bool,
        /// How many there must be at least.
        min: usize,
        /// The blocks of one group stand in one list, in the order of the file.
        group: Option<&'static str>,
    },
    /// The label of the block.
    Label,
}

// === impl Schema ===

impl Schema {
    /// The field of a name; labels have none.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let named = |field: &&Field| !matches!(field.kind, FieldKind::Label) && field.name == name;
        self.fields.iter().find(named)
    }

    /// Whether the block has a label.
    pub fn has_label(&self) -> bool {
        self.fields
            .iter()
            .any(|field| matches!(field.kind, FieldKind::Label))
    }
}

// === impl Field ===

impl Field {
    /// An attribute of a type; the default as it would be written in a file.
    pub fn attribute<T: FromValue>(
        name: &str,
        doc: &'static str,
        required: bool,
        default: Option<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind: FieldKind::Attribute,
            type_name: T::type_name(),
            required,
            default,
            doc,
            keywords: T::keywords(),
            names_file: false,
            shown: T::shown,
        }
    }

    /// A block that there may be only one of, or from some number on.
    pub fn block<T: Arguments>(name: &str, doc: &'static str, repeated: bool, min: usize) -> Self {
        let kind = FieldKind::Block {
            schema: T::schema,
            repeated,
            min,
            group: None,
        };
        Self {
            kind,
            required: min > 0,
            ..Self::untyped(name, doc)
        }
    }

    /// The label of the block.
    pub fn label(name: &str, doc: &'static str) -> Self {
        let (kind, type_name) = (FieldKind::Label, "string".to_owned());
        Self {
            kind,
            type_name,
            required: true,
            ..Self::untyped(name, doc)
        }
    }

    /// The blocks of a group, each by its full name.
    pub fn stages<T: BlockEnum>(group: &'static str, prefix: &str) -> Vec<Self> {
        let stage = |variant: &Variant| {
            let (schema, group) = (variant.schema, Some(group));
            let kind = FieldKind::Block {
                schema,
                repeated: true,
                min: 0,
                group,
            };
            Self {
                kind,
                ..Self::untyped(&stage_name(prefix, variant.name), variant.doc)
            }
        };
        T::variants().iter().map(stage).collect()
    }

    fn untyped(name: &str, doc: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind: FieldKind::Label,
            type_name: String::new(),
            required: false,
            default: None,
            doc,
            keywords: &[],
            names_file: false,
            shown: Value::clone,
        }
    }

    /// Whether it is a block.
    pub fn is_block(&self) -> bool {
        matches!(self.kind, FieldKind::Block { .. })
    }
}
