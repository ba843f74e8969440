//! Parts, decoded and put together again, are the request.

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::otlp::metrics::v1::metric::Data;
use crate::otlp::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use crate::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};
use crate::{Budget, arbitrary, check, merge};

/// Each item with everything around it, in order: what a part must keep of it.
trait Flat: Message + Default {
    fn flat(self) -> Vec<Self>;
}

impl Flat for ExportTraceServiceRequest {
    fn flat(self) -> Vec<Self> {
        let mut items = Vec::new();
        for resource in self.resource_spans {
            for scope in &resource.scope_spans {
                for span in &scope.spans {
                    let scope = ScopeSpans {
                        spans: vec![span.clone()],
                        ..scope.clone()
                    };
                    items.push(Self {
                        resource_spans: vec![ResourceSpans {
                            scope_spans: vec![scope],
                            ..resource.clone()
                        }],
                    });
                }
            }
        }
        items
    }
}

impl Flat for ExportLogsServiceRequest {
    fn flat(self) -> Vec<Self> {
        let mut items = Vec::new();
        for resource in self.resource_logs {
            for scope in &resource.scope_logs {
                for record in &scope.log_records {
                    let mut scope = scope.clone();
                    scope.log_records = vec![record.clone()];
                    let mut resource = resource.clone();
                    resource.scope_logs = vec![scope];
                    items.push(Self {
                        resource_logs: vec![resource],
                    });
                }
            }
        }
        items
    }
}

impl Flat for ExportMetricsServiceRequest {
    fn flat(self) -> Vec<Self> {
        let mut items = Vec::new();
        for resource in self.resource_metrics {
            for scope in &resource.scope_metrics {
                for metric in &scope.metrics {
                    for data in single_points(metric.data.clone()) {
                        let metric = Metric {
                            data: Some(data),
                            ..metric.clone()
                        };
                        let scope = ScopeMetrics {
                            metrics: vec![metric],
                            ..scope.clone()
                        };
                        items.push(Self {
                            resource_metrics: vec![ResourceMetrics {
                                scope_metrics: vec![scope],
                                ..resource.clone()
                            }],
                        });
                    }
                }
            }
        }
        items
    }
}

/// The same kind of metric, once for each of its points.
fn single_points(data: Option<Data>) -> Vec<Data> {
    macro_rules! each {
        ($kind:ident, $data:expr) => {
            $data
                .data_points
                .iter()
                .map(|point| {
                    let mut data = $data.clone();
                    data.data_points = vec![point.clone()];
                    Data::$kind(data)
                })
                .collect()
        };
    }
    match data {
        Some(Data::Gauge(data)) => each!(Gauge, data),
        Some(Data::Sum(data)) => each!(Sum, data),
        Some(Data::Histogram(data)) => each!(Histogram, data),
        Some(Data::ExponentialHistogram(data)) => each!(ExponentialHistogram, data),
        Some(Data::Summary(data)) => each!(Summary, data),
        None => Vec::new(),
    }
}

/// The items of all parts, one part after the other.
fn items<R: Flat>(signal: Signal, parts: &[Part]) -> Result<Vec<R>, TestCaseError> {
    let mut items = Vec::new();
    for part in parts {
        let counts = check(signal, &part.body, &Budget::UNLIMITED);
        prop_assert_eq!(counts.map(|counts| counts.items), Ok(part.items));
        let decoded = R::decode(&part.body[..]).unwrap().flat();
        prop_assert_eq!(decoded.len() as u64, part.items);
        items.extend(decoded);
    }
    Ok(items)
}

/// Splits by a key of the leaf's bytes, and compares each part with what should be in it.
fn by_key<R: Flat + PartialEq + Clone + Debug>(
    signal: Signal,
    request: &R,
    grain: Grain,
) -> Result<(), TestCaseError> {
    let body = Bytes::from(request.encode_to_vec());
    let key = |leaf: &[u8]| leaf.iter().map(|&byte| u64::from(byte)).sum::<u64>() % 3;
    let parts = split(signal, &body, grain, key);
    prop_assert!(parts.is_sorted_by(|one, next| one.bucket < next.bucket));
    // What a part gets: the request's leaves with its key, alone.
    let mut expected = vec![Vec::new(); 3];
    for part in split(signal, &body, grain, {
        let mut leaf = 0;
        move |_| {
            leaf += 1;
            leaf
        }
    }) {
        let mut found = None;
        split(signal, &part.body, grain, |leaf| {
            found = Some(key(leaf));
            0
        });
        let items = R::decode(&part.body[..]).unwrap().flat();
        expected[found.unwrap() as usize].extend(items);
    }
    let whole: Vec<R> = items(signal, &parts)?;
    let in_order: Vec<R> = expected.into_iter().flatten().collect();
    prop_assert_eq!(&whole, &in_order);
    prop_assert_eq!(whole.len(), request.clone().flat().len());
    Ok(())
}

/// Cuts by count and by size, where the order of the whole request is kept.
fn by_limit<R: Flat + PartialEq + Clone + Debug>(
    signal: Signal,
    request: &R,
    items_max: u64,
    bytes_max: usize,
) -> Result<(), TestCaseError> {
    let body = Bytes::from(request.encode_to_vec());
    let expected = request.clone().flat();
    let parts = split_items(signal, &body, NonZeroU64::new(items_max).unwrap());
    for part in &parts {
        prop_assert!(part.items <= items_max);
    }
    prop_assert_eq!(parts.len(), expected.len().div_ceil(items_max as usize));
    prop_assert_eq!(&items::<R>(signal, &parts)?, &expected);

    let parts = split_bytes(signal, &body, bytes_max);
    for part in &parts {
        prop_assert!(
            part.items == 1 || part.body.len() <= bytes_max,
            "{:?}",
            part
        );
    }
    prop_assert_eq!(&items::<R>(signal, &parts)?, &expected);

    let merged = merge(parts.iter().map(|part| &part.body));
    prop_assert_eq!(R::decode(&merged[..]).unwrap().flat(), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn traces(request in arbitrary::traces(), items_max in 1u64..6, bytes_max in 0usize..2000) {
        by_key(Signal::Traces, &request, Grain::Resource)?;
        by_key(Signal::Traces, &request, Grain::Scope)?;
        by_key(Signal::Traces, &request, Grain::Entry)?;
        by_limit(Signal::Traces, &request, items_max, bytes_max)?;
    }

    #[test]
    fn logs(request in arbitrary::logs(), items_max in 1u64..6, bytes_max in 0usize..2000) {
        by_key(Signal::Logs, &request, Grain::Resource)?;
        by_key(Signal::Logs, &request, Grain::Scope)?;
        by_key(Signal::Logs, &request, Grain::Item)?;
        by_limit(Signal::Logs, &request, items_max, bytes_max)?;
    }

    #[test]
    fn metrics(request in arbitrary::metrics(), items_max in 1u64..6, bytes_max in 0usize..2000) {
        by_key(Signal::Metrics, &request, Grain::Resource)?;
        by_key(Signal::Metrics, &request, Grain::Scope)?;
        by_key(Signal::Metrics, &request, Grain::Entry)?;
        by_key(Signal::Metrics, &request, Grain::Item)?;
        by_limit(Signal::Metrics, &request, items_max, bytes_max)?;
    }
}

/// `content` as field `number` of an outer message.
fn wrap(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

/// Three spans of two traces, with unknown fields at each level, some of them behind the spans.
fn body_with_unknown_fields() -> Bytes {
    let span = |trace: u8| {
        wrap(
            2,
            &[wrap(1, &[trace; 16]), b"\xa2\x06\x01?".to_vec()].concat(),
        )
    };
    let scope = [
        span(1),
        b"\x78\x01".to_vec(),
        span(2),
        span(1),
        b"\x78\x02".to_vec(),
    ]
    .concat();
    let resource = [wrap(1, b""), wrap(2, &scope), b"\x70\x07".to_vec()].concat();
    [wrap(1, &resource), b"\x68\x09".to_vec()].concat().into()
}

#[test]
fn unknown_fields_are_in_every_part_once() {
    let body = body_with_unknown_fields();
    check(Signal::Traces, &body, &Budget::default()).unwrap();
    let trace = |span| u64::from(crate::Span::new(span).trace_id()[0]);
    let parts = split(Signal::Traces, &body, Grain::Entry, trace);
    let span = |trace: u8| {
        wrap(
            2,
            &[wrap(1, &[trace; 16]), b"\xa2\x06\x01?".to_vec()].concat(),
        )
    };
    let part = |spans: Vec<u8>| {
        let scope = [b"\x78\x01\x78\x02".to_vec(), spans].concat();
        let resource = [wrap(1, b""), b"\x70\x07".to_vec(), wrap(2, &scope)].concat();
        Bytes::from([b"\x68\x09".to_vec(), wrap(1, &resource)].concat())
    };
    let expected = [
        Part {
            bucket: 1,
            items: 2,
            body: part([span(1), span(1)].concat()),
        },
        Part {
            bucket: 2,
            items: 1,
            body: part(span(2)),
        },
    ];
    assert_eq!(parts, expected);
}

#[test]
fn one_part_is_the_request_itself() {
    let body = body_with_unknown_fields();
    let parts = split(Signal::Traces, &body, Grain::Entry, |_| 7);
    assert_eq!(
        parts,
        [Part {
            bucket: 7,
            items: 3,
            body: body.clone()
        }]
    );
    assert_eq!(parts[0].body.as_ptr(), body.as_ptr(), "not copied");
    assert_eq!(
        split_bytes(Signal::Traces, &body, body.len())[0]
            .body
            .as_ptr(),
        body.as_ptr()
    );
}

#[test]
fn nothing_to_hold_is_no_part() {
    let empty = Bytes::from_static(b"\x0a\x02\x12\x00");
    assert_eq!(split_items(Signal::Logs, &empty, NonZeroU64::MIN), []);
    assert_eq!(split_bytes(Signal::Logs, &Bytes::new(), 0), []);
}

/// A part for each span of a large request must not take the square of its size.
#[test]
fn many_parts_take_linear_time() {
    let spans = vec![
        Span {
            trace_id: vec![7; 16],
            ..Span::default()
        };
        100_000
    ];
    let scope = ScopeSpans {
        spans,
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![resource],
    };
    let body = Bytes::from(request.encode_to_vec());
    let mut next = 0;
    let parts = split(Signal::Traces, &body, Grain::Entry, |_| {
        next += 7919;
        next % 100_000
    });
    assert_eq!(parts.len(), 100_000);
}
