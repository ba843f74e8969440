//! JSON is judged against the generated types: what they decode from our bytes must be what the text
//! says, and what we write of their bytes must read back as the same.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::arbitrary;
use crate::otlp::common::v1::any_value::Value;
use crate::otlp::metrics::v1::metric::Data;
use crate::otlp::metrics::v1::number_data_point;
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};

/// Writes and reads back, in the order that we write and in others, by both sets of names.
fn there_and_back<R: Message + Default + PartialEq + std::fmt::Debug>(
    signal: Signal,
    request: &R,
) -> Result<(), TestCaseError> {
    let text = from_protobuf(signal, &request.encode_to_vec()).unwrap();
    let body = to_protobuf(signal, text.as_bytes(), &Budget::default()).unwrap();
    prop_assert_eq!(&R::decode(&body[..]).unwrap(), request);
    let counts = check(signal, &body, &Budget::default()).unwrap();
    let before = check(signal, &request.encode_to_vec(), &Budget::default()).unwrap();
    prop_assert_eq!(
        (counts.items, counts.elements),
        (before.items, before.elements)
    );

    // Another parser agrees that it is JSON, and turns the fields around.
    let tree: Json = serde_json::from_str(&quote_fractions(&text)).unwrap();
    let turned = serde_json::to_string_pretty(&turn(&tree)).unwrap();
    let again = to_protobuf(signal, turned.as_bytes(), &Budget::default()).unwrap();
    prop_assert_eq!(&again, &body, "the bytes are canonical");

    let elements = Budget {
        elements: counts.elements,
        ..Budget::default()
    };
    prop_assert!(to_protobuf(signal, text.as_bytes(), &elements).is_ok());
    if counts.elements > 0 {
        let elements = Budget {
            elements: counts.elements - 1,
            ..Budget::default()
        };
        let error = to_protobuf(signal, text.as_bytes(), &elements).unwrap_err();
        prop_assert!(error.problem().is_limit());
    }
    Ok(())
}

/// The same text with quotes around each number that has a fraction or an exponent: the other parser
/// does not keep the last digit.
fn quote_fractions(text: &str) -> String {
    let mut quoted = String::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let len = match first {
            b'"' => {
                let mut escaped = false;
                let end = rest[1..].bytes().position(|byte| {
                    let end = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    end
                });
                end.unwrap() + 2
            }
            _ => super::parser::number_len(rest.as_bytes()).unwrap_or(1),
        };
        let (token, after) = rest.split_at(len);
        if first != b'"' && len > 1 && token.contains(['.', 'e']) {
            quoted.push_str(&format!("\"{token}\""));
        } else {
            quoted.push_str(token);
        }
        rest = after;
    }
    quoted
}

/// The same objects with their members in the opposite order, in snake case, and with more of them.
fn turn(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let turned = members
                .iter()
                .rev()
                .map(|(key, value)| (snake(key), turn(value)));
            let unknown = ("unknown".to_owned(), json!({"a": [1, null, {"b": "}"}]}));
            let null = ("droppedAttributesCount_".to_owned(), Json::Null);
            Json::Object(turned.chain([unknown, null]).collect())
        }
        Json::Array(elements) => Json::Array(elements.iter().map(turn).collect()),
        other => other.clone(),
    }
}

fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for char in camel.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn logs(request in arbitrary::logs()) {
        there_and_back(Signal::Logs, &request)?;
    }

    #[test]
    fn metrics(request in arbitrary::metrics()) {
        there_and_back(Signal::Metrics, &request)?;
    }

    #[test]
    fn traces(request in arbitrary::traces()) {
        there_and_back(Signal::Traces, &request)?;
    }

    #[test]
    fn damaged_text_is_refused_or_becomes_a_valid_request(
        request in arbitrary::traces(),
        at in 0.0..1.0,
        insert in "[\\[\\]{}\",:0-9a-z\\\\.-]{0,3}",
        remove in 0usize..4,
    ) {
        let mut text = from_protobuf(Signal::Traces, &request.encode_to_vec()).unwrap().into_bytes();
        let at = (text.len() as f64 * at) as usize;
        let end = text.len().min(at + remove);
        text.splice(at..end, insert.into_bytes());
        match to_protobuf(Signal::Traces, &text, &Budget::default()) {
            Ok(body) => prop_assert!(check(Signal::Traces, &body, &Budget::UNLIMITED).is_ok()),
            Err(error) => {
                prop_assert!(error.offset() <= text.len());
                prop_assert!(error.to_string().len() < 300, "{}", error);
            }
        }
    }
}

fn read(signal: Signal, json: &str) -> Result<Vec<u8>, String> {
    to_protobuf(signal, json.as_bytes(), &Budget::default()).map_err(|error| error.to_string())
}

/// What an SDK sends, with the forms that only JSON has.
const SPANS: &str = r#"{
    "resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "caf\u00e9"}},
            {"key": "big", "value": {"intValue": "-9223372036854775808"}},
            {"key": "small", "value": {"intValue": 7}},
            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": false}, {"bytesValue": "AP8="}]}}},
            {"key": "none", "value": {}},
            {"key": "ratio", "value": {"doubleValue": "NaN"}}
        ]},
        "scopeSpans": [{
            "spans": [{
                "traceId": "5B8EFFF798038103D269B633813FC60C",
                "span_id": "eee19b7ec3c1b174",
                "parentSpanId": "",
                "name": "I'm a server span",
                "startTimeUnixNano": "1544712660000000000",
                "endTimeUnixNano": 1544712661000000000,
                "kind": 2,
                "status": null,
                "from_the_future": {"a": [true]}
            }]
        }]
    }]
}"#;

#[test]
fn a_request_of_an_sdk() {
    let body = read(Signal::Traces, SPANS).unwrap();
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    let resource = &request.resource_spans[0];
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    let values: Vec<_> = attributes
        .iter()
        .map(|pair| pair.value.as_ref().unwrap().value.as_ref())
        .collect();
    assert_eq!(values[0], Some(&Value::StringValue("café".to_owned())));
    assert_eq!(values[1], Some(&Value::IntValue(i64::MIN)));
    assert_eq!(values[2], Some(&Value::IntValue(7)));
    let Some(Value::ArrayValue(list)) = values[3] else {
        panic!("{:?}", values[3])
    };
    assert_eq!(list.values[0].value, Some(Value::BoolValue(false)));
    assert_eq!(list.values[1].value, Some(Value::BytesValue(vec![0, 255])));
    assert_eq!(values[4], None);
    assert!(matches!(values[5], Some(Value::DoubleValue(value)) if value.is_nan()));
    let span = &resource.scope_spans[0].spans[0];
    assert_eq!(span.trace_id[..3], [0x5b, 0x8e, 0xff]);
    assert_eq!(span.span_id[7], 0x74);
    assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
    assert_eq!(span.end_time_unix_nano, 1_544_712_661_000_000_000);
    assert_eq!((span.kind, &span.status), (2, &None));
}

#[test]
fn zero_is_written_where_absence_is_something_else() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"0","attributes":[{"key":"","value":{"stringValue":""}}]},{"asDouble":0.0}]}},{"histogram":{"dataPoints":[{"bucketCounts":["0","1"],"min":0.0}]}}]}]}]}"#;
    let body = read(Signal::Metrics, json).unwrap();
    let request = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let Some(Data::Gauge(gauge)) = &metrics[0].data else {
        panic!("{metrics:?}")
    };
    assert_eq!(
        gauge.data_points[0].value,
        Some(number_data_point::Value::AsInt(0))
    );
    assert_eq!(
        gauge.data_points[1].value,
        Some(number_data_point::Value::AsDouble(0.0))
    );
    let Some(Data::Histogram(histogram)) = &metrics[1].data else {
        panic!("{metrics:?}")
    };
    assert_eq!(
        (histogram.data_points[0].min, histogram.data_points[0].max),
        (Some(0.0), None)
    );
    let written = from_protobuf(Signal::Metrics, &body).unwrap();
    assert_eq!(
        written,
        json.replace(r#""key":"","#, ""),
        "but an empty key is as good as none"
    );
}

#[test]
fn mistakes_are_named() {
    let span = |span: &str| {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{span}}}]}}]}}]}}"#)
    };
    let place = "resourceSpans.scopeSpans.spans";
    for (json, message) in [
        (r#""kind":"SPAN_KIND_SERVER""#, format!("enum value given by name, OTLP/JSON has only numbers for them in {place}.kind at byte 51")),
        (r#""kind":2.5"#, format!("number does not fit a 32-bit number in {place}.kind at byte 51")),
        (r#""traceId":"xyz0""#, format!("invalid hexadecimal id in {place}.traceId at byte 54")),
        (r#""name":7"#, format!("wrong type, expected a text in {place}.name at byte 51")),
        (r#""attributes":{}"#, format!("wrong type, expected a list in {place}.attributes at byte 57")),
        (r#""events":[null]"#, format!("wrong type, expected an object in {place}.events at byte 54")),
        (r#""flags":-1"#, format!("number does not fit an unsigned 32-bit integer in {place}.flags at byte 52")),
        (r#""name":"a","name":"b""#, format!("field given twice in {place}.name at byte 62")),
        (r#""name":"a" "kind":1"#, "invalid json, expected a comma or the end of the object in resourceSpans.scopeSpans.spans at byte 55".to_owned()),
    ] {
        assert_eq!(read(Signal::Traces, &span(json)), Err(message));
    }
    let both = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a","intValue":1}}]}]}]}"#;
    assert_eq!(
        read(Signal::Logs, both).unwrap_err(),
        "more than one value given where only one can be in \
         resourceLogs.scopeLogs.logRecords.body.intValue at byte 84"
    );
    for json in [
        "",
        "[]",
        "null",
        "{} {}",
        "{\"resourceLogs\":[{]}",
        "\u{feff}{}",
    ] {
        assert!(read(Signal::Logs, json).is_err(), "{json}");
    }
    assert!(to_protobuf(Signal::Logs, b"{\"\xff\":1}", &Budget::default()).is_err());
}

#[test]
fn deep_values_are_refused_where_the_walk_refuses_them() {
    let nested = |levels: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        let close = "]}}".repeat(levels);
        format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{open}{{}}{close}}}]}}]}}]}}"#
        )
    };
    // The innermost value is at level 4 + 2 * levels.
    let body = read(Signal::Logs, &nested(48)).unwrap();
    assert!(check(Signal::Logs, &body, &Budget::default()).is_ok());
    assert_eq!(from_protobuf(Signal::Logs, &body).unwrap(), nested(48));
    let error = to_protobuf(Signal::Logs, nested(49).as_bytes(), &Budget::default()).unwrap_err();
    assert_eq!(error.problem(), Problem::Depth(100));
    let error = to_protobuf(Signal::Logs, nested(100_000).as_bytes(), &Budget::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "more than 100 levels of nesting in resourceLogs.scopeLogs.logRecords.body.arrayValue.values\
         .... at byte 1268"
    );
}

#[test]
fn encodings_that_repeat_themselves_mean_what_a_decoder_makes_of_them() {
    // Two resources, to be merged; two schema urls, the last counts; a list around them.
    let resource =
        b"\x0a\x05\x0a\x03\x0a\x01a\x1a\x01x\x12\x00\x0a\x02\x10\x01\x1a\x01y\x12\x02\x1a\x00";
    let body = [&[0x0a, resource.len() as u8], &resource[..]].concat();
    let json = from_protobuf(Signal::Logs, &body).unwrap();
    assert_eq!(
        json,
        r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"a"}],"droppedAttributesCount":1},"scopeLogs":[{},{}],"schemaUrl":"y"}]}"#
    );
    let again = to_protobuf(Signal::Logs, json.as_bytes(), &Budget::default()).unwrap();
    assert_eq!(
        ExportLogsServiceRequest::decode(&again[..]),
        ExportLogsServiceRequest::decode(&body[..])
    );
    // Of a group the last one counts, and the same member twice is merged: text, list, list.
    let value = b"\x2a\x02\x0a\x00\x0a\x01a\x2a\x02\x0a\x00\x2a\x04\x0a\x02\x10\x01";
    let record = [&[0x2a, value.len() as u8], &value[..]].concat();
    let wrap =
        |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let body = wrap(1, &wrap(2, &wrap(2, &record)));
    let json = from_protobuf(Signal::Logs, &body).unwrap();
    assert_eq!(
        json,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":{"values":[{},{"boolValue":true}]}}}]}]}]}"#
    );
    let again = to_protobuf(Signal::Logs, json.as_bytes(), &Budget::default()).unwrap();
    assert_eq!(
        ExportLogsServiceRequest::decode(&again[..]),
        ExportLogsServiceRequest::decode(&body[..])
    );
    assert!(from_protobuf(Signal::Logs, b"\x0a").is_err());
}

#[test]
fn a_number_too_long_for_its_field_is_cut() {
    // The severity is 2^32, of which 32 bits are left: unspecified, which is not written.
    let body = b"\x0a\x0c\x12\x0a\x12\x08\x10\x80\x80\x80\x80\x10\x1a\x00";
    assert!(check(Signal::Logs, body, &Budget::default()).is_ok());
    let json = from_protobuf(Signal::Logs, body).unwrap();
    assert_eq!(
        json,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#
    );
}
