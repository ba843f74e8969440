//! Custom components: what a `declare` block says, and what its instances are given.

mod catalogue;
mod space;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use syntax::{
    Diagnostic, Diagnostics, Object, SourceFile,
    ast::{Block, Body, Statement},
};

pub(super) use catalogue::{Catalogue, Found};
pub(super) use space::{Names, Space, SpaceKind, join, local, parent};

use super::plan::Reference;

/// A block and the file that it is in.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) source: SourceFile,
    pub(super) block: Arc<Block>,
}

/// A `declare` block: what a custom component is made of.
#[derive(Debug)]
pub(super) struct Declare {
    pub(super) block: Arc<Block>,
    /// What stands in it.
    pub(super) blocks: Vec<Located>,
    /// Whether there is an instance of it; what is used is checked where it is used.
    used: AtomicBool,
}

/// What an instance of a custom component gives to the arguments inside.
#[derive(Debug)]
pub(super) struct Given {
    /// The block of the instance and its file.
    pub(super) at: Located,
    /// What its expressions can name.
    pub(super) variables: Object,
    pub(super) references: Vec<Reference>,
}

impl Declare {
    /// Reads a `declare` block.
    pub(super) fn new(at: &Located, diagnostics: &mut Diagnostics) -> Self {
        let body = at.block.body.clone();
        Self {
            block: at.block.clone(),
            blocks: blocks(&at.source, body, diagnostics),
            used: AtomicBool::new(false),
        }
    }

    /// The labels of its blocks of some name: of its arguments, or its exports.
    pub(super) fn labels<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |at: &&Located| at.block.name.dotted() == name;
        let label = |at: &'a Located| Some(at.block.label.as_ref()?.text.as_str());
        self.blocks.iter().filter(named).filter_map(label)
    }

    /// Notes that there is an instance of it.
    pub(super) fn used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether there is an instance of it.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

/// The blocks of a body that holds nothing else; attributes in it are reported.
pub(super) fn blocks(
    source: &SourceFile,
    body: Body,
    diagnostics: &mut Diagnostics,
) -> Vec<Located> {
    let mut blocks = Vec::new();
    for statement in body.statements {
        match statement {
            Statement::Block(block) => blocks.push(Located {
                source: source.clone(),
                block: Arc::new(block),
            }),
            Statement::Attribute(attribute) => diagnostics.push(Diagnostic::error(
                source,
                attribute.name.span,
                format!("attribute {} must be inside a block", attribute.name.text),
            )),
        }
    }
    blocks
}
