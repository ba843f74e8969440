//! Turns Loki's streams into OpenTelemetry logs.
//!
//! As in Alloy, each label becomes an attribute of each line's record, with a hint that says which
//! attributes were labels, and so does structured metadata. The resource stays empty.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use protos::otlp::{
    ExportLogsServiceRequest, Message,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};

use super::super::{Output, output::Outputs};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Entry, Labels, Loki, Otlp, Payload, Signal},
    components::loki::{LogsReceiver, ReceiverExports},
    graph::{self, Site},
};

/// The attribute that says which others become labels on the way back to Loki.
const HINT: &str = "loki.attribute.labels";

/// The label under which tailed files are known.
const FILENAME: &str = "filename";

/// Where the logs go.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// Where the logs go.
    #[block]
    output: Output,
}

/// A translator.
#[derive(Debug)]
pub struct Component {
    site: Site,
    outputs: Outputs,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = ReceiverExports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let outputs = arguments.output.outputs(&site);
        Ok(Self { site, outputs })
    }

    fn exports(&self) -> ReceiverExports {
        ReceiverExports {
            receiver: LogsReceiver(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Consumer for Component {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let translated = batch.payload.loki().map(|loki| translate(loki, now));
        Box::pin(async move {
            let payload = Payload::Otlp(translated?);
            let batch = Batch { payload, ..batch };
            self.outputs.consume(batch).await
        })
    }
}

/// The lines of all streams as one request, observed at this time, in nanoseconds since 1970.
fn translate(loki: &Loki, now_nanoseconds: u64) -> Otlp {
    let records = loki.streams().iter().flat_map(|stream| {
        let entries = stream.entries.iter();
        entries.map(|entry| record(&stream.labels, entry, now_nanoseconds))
    });
    let logs = ScopeLogs {
        log_records: records.collect(),
        ..ScopeLogs::default()
    };
    let resource = ResourceLogs {
        scope_logs: vec![logs],
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![resource],
    };
    let bytes = Bytes::from(request.encode_to_vec());
    Otlp::plain(Signal::Logs, loki.entries(), bytes)
}

fn record(labels: &Labels, entry: &Entry, now_nanoseconds: u64) -> LogRecord {
    let time = match u64::try_from(entry.timestamp_nanoseconds) {
        Ok(0) | Err(_) => now_nanoseconds,
        Ok(time) => time,
    };
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: now_nanoseconds,
        body: Some(text(&entry.line)),
        attributes: attributes(labels, entry),
        ..LogRecord::default()
    }
}

fn attributes(labels: &Labels, entry: &Entry) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    if let Some(path) = labels.get(FILENAME) {
        put(&mut attributes, "log.file.path", path);
        put(&mut attributes, "log.file.name", base_name(path));
    }
    if !labels.is_empty() {
        let names: Vec<&str> = labels.iter().map(|(name, _)| name).collect();
        put(&mut attributes, HINT, &names.join(","));
    }
    for (name, value) in labels.iter() {
        put(&mut attributes, name, value);
    }
    for (name, value) in &entry.metadata {
        put(&mut attributes, name, value);
    }
    attributes
}

/// An attribute of a name that is there already replaces it.
fn put(attributes: &mut Vec<KeyValue>, key: &str, value: &str) {
    match attributes.iter_mut().find(|present| present.key == key) {
        Some(present) => present.value = Some(text(value)),
        None => attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(text(value)),
            ..KeyValue::default()
        }),
    }
}

fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    }
}

/// The last element of a path, as Go's `path.Base` finds it.
fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Stream;

    const NOW: u64 = 1_700_000_000_000_000_000;

    /// Labels, the time, structured metadata, and the record's attributes and time.
    type Case<'a> = (
        &'a [(&'a str, &'a str)],
        i64,
        &'a [(&'a str, &'a str)],
        &'a [(&'a str, &'a str)],
        u64,
    );

    #[test]
    fn lines_become_records_as_alloy_makes_them() {
        let cases: [Case<'_>; 5] = [
            (&[], 5, &[], &[], 5),
            (&[], 0, &[], &[], NOW),
            (
                &[("job", "a"), ("app", "b")],
                7,
                &[("trace_id", "x")],
                &[
                    ("loki.attribute.labels", "app,job"),
                    ("app", "b"),
                    ("job", "a"),
                    ("trace_id", "x"),
                ],
                7,
            ),
            (
                &[("filename", "/var/log/a.log")],
                7,
                &[],
                &[
                    ("log.file.path", "/var/log/a.log"),
                    ("log.file.name", "a.log"),
                    ("loki.attribute.labels", "filename"),
                    ("filename", "/var/log/a.log"),
                ],
                7,
            ),
            // Metadata that is called like a label takes its place.
            (
                &[("app", "b")],
                -1,
                &[("app", "c")],
                &[("loki.attribute.labels", "app"), ("app", "c")],
                NOW,
            ),
        ];
        for (labels, timestamp, metadata, attributes, time) in cases {
            let entry = Entry {
                timestamp_nanoseconds: timestamp,
                line: "hello".to_owned(),
                metadata: metadata
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            };
            let stream = Stream {
                labels: labels.iter().copied().collect(),
                entries: vec![entry.clone(), entry],
            };
            let otlp = translate(&Loki::new(vec![stream]), NOW);
            let body = otlp.bytes().unwrap();
            let counts = protos::check(Signal::Logs, &body, &protos::Budget::UNLIMITED);
            assert_eq!((otlp.items(), counts.unwrap().items), (2, 2));
            let request = ExportLogsServiceRequest::decode(&*body).unwrap();
            let records = &request.resource_logs[0].scope_logs[0].log_records;
            let expected: Vec<KeyValue> = attributes
                .iter()
                .map(|(key, value)| KeyValue {
                    key: (*key).to_owned(),
                    value: Some(text(value)),
                    ..KeyValue::default()
                })
                .collect();
            assert_eq!(records[1].attributes, expected, "{labels:?}");
            assert_eq!(records[1].body, Some(text("hello")));
            assert_eq!(records[1].time_unix_nano, time);
            assert_eq!(records[1].observed_time_unix_nano, NOW);
        }
    }

    #[test]
    fn the_last_element_of_a_path_is_its_base_name() {
        for (path, expected) in [
            ("/var/log/a.log", "a.log"),
            ("a.log", "a.log"),
            ("/var/log/", "log"),
            ("/", "/"),
            ("", "."),
        ] {
            assert_eq!(base_name(path), expected, "{path:?}");
        }
    }
}
