//! Relabelling: Prometheus's rules that change or drop a set of labels.
//!
//! One implementation for targets, series and streams of logs. Rules are compiled once; applying them
//! to a set allocates nothing once its [`Scratch`] has grown. What each action does is what Prometheus
//! 3 does, to the byte: whole matches only, `.` matches line feeds, names may be any UTF-8.

mod pattern;
mod rule;
mod template;

pub use pattern::{Pattern, PatternError};
pub use rule::{Action, Rule, RuleError, Settings};

use std::{fmt, sync::Arc};

use protos::prometheus::LabelSet;
use syntax::{CapsuleValue, FromValue, ToValue, Value, ValueError, value::from_capsule};

/// Rules in the order in which they are applied. Cheap to clone; also a value of the language, as
/// `discovery.relabel` exports it.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<[Rule]>);

/// Memory that applying rules needs, kept from set to set.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The values of the source labels, joined.
    pub(self) value: String,
    /// What a template became.
    pub(self) name: String,
    pub(self) text: String,
    pub(self) letters: String,
    pub(self) renamed: Vec<(String, String)>,
}

impl Rules {
    /// Rules in this order.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes the labels as the rules say. Whether the set is to be kept; if not, the rules behind
    /// the one that dropped it were not applied.
    pub fn apply(&self, labels: &mut LabelSet, scratch: &mut Scratch) -> bool {
        self.0.iter().all(|rule| rule.apply(labels, scratch))
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl CapsuleValue for Rules {
    fn type_name(&self) -> &'static str {
        "RelabelRules"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl FromValue for Rules {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            value => from_capsule::<Self>(value, "RelabelRules").cloned(),
        }
    }

    fn type_name() -> String {
        "RelabelRules".to_owned()
    }
}

impl ToValue for Rules {
    fn to_value(&self) -> Value {
        Value::capsule(self.clone())
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} rules", self.0.len())
    }
}

#[cfg(test)]
mod tests;
