//! What looking at a request costs: the walk of `check` beside a full decode of the same bytes, and
//! what splitting and translating it costs.
//!
//! The bodies are 512 log records of about 360 bytes, 512 spans of about 800 and 512 data points of
//! about 200, with the attributes that SDKs send.

use std::hint::black_box;
use std::num::NonZeroU64;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protos::otlp::common::v1::any_value::Value;
use protos::otlp::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use protos::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use protos::otlp::metrics::v1::metric::Data;
use protos::otlp::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use protos::otlp::resource::v1::Resource;
use protos::otlp::trace::v1::span::Event;
use protos::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use protos::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};
use protos::{Budget, Grain, Signal, check, json, split, split_items};

/// Items in a body.
const ITEMS: usize = 512;

const TIME: u64 = 1_767_225_600_000_000_000;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![
            text("service.name", "checkout"),
            text("service.version", "2.14.3"),
            text("k8s.pod.name", "checkout-6d5f7c9b8d-x2x7q"),
            text("telemetry.sdk.language", "rust"),
        ],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "shop.checkout".to_owned(),
        version: "0.4.0".to_owned(),
        ..InstrumentationScope::default()
    })
}

fn id(item: usize, len: usize) -> Vec<u8> {
    (0..len).map(|byte| (item * 31 + byte * 7) as u8).collect()
}

/// Log records of about 360 bytes.
fn logs() -> Vec<u8> {
    let log_records = (0..ITEMS).map(|item| LogRecord {
        time_unix_nano: TIME + item as u64,
        observed_time_unix_nano: TIME + item as u64 + 1000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!(
                "order {item} accepted for customer c-{} after 3 checks, payment is pending at the \
                 provider and will be asked for again in 30 s",
                item * 7919
            ))),
        }),
        attributes: vec![
            text("http.request.method", "POST"),
            text("url.path", format!("/api/v1/orders/{item}")),
            int("http.response.status_code", 202),
            text("log.logger", "shop.orders"),
            text("thread.name", "worker-7"),
        ],
        trace_id: id(item, 16),
        span_id: id(item, 8),
        flags: 1,
        ..LogRecord::default()
    });
    let scope = ScopeLogs {
        scope: scope(),
        log_records: log_records.collect(),
        ..ScopeLogs::default()
    };
    let resource = ResourceLogs {
        resource: resource(),
        scope_logs: vec![scope],
        ..ResourceLogs::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![resource],
    }
    .encode_to_vec()
}

/// Spans of about 800 bytes.
fn traces() -> Vec<u8> {
    let spans = (0..ITEMS).map(|item| Span {
        trace_id: id(item / 8, 16),
        span_id: id(item, 8),
        parent_span_id: id(item / 2, 8),
        name: "POST /api/v1/orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: TIME + item as u64,
        end_time_unix_nano: TIME + item as u64 + 4_000_000,
        attributes: vec![
            text("http.request.method", "POST"),
            text("http.route", "/api/v1/orders/{id}"),
            text(
                "url.full",
                format!("https://shop.example.com/api/v1/orders/{item}?expand=lines"),
            ),
            int("http.response.status_code", 202),
            text(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
            ),
            text("client.address", "203.0.113.77"),
            text("server.address", "shop.example.com"),
            int("server.port", 443),
            text("network.protocol.version", "1.1"),
            text("enduser.id", format!("customer-{}", item * 7919)),
            text(
                "k8s.node.name",
                "ip-10-42-17-203.eu-central-1.compute.internal",
            ),
            text("thread.name", "http-worker-17"),
            int("thread.id", 217),
        ],
        events: vec![Event {
            time_unix_nano: TIME + item as u64 + 1_000_000,
            name: "payment.requested".to_owned(),
            attributes: vec![
                text("payment.provider", "example-pay"),
                int("payment.attempt", 1),
                text("payment.reference", format!("ref-{item}-20260101")),
            ],
            ..Event::default()
        }],
        status: Some(Status {
            code: 1,
            ..Status::default()
        }),
        flags: 0x101,
        ..Span::default()
    });
    let scope = ScopeSpans {
        scope: scope(),
        spans: spans.collect(),
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        resource: resource(),
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource],
    }
    .encode_to_vec()
}

/// Data points of about 200 bytes, 16 to a metric.
fn metrics() -> Vec<u8> {
    let point = |item: usize| NumberDataPoint {
        attributes: vec![
            text("http.request.method", "POST"),
            text("http.route", format!("/api/v1/orders/{{id}}/{}", item % 16)),
            int("http.response.status_code", 200 + item as i64 % 5),
            text("server.address", "shop.example.com"),
            text("network.protocol.name", "http"),
        ],
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + item as u64,
        value: Some(number_data_point::Value::AsInt(item as i64)),
        ..NumberDataPoint::default()
    };
    let metrics = (0..ITEMS / 16).map(|metric| Metric {
        name: format!("http.server.requests.{metric}"),
        description: "Requests that were served".to_owned(),
        unit: "{request}".to_owned(),
        data: Some(Data::Sum(Sum {
            data_points: (metric * 16..metric * 16 + 16).map(point).collect(),
            aggregation_temporality: 2,
            is_monotonic: true,
        })),
        ..Metric::default()
    });
    let scope = ScopeMetrics {
        scope: scope(),
        metrics: metrics.collect(),
        ..ScopeMetrics::default()
    };
    let resource = ResourceMetrics {
        resource: resource(),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![resource],
    }
    .encode_to_vec()
}

fn walk(criterion: &mut Criterion) {
    let bodies = [
        (Signal::Logs, logs()),
        (Signal::Traces, traces()),
        (Signal::Metrics, metrics()),
    ];
    for (signal, body) in bodies {
        let body = Bytes::from(body);
        let counts = check(signal, &body, &Budget::default()).expect("the body is well formed");
        assert_eq!(counts.items, ITEMS as u64);
        let mut group =
            criterion.benchmark_group(format!("{signal} of {} bytes", body.len() / ITEMS));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("check", |bench| {
            bench.iter(|| check(signal, black_box(&body), &Budget::default()));
        });
        group.bench_function("count_items", |bench| {
            bench.iter(|| protos::count_items(signal, black_box(&body)));
        });
        group.bench_function("split in 3", |bench| {
            bench.iter(|| {
                let mut item = 0;
                split(signal, black_box(&body), Grain::Entry, |_| {
                    item += 1;
                    item % 3
                })
            });
        });
        group.bench_function("split_items of 100", |bench| {
            let items_max = NonZeroU64::new(100).unwrap_or(NonZeroU64::MIN);
            bench.iter(|| split_items(signal, black_box(&body), items_max));
        });
        group.bench_function("prost decode", |bench| match signal {
            Signal::Logs => bench.iter(|| ExportLogsServiceRequest::decode(black_box(&body[..]))),
            Signal::Metrics => {
                bench.iter(|| ExportMetricsServiceRequest::decode(black_box(&body[..])));
            }
            Signal::Traces => {
                bench.iter(|| ExportTraceServiceRequest::decode(black_box(&body[..])))
            }
        });
        group.finish();
        json_forms(criterion, signal, &body);
    }
}

fn json_forms(criterion: &mut Criterion, signal: Signal, body: &[u8]) {
    let text = json::from_protobuf(signal, body).expect("the body is well formed");
    let mut group =
        criterion.benchmark_group(format!("{signal} of {} bytes in JSON", text.len() / ITEMS));
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("from protobuf", |bench| {
        bench.iter(|| json::from_protobuf(signal, black_box(body)));
    });
    group.bench_function("to protobuf", |bench| {
        bench.iter(|| json::to_protobuf(signal, black_box(text.as_bytes()), &Budget::default()));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = walk
}
criterion_main!(benches);
