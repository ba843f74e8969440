//! A target: labels, of which some say where and how to ask it.

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc};

use protos::prometheus::LabelSet;
use syntax::{CapsuleValue, FromValue, Object, ToValue, Value, ValueError};

/// The labels of one target, sorted by name. Cheap to clone, so that ten thousand of them can pass
/// through several components.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(Arc<[(Arc<str>, Arc<str>)]>);

impl Target {
    /// A target with these labels. Of two with the same name the last counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut labels: Vec<(Arc<str>, Arc<str>)> = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        labels.reverse();
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(labels.into())
    }

    /// The target that a set of labels is.
    pub fn from_set(set: &LabelSet) -> Self {
        Self::new(set.iter())
    }

    /// Puts the labels into `set`, which is emptied first.
    pub fn fill(&self, set: &mut LabelSet) {
        set.clear();
        for (name, value) in self.iter() {
            set.push(name, value);
        }
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a label; none if there is no such label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(found, _)| (**found).cmp(name));
        at.ok().map(|at| &*self.0[at].1)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl CapsuleValue for Target {
    fn type_name(&self) -> &'static str {
        "Target"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn to_object(&self) -> Option<Object> {
        let field = |(name, value): (&str, &str)| (name.to_owned(), Value::from(value));
        Some(self.iter().map(field).collect())
    }
}

impl FromValue for Target {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if let Value::Capsule(capsule) = value
            && let Some(target) = capsule.downcast_ref::<Self>()
        {
            return Ok(target.clone());
        }
        let labels = BTreeMap::<String, String>::from_value(value)?;
        Ok(Self::new(labels))
    }

    fn type_name() -> String {
        "map(string)".to_owned()
    }
}

impl ToValue for Target {
    fn to_value(&self) -> Value {
        Value::capsule(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_map_in_the_language() {
        let target = Target::new([("job", "node"), ("__address__", "h:1"), ("job", "last")]);
        assert_eq!(target.get("job"), Some("last"));
        assert_eq!((target.get("x"), target.len()), (None, 2));
        let object = Value::object([
            ("__address__", Value::from("h:1")),
            ("job", Value::from("last")),
        ]);
        assert_eq!(Target::from_value(&object).unwrap(), target);
        let value = target.to_value();
        assert_eq!(Target::from_value(&value).unwrap(), target);
        let map = BTreeMap::<String, String>::from_value(&value).unwrap();
        assert_eq!(map.get("__address__").map(String::as_str), Some("h:1"));
        assert!(Target::from_value(&Value::from("x")).is_err());
    }

    #[test]
    fn a_set_and_back() {
        let target = Target::new([("b", "2"), ("a", "1")]);
        let mut set = LabelSet::new();
        set.push("old", "x");
        target.fill(&mut set);
        assert_eq!(Target::from_set(&set), target);
    }
}
