//! Requests, honest and hostile.

use corten::batch::Signal;
use prost::Message;
use protos::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

/// A request of one signal with this many items.
pub(crate) fn request(signal: Signal, items: u64) -> Vec<u8> {
    match signal {
        Signal::Logs => {
            let record = |n: u64| LogRecord {
                time_unix_nano: n,
                body: Some(AnyValue {
                    value: Some(Value::StringValue(format!("line {n}"))),
                }),
                ..LogRecord::default()
            };
            let log_records = (0..items).map(record).collect();
            let scope = ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            };
            let resource = ResourceLogs {
                scope_logs: vec![scope],
                ..ResourceLogs::default()
            };
            ExportLogsServiceRequest {
                resource_logs: vec![resource],
            }
            .encode_to_vec()
        }
        Signal::Metrics => {
            let point = |n| NumberDataPoint {
                time_unix_nano: n,
                ..NumberDataPoint::default()
            };
            let data = Gauge {
                data_points: (0..items).map(point).collect(),
            };
            let metric = Metric {
                data: Some(Data::Gauge(data)),
                ..Metric::default()
            };
            let scope = ScopeMetrics {
                metrics: vec![metric],
                ..ScopeMetrics::default()
            };
            let resource = ResourceMetrics {
                scope_metrics: vec![scope],
                ..ResourceMetrics::default()
            };
            ExportMetricsServiceRequest {
                resource_metrics: vec![resource],
            }
            .encode_to_vec()
        }
        Signal::Traces => {
            let span = |n: u64| Span {
                trace_id: vec![1; 16],
                span_id: n.to_be_bytes().to_vec(),
                name: format!("span {n}"),
                ..Span::default()
            };
            let scope = ScopeSpans {
                spans: (0..items).map(span).collect(),
                ..ScopeSpans::default()
            };
            let resource = ResourceSpans {
                scope_spans: vec![scope],
                ..ResourceSpans::default()
            };
            ExportTraceServiceRequest {
                resource_spans: vec![resource],
            }
            .encode_to_vec()
        }
    }
}

/// A log record in OTLP/JSON.
pub(crate) const JSON_LOGS: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[
    {"timeUnixNano":"1","body":{"stringValue":"line"}}]}]}]}"#;

/// Field 1, length-delimited, around a message.
fn wrap(message: &[u8]) -> Vec<u8> {
    let mut wrapped = vec![0x0a];
    prost::encoding::encode_varint(message.len() as u64, &mut wrapped);
    wrapped.extend_from_slice(message);
    wrapped
}

/// Spans of no bytes each: two bytes on the wire, 264 in memory.
pub(crate) fn element_bomb() -> Vec<u8> {
    let spans = [0x12, 0x00].repeat(5 << 20);
    let mut scope = vec![0x12];
    prost::encoding::encode_varint(spans.len() as u64, &mut scope);
    scope.extend_from_slice(&spans);
    wrap(&scope)
}

/// A log record whose body is an array in an array in an array...
pub(crate) fn deep(levels: usize) -> Vec<u8> {
    let mut value = AnyValue {
        value: Some(Value::BoolValue(true)),
    }
    .encode_to_vec();
    for _ in 0..levels {
        // An AnyValue's array is field 5, and the array's values are field 1.
        let array = wrap(&value);
        value = vec![0x2a];
        prost::encoding::encode_varint(array.len() as u64, &mut value);
        value.extend_from_slice(&array);
    }
    let mut record = vec![0x2a];
    prost::encoding::encode_varint(value.len() as u64, &mut record);
    record.extend_from_slice(&value);
    let tag = |number: u8, message: &[u8]| {
        let mut field = vec![number << 3 | 2];
        prost::encoding::encode_varint(message.len() as u64, &mut field);
        field.extend_from_slice(message);
        field
    };
    tag(1, &tag(2, &tag(2, &record)))
}
