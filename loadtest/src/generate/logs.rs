//! Log records as an application's logger writes them.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use rand::{Rng, rngs::StdRng};

use super::{BASE_TIME, Profile, integer, item_size, resource, scope, shares, string, text};

/// Severities, with the share that each has: information, with a few warnings and errors.
const SEVERITIES: [(i32, &str); 8] = [
    (9, "INFO"),
    (9, "INFO"),
    (9, "INFO"),
    (9, "INFO"),
    (9, "INFO"),
    (5, "DEBUG"),
    (13, "WARN"),
    (17, "ERROR"),
];

/// Appends an encoded request to `out`.
pub(super) fn encode(profile: &Profile, rng: &mut StdRng, out: &mut Vec<u8>) {
    let resource_logs = shares(profile)
        .map(|items| ResourceLogs {
            resource: Some(resource(rng)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records: (0..items).map(|_| record(profile, rng)).collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .collect();
    let request = ExportLogsServiceRequest { resource_logs };
    request.encode(out).expect("a Vec has room for any message");
}

fn record(profile: &Profile, rng: &mut StdRng) -> LogRecord {
    let (severity_number, severity_text) = SEVERITIES[rng.random_range(0..SEVERITIES.len())];
    let time = BASE_TIME + rng.random_range(0..1_000_000_000);
    let mut record = LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time + rng.random_range(0..1_000_000),
        severity_number,
        severity_text: severity_text.into(),
        attributes: vec![
            string("thread.name", format!("worker-{}", rng.random_range(0..32))),
            integer("code.line.number", rng.random_range(1..900)),
            string("user.id", text::hex(rng, 8)),
        ],
        flags: 1,
        trace_id: vec![0; 16],
        span_id: vec![0; 8],
        ..Default::default()
    };
    let room = item_size(profile, rng).saturating_sub(record.encoded_len() + 6);
    let body = any_value::Value::StringValue(text::sentence(rng, room));
    record.body = Some(AnyValue { value: Some(body) });
    record
}
