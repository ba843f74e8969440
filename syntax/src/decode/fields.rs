//! The statements of a block, sorted by the fields they fill.
//!
//! The derive calls one function here for each field of the struct. What does not fit the schema
//! is reported when the block is opened, before any expression is evaluated.

use std::collections::HashMap;

use super::{Arguments, BlockEnum, Decoder};
use crate::ast::{Attribute, Block, Body, Expr, Statement};
use crate::diagnostic::Diagnostic;
use crate::schema::{Field, FieldKind, Schema};
use crate::source::Span;
use crate::suggest;
use crate::value::{FromValue, Step, Value, ValueError};

/// The statements of a block, by name.
pub struct Fields<'f, 'a> {
    decoder: &'f mut Decoder<'a>,
    attributes: HashMap<&'f str, &'f Attribute>,
    /// In the order of the file.
    blocks: Vec<(String, &'f Block)>,
}

/// What a validation says about arguments: which field is wrong, if it is one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    field: Option<String>,
    message: String,
}

// === impl Invalid ===

impl From<String> for Invalid {
    fn from(message: String) -> Self {
        Self {
            field: None,
            message,
        }
    }
}

impl From<&str> for Invalid {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl<F: Into<String>, M: Into<String>> From<(F, M)> for Invalid {
    fn from((field, message): (F, M)) -> Self {
        Self {
            field: Some(field.into()),
            message: message.into(),
        }
    }
}

// === impl Fields ===

impl<'f, 'a> Fields<'f, 'a> {
    /// Sorts the statements of a block and reports those that the schema does not have.
    pub fn open(body: &'f Body, schema: &Schema, decoder: &'f mut Decoder<'a>) -> Self {
        let mut fields = Self {
            decoder,
            attributes: HashMap::new(),
            blocks: Vec::new(),
        };
        fields.check_label(schema);
        for statement in &body.statements {
            match statement {
                Statement::Attribute(attribute) => fields.add_attribute(attribute, schema),
                Statement::Block(block) => fields.add_block(block, schema),
            }
        }
        fields
    }

    /// Whether anything was wrong with the block.
    pub fn close(self) -> bool {
        self.decoder.diagnostics.has_errors()
    }

    fn check_label(&mut self, schema: &Schema) {
        if let (Some(label), false) = (self.decoder.label, schema.has_label()) {
            let message = format!("block {:?} has no label", self.decoder.name);
            self.decoder.error(label.span, message);
        }
    }

    fn add_attribute(&mut self, attribute: &'f Attribute, schema: &Schema) {
        let name = attribute.name.text.as_str();
        let Some(field) = schema.field(name) else {
            let known = schema.fields.iter().filter(|field| !field.is_block());
            return self.unknown("attribute", name, attribute.name.span, known);
        };
        if field.is_block() {
            let message = format!("{name:?} must be a block, but is used as an attribute");
            let note = format!("help: write `{name} {{ ... }}`");
            return self.report(attribute.span(), message, Some(note));
        }
        if let Some(first) = self.attributes.get(name) {
            let line = self.line(first.name.span);
            let message = format!("attribute {name:?} may only be given once");
            let note = format!("note: it is first given in line {line}");
            return self.report(attribute.name.span, message, Some(note));
        }
        self.attributes.insert(name, attribute);
    }

    fn add_block(&mut self, block: &'f Block, schema: &Schema) {
        let name = block.name.dotted();
        let Some(field) = schema.field(&name) else {
            let known = schema.fields.iter().filter(|field| field.is_block());
            return self.unknown("block", &name, block.name.span(), known);
        };
        let FieldKind::Block { repeated, .. } = field.kind else {
            let message = format!("{name:?} must be an attribute, but is used as a block");
            let note = format!("help: write `{name} = ...`");
            return self.report(block.header(), message, Some(note));
        };
        // Blocks that repeat may be many: no search through those before each.
        let first = if repeated {
            None
        } else {
            self.named(&name).first().copied()
        };
        if let Some(first) = first {
            let line = self.line(first.span);
            let message = format!("block {name:?} may only be given once");
            let note = format!("note: it is first given in line {line}");
            return self.report(block.header(), message, Some(note));
        }
        self.blocks.push((name, block));
    }

    fn unknown<'s>(
        &mut self,
        kind: &str,
        name: &str,
        span: Span,
        known: impl Iterator<Item = &'s Field>,
    ) {
        let known: Vec<&str> = known.map(|field| field.name.as_str()).collect();
        let help = suggest::did_you_mean(name, known.iter().copied());
        let help = help.or_else(|| match known.len() {
            0 => Some(format!(
                "note: block {:?} has no {kind}s",
                self.decoder.name
            )),
            1..=12 => Some(format!("note: there are {}", known.join(", "))),
            _ => None,
        });
        let message = format!("unknown {kind} {name:?} in block {:?}", self.decoder.name);
        self.report(span, message, help);
    }

    fn missing(&mut self, kind: &str, name: &str) {
        let message = format!(
            "missing required {kind} {name:?} in block {:?}",
            self.decoder.name
        );
        self.decoder.error(self.decoder.header, message);
    }

    /// The value of an attribute that must be there.
    pub fn required<T: FromValue>(&mut self, name: &str) -> Option<T> {
        if !self.attributes.contains_key(name) {
            self.missing("attribute", name);
            return None;
        }
        self.value(name)
    }

    /// The value of an attribute that may be missing or null.
    pub fn optional<T: FromValue>(&mut self, name: &str) -> Option<Option<T>> {
        match self.attributes.contains_key(name) {
            true => self.value(name),
            false => Some(None),
        }
    }

    /// The value of an attribute, or its default.
    pub fn or_else<T: FromValue>(&mut self, name: &str, default: impl Fn() -> T) -> Option<T> {
        match self.attributes.contains_key(name) {
            true => self.value(name),
            false => Some(default()),
        }
    }

    fn value<T: FromValue>(&mut self, name: &str) -> Option<T> {
        let attribute = *self.attributes.get(name)?;
        let value = match self.decoder.evaluator.evaluate(&attribute.value) {
            Ok(value) => value,
            Err(diagnostic) => {
                self.decoder.push(diagnostic);
                return None;
            }
        };
        match T::from_value(&value) {
            Ok(value) => Some(value),
            Err(error) => {
                if !error.is_unknown() {
                    let span = locate(&attribute.value, &error);
                    let dot = if error.path().is_empty() { " " } else { "" };
                    self.decoder.error(span, format!("{name}{dot}{error}"));
                }
                None
            }
        }
    }

    /// Notes the path that an attribute is, if it is known, for [`Decoder::files`].
    pub fn names_file(&mut self, name: &str) {
        let Some(attribute) = self.attributes.get(name) else {
            return;
        };
        // What is wrong with the expression is said when it is decoded.
        let value = self.decoder.evaluator.evaluate(&attribute.value);
        if let Some(path) = value.ok().and_then(|value| String::from_value(&value).ok()) {
            self.decoder.files.push((attribute.value.span(), path));
        }
    }

    /// The label of the block, which must be there.
    pub fn label(&mut self) -> Option<String> {
        let label = self.decoder.label.map(|label| label.text.clone());
        if label.is_none() {
            let message = format!("block {:?} needs a label", self.decoder.name);
            self.decoder.error(self.decoder.header, message);
        }
        label
    }

    /// A block that must be there.
    pub fn block<T: Arguments>(&mut self, name: &str) -> Option<T> {
        match self.optional_block(name)? {
            Some(block) => Some(block),
            None => {
                self.missing("block", name);
                None
            }
        }
    }

    /// A block that may be missing.
    pub fn optional_block<T: Arguments>(&mut self, name: &str) -> Option<Option<T>> {
        match self.named(name).first() {
            Some(block) => self
                .decode(block, |body, decoder| T::decode(body, decoder))
                .map(Some),
            None => Some(None),
        }
    }

    /// A block that, when missing, is as if it were there and empty.
    pub fn block_or_empty<T: Arguments>(&mut self, name: &str) -> Option<T> {
        if let Some(block) = self.optional_block(name)? {
            return Some(block);
        }
        let evaluator = self.decoder.evaluator;
        let (header, diagnostics) = (self.decoder.header, Default::default());
        let name = name.to_owned();
        let mut decoder = Decoder {
            evaluator,
            header,
            name,
            label: None,
            diagnostics,
            files: Vec::new(),
        };
        let empty = T::decode(&Body::default(), &mut decoder);
        self.decoder.diagnostics.extend(decoder.finish());
        empty
    }

    /// All blocks of a name.
    pub fn blocks<T: Arguments>(&mut self, name: &str, min: usize) -> Option<Vec<T>> {
        let blocks = self.named(name);
        if blocks.len() < min {
            let found = blocks.len();
            if found == 0 {
                self.missing("block", name);
            } else {
                let message = format!("needs at least {min} blocks {name:?}, has {found}");
                self.decoder.error(self.decoder.header, message);
            }
            return None;
        }
        let decoded = blocks
            .iter()
            .map(|block| self.decode(block, |body, d| T::decode(body, d)));
        // All of them are decoded, so that all errors are found, before any is asked for.
        decoded.collect::<Vec<Option<T>>>().into_iter().collect()
    }

    /// The blocks of a group, in the order of the file.
    pub fn stages<T: BlockEnum>(&mut self, prefix: &str) -> Option<Vec<T>> {
        let variants: HashMap<String, &str> = T::variants()
            .iter()
            .map(|v| (stage_name(prefix, v.name), v.name))
            .collect();
        let blocks: Vec<(&str, &Block)> = self
            .blocks
            .iter()
            .filter_map(|(name, block)| variants.get(name).map(|variant| (*variant, *block)))
            .collect();
        let mut decoded = Vec::with_capacity(blocks.len());
        for (variant, block) in blocks {
            decoded.push(self.decode(block, |body, decoder| T::decode(variant, body, decoder)));
        }
        decoded.into_iter().collect()
    }

    /// Reports what a validation says.
    pub fn validate(&mut self, result: Result<(), impl Into<Invalid>>) -> Option<()> {
        let Err(invalid) = result else {
            return Some(());
        };
        let Invalid { field, message } = invalid.into();
        let Some(name) = field else {
            self.decoder.error(self.decoder.header, message);
            return None;
        };
        let attribute = self
            .attributes
            .get(name.as_str())
            .map(|found| found.value.span());
        let block = || self.named(&name).first().map(|block| block.header());
        let span = attribute.or_else(block).unwrap_or(self.decoder.header);
        self.decoder.error(span, format!("{name} {message}"));
        None
    }

    fn named(&self, name: &str) -> Vec<&'f Block> {
        let matching = self.blocks.iter().filter(|(other, _)| other == name);
        matching.map(|(_, block)| *block).collect()
    }

    fn decode<T>(
        &mut self,
        block: &Block,
        decode: impl FnOnce(&Body, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut decoder = Decoder::new(block, &self.decoder.evaluator);
        let decoded = decode(&block.body, &mut decoder);
        self.decoder.files.append(&mut decoder.files);
        self.decoder.diagnostics.extend(decoder.finish());
        decoded
    }

    fn line(&self, span: Span) -> u32 {
        self.decoder.evaluator.file().line_of(span.start)
    }

    fn report(&mut self, span: Span, message: String, note: Option<String>) {
        let mut diagnostic = Diagnostic::error(self.decoder.evaluator.file(), span, message);
        diagnostic.notes.extend(note);
        self.decoder.push(diagnostic);
    }
}

/// The name of a block of a group as it stands in a file.
pub fn stage_name(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}.{name}"),
    }
}

/// The default of an attribute, which the derive takes from the source.
pub fn default_of<T: FromValue>(value: Value) -> T {
    T::from_value(&value).expect("the default in the derive is of the field's type")
}

/// The part of an expression that an error is about, as far as the expression shows it.
fn locate(expr: &Expr, error: &ValueError) -> Span {
    let mut at = expr;
    for step in error.path() {
        while let Expr::Paren(paren) = at {
            at = &paren.inner;
        }
        let inner = match (step, at) {
            (Step::Element(index), Expr::Array(array)) => array.elements.get(*index),
            (Step::Field(name), Expr::Object(object)) => {
                let field = object
                    .fields
                    .iter()
                    .rev()
                    .find(|field| field.name.text == *name);
                field.map(|field| &field.value)
            }
            _ => None,
        };
        match inner {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at.span()
}
