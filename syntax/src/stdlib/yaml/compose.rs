//! The events of the parser as a tree of nodes.

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};

use super::DATA_NESTING_MAX;

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
    pub(super) line: u64,
}

pub(super) enum Content {
    Scalar(Scalar),
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias { name: String, target: NodeId },
}

/// A text, and what tells its type.
pub(super) struct Scalar {
    pub(super) text: String,
    /// In its short form, `!!int`, if one is written.
    pub(super) tag: Option<String>,
    /// Without quotes and no block of text.
    pub(super) plain: bool,
}

struct Composer<'a, 'b> {
    parser: Parser<&'a mut &'b [u8]>,
    nodes: Vec<Node>,
    anchors: HashMap<String, NodeId>,
}

/// Reads the first document; none if the text has no content.
pub(super) fn document(text: &str) -> Result<Option<Document>, String> {
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut composer = Composer {
        parser,
        nodes: Vec::new(),
        anchors: HashMap::new(),
    };
    // The start of the stream, and of the document.
    composer.next()?;
    if matches!(composer.next()?.data, EventData::StreamEnd) {
        return Ok(None);
    }
    let first = composer.next()?;
    let root = composer.node(first, 0)?;
    // What is wrong right behind the document is an error still.
    composer.next()?;
    Ok(Some(Document {
        nodes: composer.nodes,
        root,
    }))
}

// === impl Composer ===

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<Event, String> {
        self.parser.parse().map_err(|error| {
            let problem = match error.problem() {
                "" => "it cannot be read",
                problem => problem,
            };
            match error.problem_mark().or(error.context_mark()) {
                Some(mark) => format!("is not YAML: line {}: {problem}", mark.line + 1),
                None => format!("is not YAML: {problem}"),
            }
        })
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<NodeId, String> {
        let line = event.start_mark.line + 1;
        let id = self.nodes.len();
        let content = match event.data {
            EventData::Alias { anchor } => return self.alias(anchor, line),
            EventData::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => {
                self.place(anchor, line);
                let plain = style == ScalarStyle::Plain;
                Content::Scalar(Scalar::new(value, tag, plain))
            }
            EventData::SequenceStart { anchor, .. } => {
                self.place(anchor, line);
                Content::Sequence(self.sequence(depth + 1, line)?)
            }
            EventData::MappingStart { anchor, .. } => {
                self.place(anchor, line);
                Content::Mapping(self.mapping(depth + 1, line)?)
            }
            _ => return Err(format!("is not YAML: line {line}: expected a value")),
        };
        self.nodes[id].content = content;
        Ok(id)
    }

    /// Makes a node whose content is yet to come, so that an alias inside of it finds it.
    fn place(&mut self, anchor: Option<String>, line: u64) {
        let id = self.nodes.len();
        self.nodes.push(Node {
            content: Content::Sequence(Vec::new()),
            anchored: anchor.is_some(),
            line,
        });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
    }

    fn alias(&mut self, name: String, line: u64) -> Result<NodeId, String> {
        let Some(target) = self.anchors.get(&name).copied() else {
            return Err(format!(
                "is not YAML: line {line}: there is no anchor {name:?}"
            ));
        };
        let id = self.nodes.len();
        self.nodes.push(Node {
            content: Content::Alias { name, target },
            anchored: false,
            line,
        });
        Ok(id)
    }

    fn sequence(&mut self, depth: usize, line: u64) -> Result<Vec<NodeId>, String> {
        within(depth, line)?;
        let mut elements = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok(elements);
            }
            elements.push(self.node(event, depth)?);
        }
    }

    fn mapping(&mut self, depth: usize, line: u64) -> Result<Vec<(NodeId, NodeId)>, String> {
        within(depth, line)?;
        let mut pairs = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                return Ok(pairs);
            }
            let key = self.node(event, depth)?;
            let value = self.next()?;
            pairs.push((key, self.node(value, depth)?));
        }
    }
}

fn within(depth: usize, line: u64) -> Result<(), String> {
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
            Content::Alias { target, .. } => target,
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
    pub(super) fn identity(&self) -> (u8, &str) {
        match &self.content {
            Content::Scalar(scalar) => (0, &scalar.text),
            Content::Sequence(_) => (1, ""),
            Content::Mapping(_) => (2, ""),
            Content::Alias { name, .. } => (3, name),
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
