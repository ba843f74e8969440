//! Rules against what Prometheus does with them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

/// Rules and labels, with what Prometheus 3.14's `model/relabel` made of them.
const GOLDEN: &str = include_str!("golden.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    rules: Vec<Given>,
    labels: BTreeMap<String, String>,
    /// None if they are dropped.
    expect: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Given {
    action: Option<String>,
    #[serde(default)]
    source_labels: Vec<String>,
    separator: Option<String>,
    regex: Option<String>,
    #[serde(default)]
    modulus: u64,
    #[serde(default)]
    target_label: String,
    replacement: Option<String>,
}

const ACTIONS: [Action; 11] = [
    Action::Replace,
    Action::Keep,
    Action::Drop,
    Action::KeepEqual,
    Action::DropEqual,
    Action::HashMod,
    Action::LabelMap,
    Action::LabelDrop,
    Action::LabelKeep,
    Action::Lowercase,
    Action::Uppercase,
];

fn action(word: &str) -> Action {
    let found = ACTIONS.into_iter().find(|action| action.as_str() == word);
    found.unwrap_or_else(|| panic!("no action {word}"))
}

impl Given {
    fn compile(self) -> Rule {
        let default = Settings::default();
        Rule::new(Settings {
            action: self.action.as_deref().map_or(default.action, action),
            source_labels: self.source_labels,
            separator: self.separator.unwrap_or(default.separator),
            regex: self.regex.unwrap_or(default.regex),
            modulus: self.modulus,
            target_label: self.target_label,
            replacement: self.replacement.unwrap_or(default.replacement),
        })
        .unwrap()
    }
}

fn map(labels: &LabelSet) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn rules_do_what_they_do_in_prometheus() {
    let cases: Vec<Case> = serde_json::from_str(GOLDEN).unwrap();
    assert!(cases.len() > 50);
    let mut scratch = Scratch::default();
    for action in ACTIONS {
        let is_tried = cases
            .iter()
            .flat_map(|case| &case.rules)
            .any(|rule| rule.action.as_deref().unwrap_or("replace") == action.as_str());
        assert!(is_tried, "{action:?}");
    }
    for case in cases {
        let rules = Rules::new(case.rules.into_iter().map(Given::compile));
        let mut labels: LabelSet = case.labels.iter().collect();
        let kept = rules.apply(&mut labels, &mut scratch);
        let found = kept.then(|| map(&labels));
        assert_eq!(found, case.expect, "{}", case.name);
    }
}

#[test]
fn senseless_rules_are_refused_by_argument() {
    let of = |action| Settings {
        action,
        ..Settings::default()
    };
    let target = |action, target: &str| Settings {
        target_label: target.to_owned(),
        ..of(action)
    };
    let table = [
        (of(Action::Replace), "target_label is required"),
        (of(Action::Lowercase), "target_label is required"),
        (of(Action::KeepEqual), "target_label is required"),
        (target(Action::HashMod, "x"), "modulus must be above 0"),
        (target(Action::Replace, "a-$1"), "target_label is \"a-$1\""),
        (target(Action::Replace, "${1"), "target_label is \"${1\""),
        (
            target(Action::LabelDrop, "x"),
            "target_label has no meaning",
        ),
        (
            Settings {
                source_labels: vec!["a".to_owned()],
                ..of(Action::LabelKeep)
            },
            "source_labels has no meaning",
        ),
        (
            Settings {
                regex: "a".to_owned(),
                ..target(Action::DropEqual, "x")
            },
            "regex has no meaning",
        ),
        (
            Settings {
                separator: "-".to_owned(),
                ..target(Action::DropEqual, "x")
            },
            "separator has no meaning",
        ),
        (
            Settings {
                replacement: "y".to_owned(),
                ..target(Action::Uppercase, "x")
            },
            "replacement has no meaning",
        ),
        (
            Settings {
                replacement: "a b".to_owned(),
                ..of(Action::LabelMap)
            },
            "replacement is",
        ),
        (
            Settings {
                replacement: String::new(),
                ..of(Action::LabelMap)
            },
            "replacement is",
        ),
        (
            Settings {
                regex: "(".to_owned(),
                ..of(Action::Keep)
            },
            "regex",
        ),
    ];
    for (settings, expected) in table {
        let error = Rule::new(settings).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}, not {expected}");
    }
    for good in [
        target(Action::Replace, "${1}_x$2"),
        target(Action::Replace, "service.name"),
        of(Action::LabelMap),
        of(Action::Keep),
    ] {
        Rule::new(good).unwrap();
    }
}

#[test]
fn rules_are_a_value_of_the_language() {
    let rules = Rules::new([Rule::new(Settings {
        action: Action::Keep,
        ..Settings::default()
    })
    .unwrap()]);
    let value = rules.to_value();
    assert_eq!(Rules::from_value(&value).unwrap(), rules);
    assert_eq!(Rules::from_value(&Value::Null).unwrap(), Rules::default());
    assert!(Rules::from_value(&Value::from("x")).is_err());
}
