//! What is wrong with a configuration, and where.
//!
//! Diagnostics are collected, never only the first one; each holds its file, so that those of
//! several files mix.

use std::fmt;

use crate::render;
use crate::source::{SourceFile, Span};

/// How many errors a file's parser reports: nobody reads more, and a file that is no configuration
/// at all has one in each line.
pub(crate) const ERRORS_MAX: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration runs, but this is probably not what was meant.
    Warning,
    /// The configuration cannot run.
    Error,
}

/// One finding at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file it is in.
    pub file: SourceFile,
    /// The place in the file.
    pub span: Span,
    /// What is wrong: a lowercase sentence without a full stop.
    pub message: String,
    /// What may help: each a lowercase sentence, often beginning with "help: ".
    pub notes: Vec<String>,
}

/// All findings, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

// === impl Severity ===

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// An error at a place.
    pub fn error(file: &SourceFile, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.clone(),
            span,
            message: message.into(),
            notes: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(file: &SourceFile, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, span, message)
        }
    }

    /// Adds a note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `file:line:column: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.file.position(self.span.start);
        write!(
            f,
            "{}:{}:{}: {}",
            self.file.name(),
            at.line,
            at.column,
            self.message
        )
    }
}

// === impl Diagnostics ===

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds those of another collection.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(others);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts them in the order of their files' names and their places, and drops repetitions.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.span.start, d.span.end, std::cmp::Reverse(d.severity));
            a.file
                .name()
                .cmp(b.file.name())
                .then_with(|| key(a).cmp(&key(b)))
        });
        self.list.dedup();
    }

    /// Shows each with an excerpt of its source, as a person reads it on a terminal.
    pub fn render(&self) -> String {
        render::text(self)
    }

    /// Shows them as a JSON array, as a program reads it.
    pub fn to_json(&self) -> serde_json::Value {
        render::json(self)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            list: vec![diagnostic],
        }
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(list: I) -> Self {
        Self {
            list: list.into_iter().collect(),
        }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
