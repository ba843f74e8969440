//! Comments of the source as text for people.

use crate::graph::Definition;

include!(concat!(env!("OUT_DIR"), "/comments.rs"));

/// The comment at the head of a component's file; of a component that has no file under its own
/// name, what is said of its arguments.
pub(super) fn comment(definition: &Definition) -> &'static str {
    let found = COMMENTS.iter().find(|(name, _)| *name == definition.name);
    found.map_or((definition.arguments)().doc, |(_, comment)| comment)
}

/// What a component does, in a sentence.
pub fn summary(definition: &Definition) -> String {
    first_sentence(comment(definition))
}

/// The first paragraph, on one line.
pub(super) fn first_sentence(comment: &str) -> String {
    let paragraph = comment.split("\n\n").next().unwrap_or_default();
    one_line(paragraph)
}

/// Markdown of a comment. Links to code lead nowhere outside of it, so they become the code's name.
pub(super) fn markdown(comment: &str) -> String {
    comment
        .replace("[`", "`")
        .replace("`]", "`")
        .trim()
        .to_owned()
}

/// A comment on one line, as it fits into a cell of a table.
pub(super) fn cell(comment: &str) -> String {
    one_line(&markdown(comment)).replace('|', "\\|")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
