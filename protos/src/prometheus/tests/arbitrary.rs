//! Expositions and requests of many shapes, for property tests.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use crate::prometheus::messages::{BucketSpan, Count, Histogram, ZeroCount, client, v1};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "[a-z/.\"\\\\\n{},= é]{1,10}"]
}

/// Text that is an exposition, or nearly one.
pub(super) fn exposition() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("a{b=\"c\"} 1\n".to_owned()),
        Just("{\"x.y\",c=\"d\\\"\"} 2 3\n".to_owned()),
        Just("# TYPE a histogram\n".to_owned()),
        Just("# HELP a some \\n text\n".to_owned()),
        Just("a{b=\"c\"} 1 # {d=\"e\"} 2 3\n".to_owned()),
        Just("# EOF\n".to_owned()),
        "[a\"{}=, #\\\\\n1]{0,8}",
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Labels in order, each once, with a name.
fn labels() -> impl Strategy<Value = Vec<v1::Label>> {
    btree_map("[a-z]{1,5}", text(), 0..5).prop_map(|mut labels| {
        labels.insert("__name__".to_owned(), "up".to_owned());
        labels
            .into_iter()
            .map(|(name, value)| v1::Label { name, value })
            .collect()
    })
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![Just(1_767_225_600_000), any::<i64>()]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-1000.0..1000.0, Just(f64::INFINITY), Just(0.0)]
}

fn exemplar() -> impl Strategy<Value = v1::Exemplar> {
    (labels(), number(), time()).prop_map(|(mut labels, value, timestamp)| {
        labels.retain(|label| label.name != "__name__");
        v1::Exemplar {
            labels,
            value,
            timestamp,
        }
    })
}

fn sample() -> impl Strategy<Value = v1::Sample> {
    (number(), time(), time()).prop_map(|(value, timestamp, start_timestamp)| v1::Sample {
        value,
        timestamp,
        start_timestamp,
    })
}

/// Consistent native histograms, of integers and of floats.
pub(super) fn histogram() -> impl Strategy<Value = Histogram> {
    let buckets = vec((0i32..3, 0u64..100), 0..6);
    (buckets, any::<bool>(), -4i32..=8, 0u64..10, time()).prop_map(
        |(buckets, is_float, schema, zero, timestamp)| {
            let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
            let total = counts.iter().sum::<u64>() + zero;
            let spans = buckets.iter().map(|(offset, _)| BucketSpan {
                offset: *offset,
                length: 1,
            });
            let mut before = 0;
            let deltas = counts.iter().map(|count| {
                let delta = *count as i64 - before;
                before = *count as i64;
                delta
            });
            Histogram {
                count: Some(match is_float {
                    true => Count::Float(total as f64),
                    false => Count::Int(total),
                }),
                zero_count: Some(match is_float {
                    true => ZeroCount::Float(zero as f64),
                    false => ZeroCount::Int(zero),
                }),
                sum: 1.5,
                schema,
                zero_threshold: 0.001,
                positive_spans: spans.collect(),
                positive_deltas: if is_float {
                    Vec::new()
                } else {
                    deltas.collect()
                },
                positive_counts: match is_float {
                    true => counts.iter().map(|count| *count as f64).collect(),
                    false => Vec::new(),
                },
                timestamp,
                ..Histogram::default()
            }
        },
    )
}

fn series() -> impl Strategy<Value = v1::TimeSeries> {
    let samples = vec(sample(), 1..3).prop_map(|samples| (samples, Vec::new()));
    let histograms = vec(histogram(), 1..3).prop_map(|histograms| (Vec::new(), histograms));
    let values = prop_oneof![4 => samples, 1 => histograms];
    (labels(), values, vec(exemplar(), 0..2)).prop_map(
        |(labels, (samples, histograms), exemplars)| v1::TimeSeries {
            labels,
            samples,
            exemplars,
            histograms,
        },
    )
}

/// Requests that keep every rule.
pub(super) fn request() -> impl Strategy<Value = v1::WriteRequest> {
    let metadata = (1i32..8, text(), text()).prop_map(|(kind, help, unit)| v1::MetricMetadata {
        kind,
        metric_family_name: "up".to_owned(),
        help,
        unit,
    });
    (vec(series(), 0..6), of(metadata)).prop_map(|(timeseries, metadata)| v1::WriteRequest {
        timeseries,
        metadata: metadata.into_iter().collect(),
    })
}

/// Families of every kind.
pub(super) fn family() -> impl Strategy<Value = client::MetricFamily> {
    let metric = (
        labels(),
        number(),
        vec((0u64..50, 0.0..10.0), 0..4),
        of(0i64..2_000_000_000_000),
    );
    (0i32..6, vec(metric, 0..4), of(Just("seconds"))).prop_map(|(kind, metrics, unit)| {
        let metric = metrics.into_iter().map(|(label, value, parts, time)| {
            let number = client::Number { value };
            let buckets = parts.iter().map(|(count, bound)| client::Bucket {
                cumulative_count: *count,
                upper_bound: *bound,
                ..client::Bucket::default()
            });
            client::Metric {
                label: label
                    .into_iter()
                    .filter(|label| label.name != "__name__")
                    .collect(),
                gauge: (kind == 1).then_some(number),
                counter: (kind == 0).then_some(client::Counter {
                    value,
                    ..client::Counter::default()
                }),
                untyped: (kind == 3).then_some(number),
                summary: (kind == 2).then(|| client::Summary {
                    sample_count: 3,
                    sample_sum: value,
                    quantile: parts
                        .iter()
                        .map(|(count, quantile)| client::Quantile {
                            quantile: *quantile,
                            value: *count as f64,
                        })
                        .collect(),
                    start_timestamp: None,
                }),
                histogram: (kind > 3).then(|| client::Histogram {
                    sample_count: 3,
                    sample_sum: value,
                    bucket: buckets.collect(),
                    ..client::Histogram::default()
                }),
                timestamp_ms: time.unwrap_or_default(),
            }
        });
        client::MetricFamily {
            name: "family".to_owned(),
            help: "Helps".to_owned(),
            kind: Some(kind),
            metric: metric.collect(),
            unit: unit.unwrap_or_default().to_owned(),
        }
    })
}
