//! `normal` verbosity: one line for each resource, scope and item.

use std::fmt::Write;

use protos::{
    Signal,
    otlp::{
        ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
        common::v1::{InstrumentationScope, KeyValue},
        metrics::v1::{Metric, metric::Data, number_data_point},
        resource::v1::Resource,
    },
};

use super::text::{hex, pairs, plain};

/// The text of a request.
pub(super) fn text(signal: Signal, body: &[u8]) -> Result<String, prost::DecodeError> {
    let mut text = String::new();
    match signal {
        Signal::Logs => logs(&mut text, &ExportLogsServiceRequest::decode(body)?),
        Signal::Metrics => metrics(&mut text, &ExportMetricsServiceRequest::decode(body)?),
        Signal::Traces => traces(&mut text, &ExportTraceServiceRequest::decode(body)?),
    }
    Ok(text)
}

/// Writing to a `String` cannot fail.
macro_rules! line {
    ($text:expr, $($words:tt)*) => {{ let _ = writeln!($text, $($words)*); }};
}

fn logs(text: &mut String, request: &ExportLogsServiceRequest) {
    for (number, resource) in request.resource_logs.iter().enumerate() {
        head(
            text,
            "ResourceLog",
            number,
            &resource.schema_url,
            resource.resource.as_ref(),
        );
        for (number, scope) in resource.scope_logs.iter().enumerate() {
            scope_head(
                text,
                "ScopeLog",
                number,
                &scope.schema_url,
                scope.scope.as_ref(),
            );
            for record in &scope.log_records {
                line!(
                    text,
                    "{}{}",
                    plain(record.body.as_ref()),
                    pairs(&record.attributes)
                );
            }
        }
    }
}

fn traces(text: &mut String, request: &ExportTraceServiceRequest) {
    for (number, resource) in request.resource_spans.iter().enumerate() {
        head(
            text,
            "ResourceTraces",
            number,
            &resource.schema_url,
            resource.resource.as_ref(),
        );
        for (number, scope) in resource.scope_spans.iter().enumerate() {
            scope_head(
                text,
                "ScopeTraces",
                number,
                &scope.schema_url,
                scope.scope.as_ref(),
            );
            for span in &scope.spans {
                let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
                line!(
                    text,
                    "{} {trace} {id}{}",
                    span.name,
                    pairs(&span.attributes)
                );
            }
        }
    }
}

fn metrics(text: &mut String, request: &ExportMetricsServiceRequest) {
    for (number, resource) in request.resource_metrics.iter().enumerate() {
        head(
            text,
            "ResourceMetrics",
            number,
            &resource.schema_url,
            resource.resource.as_ref(),
        );
        for (number, scope) in resource.scope_metrics.iter().enumerate() {
            scope_head(
                text,
                "ScopeMetrics",
                number,
                &scope.schema_url,
                scope.scope.as_ref(),
            );
            scope.metrics.iter().for_each(|metric| points(text, metric));
        }
    }
}

fn points(text: &mut String, metric: &Metric) {
    let name = |attributes: &[KeyValue]| {
        format!(
            "{}{{{}}}",
            metric.name,
            pairs(attributes).trim_start().replace(' ', ",")
        )
    };
    match &metric.data {
        Some(Data::Gauge(gauge)) => numbers(text, name, &gauge.data_points),
        Some(Data::Sum(sum)) => numbers(text, name, &sum.data_points),
        Some(Data::Histogram(histogram)) => {
            for point in &histogram.data_points {
                let range = range(point.count, point.sum, point.min, point.max);
                let bounds = point.explicit_bounds.iter().map(f64::to_string);
                let bounds = bounds.chain(["+Inf".to_owned()]);
                let buckets: String = bounds
                    .zip(&point.bucket_counts)
                    .map(|(bound, count)| format!(" le{bound}={count}"))
                    .collect();
                line!(text, "{} {range}{buckets}", name(&point.attributes));
            }
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            for point in &histogram.data_points {
                let range = range(point.count, point.sum, point.min, point.max);
                line!(text, "{} {range}", name(&point.attributes));
            }
        }
        Some(Data::Summary(summary)) => {
            for point in &summary.data_points {
                let quantile = |at: &_| {
                    let protos::otlp::metrics::v1::summary_data_point::ValueAtQuantile {
                        quantile,
                        value,
                    } = at;
                    format!(" q{quantile}={value}")
                };
                let quantiles: String = point.quantile_values.iter().map(quantile).collect();
                let (count, sum) = (point.count, point.sum);
                line!(
                    text,
                    "{} count={count} sum={sum}{quantiles}",
                    name(&point.attributes)
                );
            }
        }
        None => line!(text, "{} (no data)", metric.name),
    }
}

fn numbers(
    text: &mut String,
    name: impl Fn(&[KeyValue]) -> String,
    points: &[protos::otlp::metrics::v1::NumberDataPoint],
) {
    for point in points {
        let value = match point.value {
            Some(number_data_point::Value::AsInt(value)) => value.to_string(),
            Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
            None => "(no value)".to_owned(),
        };
        line!(text, "{} {value}", name(&point.attributes));
    }
}

fn range(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let mut text = format!("count={count}");
    for (name, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

fn head(
    text: &mut String,
    kind: &str,
    number: usize,
    schema_url: &str,
    resource: Option<&Resource>,
) {
    let schema = schema(schema_url);
    let attributes = resource.map_or_else(String::new, |resource| pairs(&resource.attributes));
    line!(text, "{kind} #{number}{schema}{attributes}");
}

fn scope_head(
    text: &mut String,
    kind: &str,
    number: usize,
    schema_url: &str,
    scope: Option<&InstrumentationScope>,
) {
    let schema = schema(schema_url);
    let scope = scope.map_or_else(String::new, |scope| {
        let version = if scope.version.is_empty() { "" } else { "@" };
        format!(
            " {}{version}{}{}",
            scope.name,
            scope.version,
            pairs(&scope.attributes)
        )
    });
    line!(text, "{kind} #{number}{schema}{scope}");
}

fn schema(url: &str) -> String {
    if url.is_empty() {
        String::new()
    } else {
        format!(" [{url}]")
    }
}

#[cfg(test)]
mod tests {
    use protos::otlp::{
        common::v1::{AnyValue, any_value::Value},
        metrics::v1::{
            Gauge, Histogram, HistogramDataPoint, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        },
    };

    use super::*;

    #[test]
    fn a_metric_is_a_line_for_each_point() {
        let attributes = vec![KeyValue {
            key: "host".to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("a".to_owned())),
            }),
            ..KeyValue::default()
        }];
        let point = NumberDataPoint {
            attributes: attributes.clone(),
            value: Some(number_data_point::Value::AsInt(7)),
            ..NumberDataPoint::default()
        };
        let histogram = HistogramDataPoint {
            count: 3,
            sum: Some(1.5),
            explicit_bounds: vec![0.5],
            bucket_counts: vec![1, 2],
            ..HistogramDataPoint::default()
        };
        let metric = |name: &str, data| Metric {
            name: name.to_owned(),
            data: Some(data),
            ..Metric::default()
        };
        let scope = ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "lib".to_owned(),
                version: "1".to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: vec![
                metric(
                    "load",
                    Data::Gauge(Gauge {
                        data_points: vec![point],
                    }),
                ),
                metric(
                    "time",
                    Data::Histogram(Histogram {
                        data_points: vec![histogram],
                        aggregation_temporality: 2,
                    }),
                ),
            ],
            schema_url: String::new(),
        };
        let resource = Resource {
            attributes,
            ..Resource::default()
        };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![scope],
                schema_url: "s".to_owned(),
            }],
        };
        assert_eq!(
            text(Signal::Metrics, &request.encode_to_vec()).unwrap(),
            "ResourceMetrics #0 [s] host=a\nScopeMetrics #0 lib@1\nload{host=a} 7\n\
             time{} count=3 sum=1.5 le0.5=1 le+Inf=2\n"
        );
    }
}
