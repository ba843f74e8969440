//! Blocks into arguments.
//!
//! Everything that is wrong with a block is reported, not only the first thing. A value that is
//! not known yet is no mistake: the block then decodes into nothing, without an error, and
//! everything else in it is still checked.

mod fields;

pub use fields::{Fields, Invalid, default_of, stage_name};

use crate::ast::{Block, Body, Label, Statement};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::eval::Evaluator;
use crate::schema::Schema;
use crate::source::Span;
use crate::value::{Object, Value};

/// A struct that a block decodes into. Derive it.
pub trait Arguments: Sized {
    /// What the block may contain.
    fn schema() -> &'static Schema;

    /// Takes the fields of the struct out of those of a block.
    fn from_fields(fields: &mut Fields<'_, '_>) -> Option<Self>;

    /// Decodes a block's body. `None` means that there were errors, which are then in the
    /// decoder's diagnostics, or that something that is needed is not known yet.
    fn decode(body: &Body, decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut fields = Fields::open(body, Self::schema(), decoder);
        let arguments = Self::from_fields(&mut fields);
        let wrong = fields.close();
        arguments.filter(|_| !wrong)
    }
}

/// An enum of blocks of different names in one list. Derive it.
pub trait BlockEnum: Sized {
    /// The blocks there are.
    fn variants() -> &'static [Variant];

    /// Decodes the body of a block of one of the names.
    fn decode(name: &str, body: &Body, decoder: &mut Decoder<'_>) -> Option<Self>;
}

/// A block of a [`BlockEnum`].
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The name, without the prefix of the list.
    pub name: &'static str,
    /// What the block may contain.
    pub schema: fn() -> &'static Schema,
    /// What it is for: the doc comment of the variant.
    pub doc: &'static str,
}

impl<T: Arguments> Arguments for Box<T> {
    fn schema() -> &'static Schema {
        T::schema()
    }

    fn from_fields(fields: &mut Fields<'_, '_>) -> Option<Self> {
        T::from_fields(fields).map(Self::new)
    }
}

/// A struct that a component exports. Derive it.
pub trait Exports {
    /// What is exported.
    fn schema() -> &'static Schema;

    /// The exports as an object.
    fn to_object(&self) -> Value;
}

/// Decodes one block; collects what is wrong with it.
pub struct Decoder<'a> {
    evaluator: Evaluator<'a>,
    header: Span,
    name: String,
    label: Option<&'a Label>,
    diagnostics: Diagnostics,
    files: Vec<(Span, String)>,
}

/// Decodes a block. The arguments are `None` if there were errors or if something that is needed
/// is not known yet.
pub fn decode<T: Arguments>(block: &Block, evaluator: &Evaluator<'_>) -> (Option<T>, Diagnostics) {
    let mut decoder = Decoder::new(block, evaluator);
    let arguments = T::decode(&block.body, &mut decoder);
    (arguments, decoder.finish())
}

// === impl Decoder ===

impl<'a> Decoder<'a> {
    /// A decoder for a block whose label is part of its arguments (or must not be there).
    pub fn new(block: &'a Block, evaluator: &Evaluator<'a>) -> Self {
        Self {
            evaluator: *evaluator,
            header: block.header(),
            name: block.name.dotted(),
            label: block.label.as_ref(),
            diagnostics: Diagnostics::default(),
            files: Vec::new(),
        }
    }

    /// The same for a block whose label is its name in the graph, and so not its arguments'
    /// business.
    #[must_use]
    pub fn ignoring_label(self) -> Self {
        Self {
            label: None,
            ..self
        }
    }

    /// The evaluator for its expressions.
    pub fn evaluator(&self) -> &Evaluator<'a> {
        &self.evaluator
    }

    /// Where an error about the block as a whole points.
    pub fn header(&self) -> Span {
        self.header
    }

    /// The files that were named so far by attributes that say they name one, and where.
    pub fn files(&self) -> &[(Span, String)] {
        &self.files
    }

    /// Adds an error at a place.
    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics
            .push(Diagnostic::error(self.evaluator.file(), span, message));
    }

    /// Adds a diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Evaluates a body that has attributes only, of any names, as the instance of a custom
    /// component has. What is not known yet stays [`Value::Unknown`].
    pub fn attributes(&mut self, body: &Body) -> Object {
        let mut values = Object::default();
        for statement in &body.statements {
            match statement {
                Statement::Attribute(attribute) => {
                    let name = &attribute.name;
                    if values.get(&name.text).is_some() {
                        let message = format!("attribute {:?} may only be given once", name.text);
                        self.error(name.span, message);
                    }
                    match self.evaluator.evaluate(&attribute.value) {
                        Ok(value) => values.insert(name.text.clone(), value),
                        Err(diagnostic) => self.push(diagnostic),
                    }
                }
                Statement::Block(block) => {
                    let message = format!("block {:?} has no blocks inside", self.name);
                    self.error(block.header(), message);
                }
            }
        }
        values
    }

    /// What was wrong.
    pub fn finish(self) -> Diagnostics {
        self.diagnostics
    }
}
