//! Changes the labels of targets, and drops targets, by rules.

use protos::prometheus::LabelSet;

use crate::{
    components::blocks::rule::{self, RuleBlock},
    discovery::Target,
    graph::{self, Site},
    relabel::{Rules, Scratch},
};

/// Targets, and the rules for them.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The targets to change.
    #[attr]
    targets: Vec<Target>,
    /// What is done to each target, in this order.
    #[block(name = "rule")]
    rules: Vec<RuleBlock>,
}

/// What can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// The targets that were kept, with their new labels.
    #[attr]
    output: Vec<Target>,
    /// The rules, for components that apply the same ones.
    #[attr]
    rules: Rules,
}

/// Works once, when it is built: new targets are new arguments.
#[derive(Debug)]
pub struct Component {
    output: Vec<Target>,
    rules: Rules,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, _: Site) -> Result<Self, String> {
        let rules = rule::compile(&arguments.rules)?;
        Ok(Self {
            output: apply(&rules, &arguments.targets),
            rules,
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            output: self.output.clone(),
            rules: self.rules.clone(),
        }
    }
}

/// The targets that the rules keep.
fn apply(rules: &Rules, targets: &[Target]) -> Vec<Target> {
    if rules.is_empty() {
        return targets.to_vec();
    }
    let mut set = LabelSet::new();
    let mut scratch = Scratch::default();
    targets
        .iter()
        .filter_map(|target| {
            target.fill(&mut set);
            rules
                .apply(&mut set, &mut scratch)
                .then(|| Target::from_set(&set))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::{Action, Rule, Settings};

    #[test]
    fn targets_are_changed_and_dropped() {
        let target =
            |address: &str, app: &str| Target::new([("__address__", address), ("app", app)]);
        let rules = Rules::new([
            Rule::new(Settings {
                action: Action::Keep,
                source_labels: vec!["app".to_owned()],
                regex: "shop".to_owned(),
                ..Settings::default()
            })
            .unwrap(),
            Rule::new(Settings {
                target_label: "cluster".to_owned(),
                replacement: "eu".to_owned(),
                ..Settings::default()
            })
            .unwrap(),
        ]);
        let targets = [target("a", "shop"), target("b", "other")];
        let expected = Target::new([("__address__", "a"), ("app", "shop"), ("cluster", "eu")]);
        assert_eq!(apply(&rules, &targets), [expected]);
        assert_eq!(apply(&Rules::default(), &targets), targets);
    }
}
