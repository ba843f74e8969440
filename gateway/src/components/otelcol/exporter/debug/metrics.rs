//! `detailed` verbosity of metrics: all five kinds of data points.

use std::fmt::Write;

use protos::otlp::{
    common::v1::KeyValue,
    metrics::v1::{
        Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
        SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point,
    },
};

use super::{
    detailed::{attributes, line, nested, word},
    text::{hex, time},
};

/// A metric and its points.
pub(super) fn metric(text: &mut String, metric: &Metric) {
    line!(text, "Descriptor:");
    line!(text, "     -> Name: {}", metric.name);
    line!(text, "     -> Description: {}", metric.description);
    line!(text, "     -> Unit: {}", metric.unit);
    nested(text, "Metadata", &metric.metadata);
    let kind = match metric.data {
        Some(Data::Gauge(_)) => "Gauge",
        Some(Data::Sum(_)) => "Sum",
        Some(Data::Histogram(_)) => "Histogram",
        Some(Data::ExponentialHistogram(_)) => "ExponentialHistogram",
        Some(Data::Summary(_)) => "Summary",
        None => "Empty",
    };
    line!(text, "     -> DataType: {kind}");
    match &metric.data {
        Some(Data::Gauge(gauge)) => each(text, "Number", &gauge.data_points, number),
        Some(Data::Sum(sum)) => {
            line!(text, "     -> IsMonotonic: {}", sum.is_monotonic);
            temporality(text, sum.aggregation_temporality);
            each(text, "Number", &sum.data_points, number);
        }
        Some(Data::Histogram(data)) => {
            temporality(text, data.aggregation_temporality);
            each(text, "Histogram", &data.data_points, histogram);
        }
        Some(Data::ExponentialHistogram(data)) => {
            temporality(text, data.aggregation_temporality);
            each(text, "ExponentialHistogram", &data.data_points, exponential);
        }
        Some(Data::Summary(data)) => each(text, "Summary", &data.data_points, summary),
        None => {}
    }
}

fn temporality(text: &mut String, number: i32) {
    let word = word(&["Unspecified", "Delta", "Cumulative"], number);
    line!(text, "     -> AggregationTemporality: {word}");
}

fn each<T>(text: &mut String, kind: &str, points: &[T], write: fn(&mut String, &T)) {
    for (number, point) in points.iter().enumerate() {
        line!(text, "{kind}DataPoints #{number}");
        write(text, point);
    }
}

fn head(text: &mut String, pairs: &[KeyValue], start: u64, end: u64) {
    attributes(text, "Data point attributes", pairs);
    line!(text, "StartTimestamp: {}", time(start));
    line!(text, "Timestamp: {}", time(end));
}

fn number(text: &mut String, point: &NumberDataPoint) {
    head(
        text,
        &point.attributes,
        point.start_time_unix_nano,
        point.time_unix_nano,
    );
    match point.value {
        Some(number_data_point::Value::AsInt(value)) => line!(text, "Value: {value}"),
        Some(number_data_point::Value::AsDouble(value)) => line!(text, "Value: {value:.6}"),
        None => line!(text, "Value: "),
    }
    exemplars(text, &point.exemplars);
}

fn range(text: &mut String, count: u64, values: [Option<f64>; 3]) {
    line!(text, "Count: {count}");
    for (name, value) in ["Sum", "Min", "Max"].into_iter().zip(values) {
        if let Some(value) = value {
            line!(text, "{name}: {value:.6}");
        }
    }
}

fn histogram(text: &mut String, point: &HistogramDataPoint) {
    head(
        text,
        &point.attributes,
        point.start_time_unix_nano,
        point.time_unix_nano,
    );
    range(text, point.count, [point.sum, point.min, point.max]);
    for (number, bound) in point.explicit_bounds.iter().enumerate() {
        line!(text, "ExplicitBounds #{number}: {bound:.6}");
    }
    for (number, count) in point.bucket_counts.iter().enumerate() {
        line!(text, "Buckets #{number}, Count: {count}");
    }
    exemplars(text, &point.exemplars);
}

fn exponential(text: &mut String, point: &ExponentialHistogramDataPoint) {
    head(
        text,
        &point.attributes,
        point.start_time_unix_nano,
        point.time_unix_nano,
    );
    range(text, point.count, [point.sum, point.min, point.max]);
    // Bucket i of scale s is (b^i, b^(i+1)] with b = 2^(2^-s).
    let factor = 2_f64.powi(-point.scale) * std::f64::consts::LN_2;
    let bounds = |buckets: &Buckets, index: usize| {
        let exponent = f64::from(buckets.offset) + index as f64;
        ((exponent * factor).exp(), ((exponent + 1.0) * factor).exp())
    };
    if let Some(buckets) = &point.negative {
        for (index, count) in buckets.bucket_counts.iter().enumerate().rev() {
            let (near, far) = bounds(buckets, index);
            line!(text, "Bucket [{:.6}, {:.6}), Count: {count}", -far, -near);
        }
    }
    if point.zero_count != 0 {
        line!(text, "Bucket [0, 0], Count: {}", point.zero_count);
    }
    if let Some(buckets) = &point.positive {
        for (index, count) in buckets.bucket_counts.iter().enumerate() {
            let (near, far) = bounds(buckets, index);
            line!(text, "Bucket ({near:.6}, {far:.6}], Count: {count}");
        }
    }
    exemplars(text, &point.exemplars);
}

fn summary(text: &mut String, point: &SummaryDataPoint) {
    head(
        text,
        &point.attributes,
        point.start_time_unix_nano,
        point.time_unix_nano,
    );
    line!(text, "Count: {}", point.count);
    line!(text, "Sum: {:.6}", point.sum);
    for (number, at) in point.quantile_values.iter().enumerate() {
        let (quantile, value) = (at.quantile, at.value);
        line!(
            text,
            "QuantileValue #{number}: Quantile {quantile:.6}, Value {value:.6}"
        );
    }
}

fn exemplars(text: &mut String, exemplars: &[Exemplar]) {
    if !exemplars.is_empty() {
        line!(text, "Exemplars:");
    }
    for (number, exemplar) in exemplars.iter().enumerate() {
        line!(text, "Exemplar #{number}");
        line!(text, "     -> Trace ID: {}", hex(&exemplar.trace_id));
        line!(text, "     -> Span ID: {}", hex(&exemplar.span_id));
        line!(text, "     -> Timestamp: {}", time(exemplar.time_unix_nano));
        match exemplar.value {
            Some(exemplar::Value::AsInt(value)) => line!(text, "     -> Value: {value}"),
            Some(exemplar::Value::AsDouble(value)) => line!(text, "     -> Value: {value:.6}"),
            None => {}
        }
        nested(text, "FilteredAttributes", &exemplar.filtered_attributes);
    }
}

#[cfg(test)]
mod tests {
    use protos::otlp::metrics::v1::{ExponentialHistogram, Sum};

    use super::*;

    fn shown(data: Data) -> String {
        let mut text = String::new();
        metric(
            &mut text,
            &Metric {
                data: Some(data),
                ..Metric::default()
            },
        );
        text
    }

    #[test]
    fn a_sum_shows_its_kind_and_values() {
        let point = NumberDataPoint {
            value: Some(number_data_point::Value::AsDouble(1.5)),
            exemplars: vec![Exemplar {
                value: Some(exemplar::Value::AsInt(4)),
                ..Exemplar::default()
            }],
            ..NumberDataPoint::default()
        };
        let sum = Sum {
            data_points: vec![point],
            aggregation_temporality: 2,
            is_monotonic: true,
        };
        let text = shown(Data::Sum(sum));
        for line in [
            "     -> DataType: Sum\n     -> IsMonotonic: true\n",
            "     -> AggregationTemporality: Cumulative\nNumberDataPoints #0\n",
            "Value: 1.500000\nExemplars:\nExemplar #0\n",
            "     -> Value: 4\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn exponential_buckets_have_their_bounds() {
        let buckets = || {
            Some(Buckets {
                offset: 1,
                bucket_counts: vec![5, 6],
            })
        };
        let point = ExponentialHistogramDataPoint {
            zero_count: 7,
            positive: buckets(),
            negative: buckets(),
            ..ExponentialHistogramDataPoint::default()
        };
        let data = ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: 1,
        };
        let text = shown(Data::ExponentialHistogram(data));
        let expected = "\
Bucket [-8.000000, -4.000000), Count: 6
Bucket [-4.000000, -2.000000), Count: 5
Bucket [0, 0], Count: 7
Bucket (2.000000, 4.000000], Count: 5
Bucket (4.000000, 8.000000], Count: 6
";
        assert!(text.ends_with(expected), "{text}");
    }
}
