//! What a rule costs for a set of labels of ten, each action by itself, and a job as people write it.

use std::hint::black_box;

use corten::relabel::{Action, Rule, Rules, Scratch, Settings};
use criterion::{Criterion, criterion_group, criterion_main};
use protos::prometheus::LabelSet;

fn labels() -> LabelSet {
    [
        ("__address__", "10.1.2.3:8080"),
        ("__meta_kubernetes_namespace", "shop"),
        (
            "__meta_kubernetes_pod_annotation_prometheus_io_port",
            "9102",
        ),
        (
            "__meta_kubernetes_pod_annotation_prometheus_io_scrape",
            "true",
        ),
        ("__meta_kubernetes_pod_label_app", "checkout"),
        ("__meta_kubernetes_pod_label_version", "v17"),
        ("__meta_kubernetes_pod_name", "checkout-6d5f7c9b8d-x2x7q"),
        (
            "__meta_kubernetes_pod_node_name",
            "ip-10-1-2-3.eu-central-1.compute.internal",
        ),
        ("env", "prod"),
        ("job", "kubernetes-pods"),
    ]
    .into_iter()
    .collect()
}

fn rule(settings: Settings) -> Rule {
    Rule::new(settings).expect("a good rule")
}

fn of(action: Action, sources: &[&str], regex: &str, target: &str, replacement: &str) -> Rule {
    rule(Settings {
        action,
        source_labels: sources.iter().map(|&source| source.to_owned()).collect(),
        regex: regex.to_owned(),
        target_label: target.to_owned(),
        replacement: replacement.to_owned(),
        modulus: u64::from(action == Action::HashMod) * 16,
        ..Settings::default()
    })
}

fn job() -> Vec<Rule> {
    const SCRAPE: &str = "__meta_kubernetes_pod_annotation_prometheus_io_scrape";
    const PORT: &str = "__meta_kubernetes_pod_annotation_prometheus_io_port";
    vec![
        of(Action::Keep, &[SCRAPE], "true", "", "$1"),
        of(
            Action::Replace,
            &["__address__", PORT],
            r"([^:]+)(?::\d+)?;(\d+)",
            "__address__",
            "$1:$2",
        ),
        of(
            Action::LabelMap,
            &[],
            "__meta_kubernetes_pod_label_(.+)",
            "",
            "$1",
        ),
        of(
            Action::Replace,
            &["__meta_kubernetes_namespace"],
            "(.*)",
            "namespace",
            "$1",
        ),
        of(Action::LabelDrop, &[], "__meta_.*", "", "$1"),
    ]
}

fn relabel(criterion: &mut Criterion) {
    let cases = [
        (
            "replace, default pattern",
            vec![of(Action::Replace, &["job"], "(.*)", "service", "$1")],
        ),
        (
            "replace, groups",
            vec![of(
                Action::Replace,
                &["__address__"],
                r"(.*):(\d+)",
                "port",
                "${2}",
            )],
        ),
        (
            "keep",
            vec![of(Action::Keep, &["env"], "prod|staging", "", "$1")],
        ),
        (
            "hashmod",
            vec![of(Action::HashMod, &["__address__"], "(.*)", "shard", "$1")],
        ),
        (
            "labelmap",
            vec![of(
                Action::LabelMap,
                &[],
                "__meta_kubernetes_pod_label_(.+)",
                "",
                "$1",
            )],
        ),
        (
            "labeldrop",
            vec![of(Action::LabelDrop, &[], "__meta_.*", "", "$1")],
        ),
        ("five rules of a job", job()),
    ];
    let labels = labels();
    let mut scratch = Scratch::default();
    let mut set = LabelSet::new();
    for (name, rules) in cases {
        let rules = Rules::new(rules);
        criterion.bench_function(name, |bench| {
            bench.iter(|| {
                set.clone_from(&labels);
                black_box(rules.apply(&mut set, &mut scratch))
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = relabel
}
criterion_main!(benches);
