//! One rule: its checks, and what it does to a set of labels.

use std::fmt::{self, Write};

use md5::{Digest, Md5};
use protos::prometheus::LabelSet;

use super::{Scratch, pattern::Pattern, template::Template};

/// What a rule does.
#[derive(syntax::Keyword, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Writes to a label what a pattern made of others.
    #[default]
    #[keyword("replace")]
    Replace,
    /// Keeps what matches.
    #[keyword("keep")]
    Keep,
    /// Drops what matches.
    #[keyword("drop")]
    Drop,
    /// Keeps where two values are the same.
    #[keyword("keepequal")]
    KeepEqual,
    /// Drops where two values are the same.
    #[keyword("dropequal")]
    DropEqual,
    /// Writes a hash modulo a number to a label.
    #[keyword("hashmod")]
    HashMod,
    /// Copies labels to others of which the name is made by a pattern.
    #[keyword("labelmap")]
    LabelMap,
    /// Takes the labels away of which the name matches.
    #[keyword("labeldrop")]
    LabelDrop,
    /// Takes the labels away of which the name does not match.
    #[keyword("labelkeep")]
    LabelKeep,
    /// Writes values in lower case to a label.
    #[keyword("lowercase")]
    Lowercase,
    /// Writes values in upper case to a label.
    #[keyword("uppercase")]
    Uppercase,
}

/// What a rule is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What it does.
    pub action: Action,
    /// The labels that are looked at.
    pub source_labels: Vec<String>,
    /// What stands between their values when they are joined.
    pub separator: String,
    /// What the joined values, or the names, must match.
    pub regex: String,
    /// The modulus of hashes.
    pub modulus: u64,
    /// The label that is written, or compared.
    pub target_label: String,
    /// What is written.
    pub replacement: String,
}

/// The separator when none is given.
pub(super) const SEPARATOR: &str = ";";

/// The replacement when none is given.
pub(super) const REPLACEMENT: &str = "$1";

impl Default for Settings {
    fn default() -> Self {
        Self {
            action: Action::default(),
            source_labels: Vec::new(),
            separator: SEPARATOR.to_owned(),
            regex: Pattern::DEFAULT.to_owned(),
            modulus: 0,
            target_label: String::new(),
            replacement: REPLACEMENT.to_owned(),
        }
    }
}

/// What is wrong with a rule: the argument, and a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The argument's name.
    pub argument: &'static str,
    /// What to do about it.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.argument, self.message)
    }
}

impl std::error::Error for RuleError {}

/// A rule, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    settings: Settings,
    pattern: Pattern,
    target: Template,
    replacement: Template,
}

impl Action {
    fn is_equality(self) -> bool {
        matches!(self, Self::KeepEqual | Self::DropEqual)
    }

    fn needs_target(self) -> bool {
        use Action::{HashMod, Lowercase, Replace, Uppercase};
        self.is_equality() || matches!(self, HashMod | Lowercase | Replace | Uppercase)
    }
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// If it could do nothing sensible: the argument at fault, and why.
    pub fn new(settings: Settings) -> Result<Self, RuleError> {
        check(&settings)?;
        let pattern = Pattern::new(&settings.regex);
        let pattern = pattern.map_err(|error| RuleError {
            argument: "regex",
            message: error.to_string(),
        })?;
        Ok(Self {
            target: Template::new(&settings.target_label, &pattern),
            replacement: Template::new(&settings.replacement, &pattern),
            pattern,
            settings,
        })
    }

    /// Changes the labels. Whether the set is to be kept.
    pub fn apply(&self, labels: &mut LabelSet, scratch: &mut Scratch) -> bool {
        let target = &self.settings.target_label;
        match self.settings.action {
            Action::LabelMap => self.map(labels, scratch),
            Action::LabelDrop => labels.retain(|name, _| !self.pattern.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| self.pattern.is_match(name)),
            action => {
                self.join(labels, &mut scratch.value);
                let value = scratch.value.as_str();
                match action {
                    Action::Keep => return self.pattern.is_match(value),
                    Action::Drop => return !self.pattern.is_match(value),
                    Action::KeepEqual => return labels.get(target) == value,
                    Action::DropEqual => return labels.get(target) != value,
                    Action::HashMod => {
                        scratch.text.clear();
                        // Writing to a String cannot fail.
                        let _ = write!(scratch.text, "{}", hash(value) % self.settings.modulus);
                        labels.set(target, &scratch.text);
                    }
                    Action::Lowercase => {
                        letters(value, lower, &mut scratch.letters);
                        labels.set(target, &scratch.letters);
                    }
                    Action::Uppercase => {
                        letters(value, upper, &mut scratch.letters);
                        labels.set(target, &scratch.letters);
                    }
                    _ => self.replace(labels, scratch),
                }
            }
        }
        true
    }

    /// Replaces `value` with the values of the source labels, joined.
    fn join(&self, labels: &LabelSet, value: &mut String) {
        value.clear();
        for (index, name) in self.settings.source_labels.iter().enumerate() {
            if index > 0 {
                value.push_str(&self.settings.separator);
            }
            value.push_str(labels.get(name));
        }
    }

    fn replace(&self, labels: &mut LabelSet, scratch: &mut Scratch) {
        let Some(captures) = self.pattern.captures(&scratch.value) else {
            return;
        };
        self.target
            .expand(&captures, &scratch.value, &mut scratch.name);
        if scratch.name.is_empty() {
            return;
        }
        self.replacement
            .expand(&captures, &scratch.value, &mut scratch.text);
        labels.set(&scratch.name, &scratch.text);
    }

    /// Copies labels. What a copy overwrites was looked at before.
    fn map(&self, labels: &mut LabelSet, scratch: &mut Scratch) {
        labels.sort();
        scratch.renamed.clear();
        for (name, value) in labels.iter() {
            if let Some(captures) = self.pattern.captures(name) {
                let mut renamed = String::new();
                self.replacement.expand(&captures, name, &mut renamed);
                scratch.renamed.push((renamed, value.to_owned()));
            }
        }
        for (name, value) in scratch
            .renamed
            .drain(..)
            .filter(|(name, _)| !name.is_empty())
        {
            labels.set(&name, &value);
        }
    }
}

/// What a hash is taken modulo of: the last eight bytes of MD5, as Prometheus has it for ever.
fn hash(value: &str) -> u64 {
    let digest = Md5::digest(value.as_bytes());
    digest[8..]
        .iter()
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

fn letters(value: &str, change: fn(char) -> char, out: &mut String) {
    out.clear();
    out.extend(value.chars().map(change));
}

/// Lower case letter by letter, as Go does it: a letter stays one letter.
fn lower(letter: char) -> char {
    match letter {
        'İ' => 'i',
        letter => single(letter.to_lowercase(), letter),
    }
}

/// Upper case letter by letter. Greek letters with an iota below have one, which is written beside the
/// letter where more letters are allowed.
fn upper(letter: char) -> char {
    let offset = match letter {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return single(letter.to_uppercase(), letter),
    };
    char::from_u32(letter as u32 + offset).unwrap_or(letter)
}

fn single(mut letters: impl Iterator<Item = char>, unchanged: char) -> char {
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        _ => unchanged,
    }
}

/// The rules for rules, which are Alloy's.
fn check(settings: &Settings) -> Result<(), RuleError> {
    let wrong = |argument, message: String| Err(RuleError { argument, message });
    let action = settings.action;
    let word = action.as_str();
    let has_pattern = settings.regex != Pattern::DEFAULT;
    let has_replacement = settings.replacement != REPLACEMENT;
    if action == Action::HashMod && settings.modulus == 0 {
        return wrong("modulus", format!("must be above 0 for {word}"));
    }
    if action.needs_target() && settings.target_label.is_empty() {
        return wrong("target_label", format!("is required for {word}"));
    }
    let has_group = |text: &str| text.contains('$');
    if action == Action::Replace && has_group(&settings.target_label) {
        check_template("target_label", &settings.target_label)?;
    }
    if action == Action::LabelMap {
        check_template("replacement", &settings.replacement)?;
    }
    let writes_letters = matches!(action, Action::Lowercase | Action::Uppercase);
    if (writes_letters || action.is_equality()) && has_replacement {
        return wrong(
            "replacement",
            format!("has no meaning for {word}, leave it out"),
        );
    }
    let of_names = matches!(action, Action::LabelDrop | Action::LabelKeep);
    let others: &[(&'static str, bool)] = &[
        (
            "source_labels",
            of_names && !settings.source_labels.is_empty(),
        ),
        (
            "target_label",
            of_names && !settings.target_label.is_empty(),
        ),
        ("regex", action.is_equality() && has_pattern),
        ("modulus", settings.modulus != 0),
        ("separator", settings.separator != SEPARATOR),
        ("replacement", has_replacement),
    ];
    let given = others.iter().find(|(_, is_given)| *is_given);
    match given {
        Some((argument, _)) if of_names => wrong(
            argument,
            format!("has no meaning for {word}, which takes only regex"),
        ),
        Some((argument, _)) if action.is_equality() => wrong(
            argument,
            format!("has no meaning for {word}, which takes only source_labels and target_label"),
        ),
        _ => Ok(()),
    }
}

/// A name that is made of groups: letters, digits and underscores beside them, no digit first.
fn check_template(argument: &'static str, template: &str) -> Result<(), RuleError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = template.as_bytes();
    let mut at = 0;
    let mut is_good = !bytes.is_empty() && !bytes[0].is_ascii_digit();
    while is_good && at < bytes.len() {
        if bytes[at] != b'$' {
            is_good = is_word(bytes[at]);
            at += 1;
            continue;
        }
        let is_braced = bytes.get(at + 1) == Some(&b'{');
        let start = at + 1 + usize::from(is_braced);
        let length = bytes[start.min(bytes.len())..]
            .iter()
            .take_while(|byte| is_word(**byte))
            .count();
        at = start + length + usize::from(is_braced);
        is_good = length > 0 && (!is_braced || bytes.get(at - 1) == Some(&b'}'));
    }
    match is_good {
        true => Ok(()),
        false => Err(RuleError {
            argument,
            message: format!(
                "is {template:?}, of which no label name comes: write letters, digits, underscores \
                 and groups like $1 or ${{1}}"
            ),
        }),
    }
}
