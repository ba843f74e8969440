//! The `rule` block: one step of relabelling.

use crate::relabel::{Action, Rule, RuleError, Rules, Settings};

/// A rule that changes labels, or drops what has them.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct RuleBlock {
    /// What the rule does.
    #[attr(default = Action::Replace)]
    pub action: Action,
    /// Number that the hash of `hashmod` is taken modulo of.
    #[attr(default = 0)]
    pub modulus: u64,
    /// Regular expression that the joined values must match as a whole, or the names of labels for
    /// `labelmap`, `labeldrop` and `labelkeep`.
    #[attr(default = "(.*)")]
    pub regex: String,
    /// What is written; `$1` or `${1}` is what the first group of `regex` captured.
    #[attr(default = "$1")]
    pub replacement: String,
    /// What stands between the values of the source labels.
    #[attr(default = ";")]
    pub separator: String,
    /// Labels of which the values are joined.
    #[attr(default)]
    pub source_labels: Vec<String>,
    /// Label that is written to, or compared.
    #[attr(default)]
    pub target_label: String,
}

impl RuleBlock {
    fn check(&self) -> Result<(), (&'static str, String)> {
        match self.compile() {
            Ok(_) => Ok(()),
            Err(RuleError { argument, message }) => Err((argument, message)),
        }
    }

    fn compile(&self) -> Result<Rule, RuleError> {
        Rule::new(Settings {
            action: self.action,
            source_labels: self.source_labels.clone(),
            separator: self.separator.clone(),
            regex: self.regex.clone(),
            modulus: self.modulus,
            target_label: self.target_label.clone(),
            replacement: self.replacement.clone(),
        })
    }
}

/// The rules of a component, in the order of its blocks.
///
/// # Errors
/// The first that cannot be used; each was checked when its block was read.
pub fn compile(blocks: &[RuleBlock]) -> Result<Rules, String> {
    let rules: Result<Vec<Rule>, RuleError> = blocks.iter().map(RuleBlock::compile).collect();
    rules
        .map(Rules::new)
        .map_err(|error| format!("rule: {error}"))
}
