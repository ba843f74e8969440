//! Where the component that a name refers to stands.

use lsp_types::Location;
use syntax::{ast::Block, parse};

use super::{
    context::Context,
    documents::{File, Unit},
    position,
};

/// The header of the block that the word at an offset refers to.
pub(super) fn at(unit: &Unit, offset: u32) -> Option<Location> {
    let document = unit.document()?;
    let context = Context::at(document, offset);
    context.attribute.as_ref()?;
    let (file, block, _) = referred(unit, document.slice(context.word))?;
    Some(Location {
        uri: file.uri.clone(),
        range: position::range(&file.source, block.header()),
    })
}

/// The block whose id a path begins with, its file, and the rest of the path.
pub(super) fn referred<'a>(unit: &'a Unit, path: &'a str) -> Option<(&'a File, Block, &'a str)> {
    unit.files.iter().find_map(|file| {
        let (tree, _) = parse(&file.source);
        let block = tree
            .body
            .blocks()
            .find(|block| rest(path, &block.id()).is_some())?;
        let rest = rest(path, &block.id())?;
        Some((file, block.clone(), rest))
    })
}

fn rest<'a>(path: &'a str, id: &str) -> Option<&'a str> {
    match path.strip_prefix(id)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}
