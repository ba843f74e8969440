//! Spans of an HTTP server that asks a database.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};
use prost::Message;
use rand::{Rng, rngs::StdRng};

use super::{BASE_TIME, Profile, integer, item_size, resource, scope, shares, string, text};

/// Appends an encoded request to `out`.
pub(super) fn encode(profile: &Profile, rng: &mut StdRng, out: &mut Vec<u8>) {
    let resource_spans = shares(profile)
        .map(|items| ResourceSpans {
            resource: Some(resource(rng)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans: (0..items).map(|_| record(profile, rng)).collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .collect();
    let request = ExportTraceServiceRequest { resource_spans };
    request.encode(out).expect("a Vec has room for any message");
}

fn record(profile: &Profile, rng: &mut StdRng) -> Span {
    let route = text::ROUTES[rng.random_range(0..text::ROUTES.len())];
    let start = BASE_TIME + rng.random_range(0..1_000_000_000);
    let end = start + rng.random_range(100_000..400_000_000);
    let failed = rng.random_range(0..20) == 0;
    let mut record = Span {
        trace_id: vec![0; 16],
        span_id: vec![0; 8],
        parent_span_id: rng.random_range(1..u64::MAX).to_be_bytes().to_vec(),
        flags: 0x101,
        name: format!("GET {route}"),
        kind: span::SpanKind::Server as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: vec![
            string("http.request.method", "GET"),
            string("http.route", route),
            integer("http.response.status_code", if failed { 500 } else { 200 }),
            string("url.scheme", "https"),
            string("server.address", "shop.example.com"),
            string(
                "client.address",
                format!("10.0.{}.{}", rng.random::<u8>(), rng.random::<u8>()),
            ),
            string(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
            ),
            string("network.protocol.version", "1.1"),
            integer("thread.id", rng.random_range(1..64)),
        ],
        events: vec![span::Event {
            time_unix_nano: start + (end - start) / 2,
            name: "cache.lookup".into(),
            attributes: vec![string("cache.key", text::hex(rng, 16))],
            ..Default::default()
        }],
        status: Some(Status {
            code: if failed { 2 } else { 0 },
            ..Default::default()
        }),
        ..Default::default()
    };
    let statement = "db.query.text";
    let room = item_size(profile, rng).saturating_sub(record.encoded_len() + statement.len() + 10);
    record
        .attributes
        .push(string(statement, text::sentence(rng, room)));
    record
}
