//! The events of the parser as a tree of nodes.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::DATA_NESTING_MAX;

/// What the parser says of more than 255 brackets in each other.
const TOO_MANY_BRACKETS: &str = "recursion limit exceeded";

/// A node by where it is in [`Document::nodes`].
pub(super) type NodeId = usize;

/// The first document of a text.
pub(super) struct Document {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

pub(super) struct Node {
    pub(super) content: Content,
    /// Whether an alias may refer to it.
    pub(super) anchored: bool,
    /// Counted from 1.
    pub(super) line: usize,
}

pub(super) enum Content {
    Scalar(Scalar),
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias(NodeId),
}

/// A text, and what tells its type.
pub(super) struct Scalar {
    pub(super) text: String,
    /// In its short form, `!!int`, if one is written.
    pub(super) tag: Option<String>,
    /// Without quotes and no block of text.
    pub(super) plain: bool,
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    nodes: Vec<Node>,
    /// By the number that the parser gives an anchor.
    anchors: HashMap<usize, NodeId>,
    /// The last node, if it is a block of text.
    last_block: Option<NodeId>,
}

/// Reads the first document; none if the text has no content.
pub(super) fn document(text: &str) -> Result<Option<Document>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_end_matches(' ');
    let mut composer = Composer {
        parser: Parser::new_from_str(text),
        nodes: Vec::new(),
        anchors: HashMap::new(),
        last_block: None,
    };
    // The start of the stream, and of the document.
    composer.next()?;
    if matches!(composer.next()?.0, Event::StreamEnd) {
        return Ok(None);
    }
    let first = composer.next()?;
    let root = composer.node(first, 0)?;
    // What is wrong right behind the document is an error still.
    composer.next()?;
    composer.end_block(text);
    Ok(Some(Document {
        nodes: composer.nodes,
        root,
    }))
}

// === impl Composer ===

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line();
                // The parser looks ahead, and has a limit of its own for brackets.
                if error.info() == TOO_MANY_BRACKETS {
                    within(DATA_NESTING_MAX + 1, line)?;
                }
                Err(format!("is not YAML: line {line}: {}", error.info()))
            }
            None => Err("is not YAML: it ends too early".to_owned()),
        }
    }

    /// A block of text at the very end has a line end only if the text has one. The parser adds it.
    fn end_block(&mut self, text: &str) {
        let last_line = text.rsplit('\n').next().unwrap_or_default().trim_start();
        let last = matches!(self.parser.next_event(), Some(Ok((Event::StreamEnd, _))));
        let block = self.last_block.filter(|_| last && !last_line.is_empty());
        if let Some(Content::Scalar(scalar)) = block.map(|id| &mut self.nodes[id].content) {
            let ended = scalar.text.strip_suffix('\n');
            // A comment may come behind the block.
            if ended.is_some_and(|content| content.ends_with(last_line)) {
                scalar.text.pop();
            }
        }
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<NodeId, String> {
        let line = span.start.line();
        let (id, content) = match event {
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let target = target.ok_or_else(|| no_anchor(line))?;
                (self.place(0, line), Content::Alias(target))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let tag = tag.as_deref().map(full);
                let scalar = Scalar::new(text.into_owned(), tag, plain);
                let id = self.place(anchor, line);
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                self.last_block = block.then_some(id);
                (id, Content::Scalar(scalar))
            }
            Event::SequenceStart(anchor, _) => {
                let id = self.place(anchor, line);
                (id, Content::Sequence(self.sequence(depth + 1, line)?))
            }
            Event::MappingStart(anchor, _) => {
                let id = self.place(anchor, line);
                (id, Content::Mapping(self.mapping(depth + 1, line)?))
            }
            _ => return Err(format!("is not YAML: line {line}: expected a value")),
        };
        self.nodes[id].content = content;
        Ok(id)
    }

    /// Makes a node whose content is yet to come, so that an alias inside of it finds it.
    fn place(&mut self, anchor: usize, line: usize) -> NodeId {
        let id = self.nodes.len();
        self.last_block = None;
        self.nodes.push(Node {
            content: Content::Sequence(Vec::new()),
            anchored: anchor > 0,
            line,
        });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn sequence(&mut self, depth: usize, line: usize) -> Result<Vec<NodeId>, String> {
        within(depth, line)?;
        let mut elements = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.0, Event::SequenceEnd) {
                return Ok(elements);
            }
            elements.push(self.node(event, depth)?);
        }
    }

    fn mapping(&mut self, depth: usize, line: usize) -> Result<Vec<(NodeId, NodeId)>, String> {
        within(depth, line)?;
        let mut pairs = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.0, Event::MappingEnd) {
                return Ok(pairs);
            }
            let key = self.node(event, depth)?;
            let value = self.next()?;
            pairs.push((key, self.node(value, depth)?));
        }
    }
}

fn no_anchor(line: usize) -> String {
    format!("is not YAML: line {line}: there is no anchor of this name")
}

fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn within(depth: usize, line: usize) -> Result<(), String> {
    match depth > DATA_NESTING_MAX {
        true => Err(format!(
            "is not YAML that can be read: line {line}: it is nested too deeply (limit: nesting, \
             {DATA_NESTING_MAX} levels)"
        )),
        false => Ok(()),
    }
}

// === impl Document ===

impl Document {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node itself, or the one that it is an alias of, which is never an alias.
    pub(super) fn target_id(&self, id: NodeId) -> NodeId {
        match self.nodes[id].content {
            Content::Alias(target) => target,
            _ => id,
        }
    }

    pub(super) fn target(&self, id: NodeId) -> &Node {
        &self.nodes[self.target_id(id)]
    }
}

// === impl Node ===

impl Node {
    /// Whether it is the key `<<`.
    pub(super) fn is_merge(&self) -> bool {
        match &self.content {
            Content::Scalar(scalar) => {
                let tagged = scalar.tag.as_deref() == Some("!!merge");
                scalar.text == "<<" && (tagged || scalar.tag.is_none() && scalar.plain)
            }
            _ => false,
        }
    }

    /// What makes two keys of a map the same one: their kind and their text.
    pub(super) fn identity(&self) -> (u8, Cow<'_, str>) {
        match &self.content {
            Content::Scalar(scalar) => (0, Cow::Borrowed(&scalar.text)),
            Content::Sequence(_) => (1, Cow::Borrowed("[...]")),
            Content::Mapping(_) => (2, Cow::Borrowed("{...}")),
            Content::Alias(target) => (3, Cow::Owned(target.to_string())),
        }
    }

    /// A message about it.
    pub(super) fn wrong(&self, what: &str) -> String {
        format!(
            "is not YAML that can be decoded: line {}: {what}",
            self.line
        )
    }
}

// === impl Scalar ===

impl Scalar {
    pub(super) fn new(text: String, tag: Option<String>, plain: bool) -> Self {
        // The tag `!` says nothing.
        let tag = tag.filter(|tag| !tag.is_empty() && tag != "!");
        let short = |tag: String| match tag.strip_prefix("tag:yaml.org,2002:") {
            Some(name) => format!("!!{name}"),
            None => tag,
        };
        Self {
            text,
            tag: tag.map(short),
            plain,
        }
    }
}
