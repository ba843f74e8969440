//! What a target's series may be.

use protos::prometheus::{LabelSet, NAME};

/// Bytes of a name or value that a message shows.
const SHOWN_BYTES: usize = 50;

/// Which names are taken.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    /// Letters, digits, underscores; colons in names of metrics.
    #[keyword("legacy")]
    Legacy,
    /// Any text.
    #[keyword("utf8")]
    Utf8,
}

/// Bounds; 0 is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) samples: u64,
    pub(super) labels: u64,
    pub(super) name_bytes: u64,
    pub(super) value_bytes: u64,
    pub(super) validation: Validation,
}

impl Limits {
    /// Whether a series keeps to them.
    ///
    /// # Errors
    /// A sentence about the first that it breaks; the whole answer is refused for it.
    pub(super) fn check(&self, set: &LabelSet) -> Result<(), String> {
        let metric = cut(set.get(NAME));
        if metric.is_empty() {
            return Err("a series has no name".to_owned());
        }
        let over = |value: usize, limit: u64| limit > 0 && value as u64 > limit;
        if over(set.len(), self.labels) {
            let limit = self.labels;
            return Err(format!(
                "{metric} has {} labels and label_limit is {limit}",
                set.len()
            ));
        }
        for (name, value) in set.iter() {
            if self.validation == Validation::Legacy && !is_legacy(name, value) {
                return Err(format!(
                    "{metric} has a name that needs metric_name_validation_scheme = \"utf8\": {:?}",
                    cut(if name == NAME { value } else { name })
                ));
            }
            if over(name.len(), self.name_bytes) {
                return Err(format!(
                    "{metric} has a label name of {} bytes and label_name_length_limit is {}: {:?}",
                    name.len(),
                    self.name_bytes,
                    cut(name)
                ));
            }
            if over(value.len(), self.value_bytes) {
                return Err(format!(
                    "{metric} has a value of {} bytes and label_value_length_limit is {}: {:?}",
                    value.len(),
                    self.value_bytes,
                    cut(name)
                ));
            }
        }
        Ok(())
    }
}

/// Whether a label's name, or the name of a metric, is one that old Prometheus takes.
fn is_legacy(name: &str, value: &str) -> bool {
    let of = |text: &str, colon: bool| {
        let is_letter =
            |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || (colon && byte == b':');
        let mut bytes = text.bytes();
        bytes.next().is_some_and(is_letter)
            && bytes.all(|byte| is_letter(byte) || byte.is_ascii_digit())
    };
    match name {
        NAME => of(value, true),
        name => of(name, false),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named() {
        let none = Limits {
            samples: 0,
            labels: 0,
            name_bytes: 0,
            value_bytes: 0,
            validation: Validation::Utf8,
        };
        let set = |name: &str, label: &str| -> LabelSet {
            [(NAME, name), (label, "value")].into_iter().collect()
        };
        let legacy = Limits {
            validation: Validation::Legacy,
            ..none
        };
        assert_eq!(none.check(&set("a.b", "c d")), Ok(()));
        assert_eq!(legacy.check(&set("a:b", "c_1")), Ok(()));
        let table = [
            (legacy, set("a.b", "c"), "\"a.b\""),
            (legacy, set("a", "c:d"), "\"c:d\""),
            (legacy, set("a", "1c"), "\"1c\""),
            (none, set("", "c"), "no name"),
            (
                Limits { labels: 1, ..none },
                set("a", "c"),
                "label_limit is 1",
            ),
            (
                Limits {
                    name_bytes: 8,
                    ..none
                },
                set("a", "long_name"),
                "label_name_length_limit is 8",
            ),
            (
                Limits {
                    value_bytes: 4,
                    ..none
                },
                set("a", "c"),
                "label_value_length_limit is 4",
            ),
        ];
        for (limits, set, expected) in table {
            let error = limits.check(&set).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
