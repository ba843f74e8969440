//! `detailed` verbosity: everything that is in logs and spans. Metrics have a file of their own.

use std::fmt::Write;

use protos::{
    Signal,
    otlp::{
        ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
        common::v1::{InstrumentationScope, KeyValue},
        logs::v1::LogRecord,
        resource::v1::Resource,
        trace::v1::{Span, span},
    },
};

use super::{
    metrics::metric,
    text::{hex, time, typed},
};

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
pub(super) use line;

fn logs(text: &mut String, request: &ExportLogsServiceRequest) {
    for (number, logs) in request.resource_logs.iter().enumerate() {
        line!(text, "ResourceLog #{number}");
        resource(text, &logs.schema_url, logs.resource.as_ref());
        for (number, part) in logs.scope_logs.iter().enumerate() {
            line!(text, "ScopeLogs #{number}");
            scope(text, "ScopeLogs", &part.schema_url, part.scope.as_ref());
            for (number, record) in part.log_records.iter().enumerate() {
                line!(text, "LogRecord #{number}");
                log_record(text, record);
            }
        }
    }
}

fn log_record(text: &mut String, record: &LogRecord) {
    line!(
        text,
        "ObservedTimestamp: {}",
        time(record.observed_time_unix_nano)
    );
    line!(text, "Timestamp: {}", time(record.time_unix_nano));
    line!(text, "SeverityText: {}", record.severity_text);
    let number = record.severity_number;
    line!(text, "SeverityNumber: {}({number})", severity(number));
    if !record.event_name.is_empty() {
        line!(text, "EventName: {}", record.event_name);
    }
    line!(text, "Body: {}", typed(record.body.as_ref()));
    attributes(text, "Attributes", &record.attributes);
    line!(text, "Trace ID: {}", hex(&record.trace_id));
    line!(text, "Span ID: {}", hex(&record.span_id));
    line!(text, "Flags: {}", record.flags);
}

/// OTLP gives each of six words four numbers.
fn severity(number: i32) -> String {
    const WORDS: [&str; 6] = ["Trace", "Debug", "Info", "Warn", "Error", "Fatal"];
    match usize::try_from(number - 1)
        .ok()
        .and_then(|index| Some((WORDS.get(index / 4)?, index)))
    {
        Some((word, index)) if index % 4 == 0 => (*word).to_owned(),
        Some((word, index)) => format!("{word}{}", index % 4 + 1),
        None if number == 0 => "Unspecified".to_owned(),
        None => String::new(),
    }
}

fn traces(text: &mut String, request: &ExportTraceServiceRequest) {
    for (number, spans) in request.resource_spans.iter().enumerate() {
        line!(text, "ResourceSpans #{number}");
        resource(text, &spans.schema_url, spans.resource.as_ref());
        for (number, part) in spans.scope_spans.iter().enumerate() {
            line!(text, "ScopeSpans #{number}");
            scope(text, "ScopeSpans", &part.schema_url, part.scope.as_ref());
            for (number, one) in part.spans.iter().enumerate() {
                line!(text, "Span #{number}");
                span(text, one);
            }
        }
    }
}

fn span(text: &mut String, span: &Span) {
    let status = span.status.clone().unwrap_or_default();
    for (name, value) in [
        ("Trace ID", hex(&span.trace_id)),
        ("Parent ID", hex(&span.parent_span_id)),
        ("ID", hex(&span.span_id)),
        ("Name", span.name.clone()),
        (
            "Kind",
            word(
                &[
                    "Unspecified",
                    "Internal",
                    "Server",
                    "Client",
                    "Producer",
                    "Consumer",
                ],
                span.kind,
            ),
        ),
        ("TraceState", span.trace_state.clone()),
        ("Start time", time(span.start_time_unix_nano)),
        ("End time", time(span.end_time_unix_nano)),
        ("Status code", word(&["Unset", "Ok", "Error"], status.code)),
        ("Status message", status.message),
    ] {
        if name != "TraceState" || !value.is_empty() {
            line!(text, "    {name:15}: {value}");
        }
    }
    attributes(text, "Attributes", &span.attributes);
    if !span.events.is_empty() {
        line!(text, "Events:");
        span.events
            .iter()
            .enumerate()
            .for_each(|(number, one)| event(text, number, one));
    }
    if !span.links.is_empty() {
        line!(text, "Links:");
        span.links
            .iter()
            .enumerate()
            .for_each(|(number, one)| link(text, number, one));
    }
}

fn event(text: &mut String, number: usize, event: &span::Event) {
    line!(text, "SpanEvent #{number}");
    line!(text, "     -> Name: {}", event.name);
    line!(text, "     -> Timestamp: {}", time(event.time_unix_nano));
    line!(
        text,
        "     -> DroppedAttributesCount: {}",
        event.dropped_attributes_count
    );
    nested(text, "Attributes", &event.attributes);
}

fn link(text: &mut String, number: usize, link: &span::Link) {
    line!(text, "SpanLink #{number}");
    line!(text, "     -> Trace ID: {}", hex(&link.trace_id));
    line!(text, "     -> ID: {}", hex(&link.span_id));
    line!(text, "     -> TraceState: {}", link.trace_state);
    line!(
        text,
        "     -> DroppedAttributesCount: {}",
        link.dropped_attributes_count
    );
    nested(text, "Attributes", &link.attributes);
}

fn metrics(text: &mut String, request: &ExportMetricsServiceRequest) {
    for (number, metrics) in request.resource_metrics.iter().enumerate() {
        line!(text, "ResourceMetrics #{number}");
        resource(text, &metrics.schema_url, metrics.resource.as_ref());
        for (number, part) in metrics.scope_metrics.iter().enumerate() {
            line!(text, "ScopeMetrics #{number}");
            scope(text, "ScopeMetrics", &part.schema_url, part.scope.as_ref());
            for (number, one) in part.metrics.iter().enumerate() {
                line!(text, "Metric #{number}");
                metric(text, one);
            }
        }
    }
}

// === what the signals share ===

/// The word of an enum's number; a number that has none stands for itself.
pub(super) fn word(words: &[&str], number: i32) -> String {
    let word = usize::try_from(number)
        .ok()
        .and_then(|index| words.get(index));
    word.map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

fn resource(text: &mut String, schema_url: &str, resource: Option<&Resource>) {
    line!(text, "Resource SchemaURL: {schema_url}");
    if let Some(resource) = resource {
        attributes(text, "Resource attributes", &resource.attributes);
    }
}

fn scope(text: &mut String, kind: &str, schema_url: &str, scope: Option<&InstrumentationScope>) {
    line!(text, "{kind} SchemaURL: {schema_url}");
    let scope = scope.cloned().unwrap_or_default();
    line!(
        text,
        "InstrumentationScope {} {}",
        scope.name,
        scope.version
    );
    attributes(text, "InstrumentationScope attributes", &scope.attributes);
}

/// A list of attributes; nothing where there are none.
pub(super) fn attributes(text: &mut String, title: &str, attributes: &[KeyValue]) {
    if !attributes.is_empty() {
        line!(text, "{title}:");
    }
    for pair in attributes {
        line!(text, "     -> {}: {}", pair.key, typed(pair.value.as_ref()));
    }
}

/// A list of attributes within a list.
pub(super) fn nested(text: &mut String, title: &str, attributes: &[KeyValue]) {
    if !attributes.is_empty() {
        line!(text, "     -> {title}::");
    }
    for pair in attributes {
        line!(
            text,
            "          -> {}: {}",
            pair.key,
            typed(pair.value.as_ref())
        );
    }
}

#[cfg(test)]
mod tests {
    use protos::otlp::{
        common::v1::{AnyValue, any_value::Value},
        trace::v1::{ResourceSpans, ScopeSpans, Status},
    };

    use super::*;

    fn pairs() -> Vec<KeyValue> {
        vec![KeyValue {
            key: "peer".to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("a b".to_owned())),
            }),
            ..KeyValue::default()
        }]
    }

    #[test]
    fn a_span_shows_all_that_is_in_it() {
        let span = Span {
            trace_id: vec![0x3b; 16],
            span_id: vec![0x2c; 8],
            name: "pay".to_owned(),
            kind: 2,
            start_time_unix_nano: 1,
            attributes: pairs(),
            events: vec![span::Event {
                name: "tick".to_owned(),
                attributes: pairs(),
                ..span::Event::default()
            }],
            status: Some(Status {
                code: 2,
                message: "broke".to_owned(),
            }),
            ..Span::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: pairs(),
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans: vec![span],
                    ..ScopeSpans::default()
                }],
                schema_url: "s".to_owned(),
            }],
        };
        let expected = "\
ResourceSpans #0
Resource SchemaURL: s
Resource attributes:
     -> peer: Str(a b)
ScopeSpans #0
ScopeSpans SchemaURL: 
InstrumentationScope  
Span #0
    Trace ID       : 3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b
    Parent ID      : 
    ID             : 2c2c2c2c2c2c2c2c
    Name           : pay
    Kind           : Server
    Start time     : 1970-01-01 00:00:00.000000001 +0000 UTC
    End time       : 1970-01-01 00:00:00 +0000 UTC
    Status code    : Error
    Status message : broke
Attributes:
     -> peer: Str(a b)
Events:
SpanEvent #0
     -> Name: tick
     -> Timestamp: 1970-01-01 00:00:00 +0000 UTC
     -> DroppedAttributesCount: 0
     -> Attributes::
          -> peer: Str(a b)
";
        assert_eq!(
            text(Signal::Traces, &request.encode_to_vec()).unwrap(),
            expected
        );
    }

    #[test]
    fn severities_have_their_words() {
        let table = [
            (0, "Unspecified"),
            (1, "Trace"),
            (4, "Trace4"),
            (9, "Info"),
            (24, "Fatal4"),
            (25, ""),
        ];
        for (number, word) in table {
            assert_eq!(severity(number), word);
        }
        assert_eq!(severity(i32::MIN + 1), "");
    }
}
