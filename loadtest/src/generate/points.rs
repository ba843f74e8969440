//! Data points: counters, gauges and histograms, about as often as a service has them.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
    },
};
use prost::Message;
use rand::{Rng, rngs::StdRng};

use super::{BASE_TIME, Profile, item_size, resource, scope, shares, string, text};
use crate::number::{ATTRIBUTE, ATTRIBUTE_LENGTH};

/// How many points a metric has: its label combinations in one process.
const POINTS_PER_METRIC: usize = 8;

/// The bucket bounds of a histogram of durations, in seconds.
const BOUNDS: [f64; 5] = [0.01, 0.1, 0.5, 1.0, 5.0];

/// Appends an encoded request to `out`.
pub(super) fn encode(profile: &Profile, rng: &mut StdRng, out: &mut Vec<u8>) {
    let resource_metrics = shares(profile)
        .map(|items| ResourceMetrics {
            resource: Some(resource(rng)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: (0..items)
                    .step_by(POINTS_PER_METRIC)
                    .map(|at| metric(profile, rng, POINTS_PER_METRIC.min(items - at)))
                    .collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .collect();
    let request = ExportMetricsServiceRequest { resource_metrics };
    request.encode(out).expect("a Vec has room for any message");
}

fn metric(profile: &Profile, rng: &mut StdRng, points: usize) -> Metric {
    let temporality = AggregationTemporality::Cumulative as i32;
    let (name, unit, data) = match rng.random_range(0..10) {
        0..6 => {
            let data_points = (0..points).map(|_| count(profile, rng)).collect();
            let sum = Sum {
                data_points,
                aggregation_temporality: temporality,
                is_monotonic: true,
            };
            ("http.server.requests", "{request}", metric::Data::Sum(sum))
        }
        6..9 => {
            let data_points = (0..points).map(|_| gauge(profile, rng)).collect();
            (
                "process.memory.usage",
                "By",
                metric::Data::Gauge(Gauge { data_points }),
            )
        }
        _ => {
            let data_points = (0..points).map(|_| histogram(profile, rng)).collect();
            let histogram = Histogram {
                data_points,
                aggregation_temporality: temporality,
            };
            (
                "http.server.request.duration",
                "s",
                metric::Data::Histogram(histogram),
            )
        }
    };
    Metric {
        name: name.into(),
        unit: unit.into(),
        data: Some(data),
        ..Default::default()
    }
}

fn count(profile: &Profile, rng: &mut StdRng) -> NumberDataPoint {
    let value = number_data_point::Value::AsInt(rng.random_range(0..1_000_000));
    number(profile, rng, value)
}

fn gauge(profile: &Profile, rng: &mut StdRng) -> NumberDataPoint {
    let value = number_data_point::Value::AsDouble(f64::from(rng.random_range(0..1 << 30)));
    number(profile, rng, value)
}

fn number(profile: &Profile, rng: &mut StdRng, value: number_data_point::Value) -> NumberDataPoint {
    let mut point = NumberDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: BASE_TIME,
        time_unix_nano: BASE_TIME + rng.random_range(0..1_000_000_000),
        value: Some(value),
        ..Default::default()
    };
    let room = item_size(profile, rng).saturating_sub(point.encoded_len());
    point.attributes.extend(filler(rng, room));
    point
}

fn histogram(profile: &Profile, rng: &mut StdRng) -> HistogramDataPoint {
    let buckets: Vec<u64> = (0..=BOUNDS.len())
        .map(|_| rng.random_range(0..5000))
        .collect();
    let mut point = HistogramDataPoint {
        attributes: attributes(rng),
        start_time_unix_nano: BASE_TIME,
        time_unix_nano: BASE_TIME + rng.random_range(0..1_000_000_000),
        count: buckets.iter().sum(),
        sum: Some(f64::from(rng.random_range(0..1 << 20))),
        bucket_counts: buckets,
        explicit_bounds: BOUNDS.to_vec(),
        ..Default::default()
    };
    let room = item_size(profile, rng).saturating_sub(point.encoded_len());
    point.attributes.extend(filler(rng, room));
    point
}

/// The attribute for the number comes first, so that a reader finds it at once.
fn attributes(rng: &mut StdRng) -> Vec<KeyValue> {
    vec![
        string(ATTRIBUTE, "0".repeat(ATTRIBUTE_LENGTH)),
        string(
            "http.route",
            text::ROUTES[rng.random_range(0..text::ROUTES.len())],
        ),
    ]
}

/// An attribute that takes about `room` bytes, if there is room for one.
fn filler(rng: &mut StdRng, room: usize) -> Option<KeyValue> {
    let key = "error.type";
    let length = room.checked_sub(key.len() + 8)?;
    Some(string(key, text::sentence(rng, length)))
}
