//! Groups of targets as files and HTTP servers list them: addresses with labels in common.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Deserialize;

use super::{TARGETS_MAX, Target};

/// Where a group comes from: a label that its targets get.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The label's name.
    pub label: &'static str,
    /// Its value.
    pub value: &'a str,
}

/// A group, as `file_sd` and `http_sd` of Prometheus write it. A field that is not known is a mistake
/// in writing, of which nobody would learn otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// `host:port` each.
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Why a list of groups cannot be read: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupError(String);

impl fmt::Display for GroupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for GroupError {}

/// The targets of a list of groups in JSON.
///
/// # Errors
/// If it is no such list, or names too many targets.
pub fn parse_json(text: &[u8], source: Source<'_>) -> Result<Vec<Target>, GroupError> {
    // `null` is what Go writes for a list without elements.
    let groups: Option<Vec<Option<Group>>> = serde_json::from_slice(text)
        .map_err(|error| GroupError(format!("it is no list of target groups: {error}")))?;
    flatten(groups.unwrap_or_default().into_iter().flatten(), source)
}

fn flatten(
    groups: impl Iterator<Item = Group>,
    source: Source<'_>,
) -> Result<Vec<Target>, GroupError> {
    let mut targets = Vec::new();
    let address: Arc<str> = "__address__".into();
    let origin: (Arc<str>, Arc<str>) = (source.label.into(), source.value.into());
    for group in groups {
        // The texts are shared by all targets of the group.
        let labels: Vec<(Arc<str>, Arc<str>)> = group
            .labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if targets.len() + group.targets.len() > TARGETS_MAX {
            return Err(GroupError(format!(
                "it lists more than {TARGETS_MAX} targets: spread them over several sources"
            )));
        }
        for place in group.targets {
            let own = [origin.clone(), (address.clone(), place.into())];
            targets.push(Target::new(labels.iter().cloned().chain(own)));
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source {
        label: "__meta_url",
        value: "http://sd",
    };

    #[test]
    fn groups_become_targets() {
        let text =
            br#"[{"targets": ["a:1", "b:2"], "labels": {"job": "x"}}, {"targets": []}, null]"#;
        let targets = parse_json(text, SOURCE).unwrap();
        let expected = ["a:1", "b:2"].map(|address| {
            let origin = (SOURCE.label, SOURCE.value);
            Target::new([("__address__", address), ("job", "x"), origin])
        });
        assert_eq!(targets, expected);
        assert_eq!(parse_json(b"null", SOURCE).unwrap(), []);
    }

    #[test]
    fn rubbish_is_refused() {
        let rubbish = [
            "",
            "{}",
            "[1]",
            "[{\"target\": []}]",
            "[{\"labels\": {\"a\": 1}}]",
            "<html>",
        ];
        for text in rubbish {
            let error = parse_json(text.as_bytes(), SOURCE).unwrap_err().to_string();
            assert!(error.contains("no list of target groups"), "{error}");
        }
        let many = vec!["\"a\""; TARGETS_MAX + 1].join(",");
        let error = parse_json(format!("[{{\"targets\":[{many}]}}]").as_bytes(), SOURCE);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("more than 100000 targets"), "{error}");
    }
}
