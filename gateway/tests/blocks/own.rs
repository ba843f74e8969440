//! The `logging` and `tracing` blocks: Corten's own telemetry goes where it is told, and never round
//! in circles.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Bytes, extract::State, routing};
use protos::otlp::{
    ExportLogsServiceRequest, ExportTraceServiceRequest, Message,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use tokio::sync::mpsc;

use crate::{
    gateway::{Gateway, PATIENCE},
    live::send_log,
};

type Bodies = mpsc::UnboundedSender<Bytes>;

/// A backend that takes every OTLP request, and what it got.
pub(crate) async fn backend() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (sender, bodies) = mpsc::unbounded_channel();
    async fn take(State(bodies): State<Arc<Bodies>>, body: Bytes) {
        let _ = bodies.send(body);
    }
    let router = Router::new()
        .route("/v1/{signal}", routing::post(take))
        .with_state(Arc::new(sender));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), bodies)
}

fn exporter(backend: &str) -> String {
    format!(
        "otelcol.exporter.otlphttp \"backend\" {{
            client {{
                endpoint    = \"{backend}\"
                compression = \"none\"
            }}
        }}"
    )
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

/// The next requests until one satisfies this.
pub(crate) async fn until<T>(
    bodies: &mut mpsc::UnboundedReceiver<Bytes>,
    mut wanted: impl FnMut(&[u8]) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(&bodies.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

#[tokio::test]
async fn own_lines_become_logs_with_labels() {
    let (backend, mut bodies) = backend().await;
    let text = format!(
        "logging {{
            format   = \"json\"
            write_to = [otelcol.receiver.loki.own.receiver, loki.echo.shown.receiver]
        }}
        loki.echo \"shown\" {{ }}
        otelcol.receiver.loki \"own\" {{
            output {{
                logs = [otelcol.exporter.otlphttp.backend.input, otelcol.exporter.debug.d.input]
            }}
        }}
        otelcol.exporter.debug \"d\" {{
            verbosity = \"detailed\"
        }}
        {}",
        exporter(&backend)
    );
    let gateway = Gateway::start(&text).await;
    tracing::info!(target: "corten::test", marker = "kestrel", "a line of the gateway");
    let mut arrived = 0;
    let record = until(&mut bodies, |body| {
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        arrived += records.len();
        records
            .iter()
            .find(|record| format!("{:?}", record.body).contains("kestrel"))
            .cloned()
    })
    .await;
    assert_eq!(attribute(&record.attributes, "component"), "corten");
    assert_eq!(
        attribute(&record.attributes, "loki.attribute.labels"),
        "component"
    );
    let Some(Value::StringValue(line)) = record.body.unwrap().value else {
        panic!("the body is no text")
    };
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["msg"], &line["level"]),
        (&"a line of the gateway".into(), &"info".into())
    );
    assert!(record.time_unix_nano > 1_600_000_000_000_000_000);

    // Two exporters show each line in the same log; if that came back, it would never end.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    while let Ok(body) = bodies.try_recv() {
        let request = ExportLogsServiceRequest::decode(&*body).unwrap();
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        for record in records {
            let body = format!("{:?}", record.body);
            assert!(
                !body.contains("received log entry") && !body.contains("LogRecord"),
                "{body}"
            );
        }
        arrived += records.len();
    }
    assert!(arrived < 1000, "{arrived}");
    let (_, metrics) = gateway.get("/metrics", &[]).await;
    assert!(
        metrics.contains("corten_logging_lines_lost_total 0"),
        "{metrics}"
    );
    gateway.load("").await.unwrap();
}

#[tokio::test]
async fn own_spans_become_traces_and_make_no_more_spans() {
    let (backend, mut bodies) = backend().await;
    let receiver = loadtest::ports::free(1).unwrap()[0];
    let text = format!(
        "tracing {{
            sampling_fraction = 1
            write_to          = [otelcol.processor.batch.own.input]
        }}
        otelcol.processor.batch \"own\" {{
            output {{
                traces = [otelcol.exporter.otlphttp.backend.input]
            }}
        }}
        otelcol.receiver.otlp \"traced\" {{
            http {{
                endpoint = \"{receiver}\"
            }}
            output {{
                logs = [otelcol.exporter.debug.traced.input]
            }}
        }}
        otelcol.exporter.debug \"traced\" {{ }}
        {}",
        exporter(&backend)
    );
    let gateway = Gateway::start(&text).await;
    send_log(receiver, "hello").await;
    // Other tests of this process have traces, too.
    let spans = until(&mut bodies, |body| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let resource = request.resource_spans[0].resource.as_ref().unwrap();
        assert_eq!(attribute(&resource.attributes, "service.name"), "corten");
        let spans = request.resource_spans[0].scope_spans[0].spans.iter();
        let ours: Vec<Span> = spans
            .filter(|span| span.name.ends_with(".traced"))
            .cloned()
            .collect();
        (!ours.is_empty()).then_some(ours)
    })
    .await;
    let [exporter, receiver] = spans.as_slice() else {
        panic!("{spans:?}")
    };
    assert_eq!(receiver.name, "otelcol.receiver.otlp.traced");
    assert_eq!(exporter.name, "otelcol.exporter.debug.traced");
    assert_eq!(exporter.parent_span_id, receiver.span_id);
    assert_eq!(exporter.trace_id, receiver.trace_id);
    assert_eq!(
        attribute(&exporter.attributes, "component_id"),
        exporter.name
    );
    assert_eq!(attribute(&exporter.attributes, "signal"), "logs");
    // What carries them is not traced itself.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    while let Ok(body) = bodies.try_recv() {
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        for span in &request.resource_spans[0].scope_spans[0].spans {
            assert!(
                !span.name.ends_with(".own") && !span.name.ends_with(".backend"),
                "{span:?}"
            );
            assert_ne!(span.name, "tracing");
        }
    }
    gateway.load("").await.unwrap();
}

#[tokio::test]
async fn what_tracing_cannot_do_is_refused_by_name() {
    let gateway = Gateway::start("").await;
    for (text, expected) in [
        ("send_traceparent = true", "send_traceparent must be false"),
        (
            "sampler {\njaeger_remote {\nurl = \"ftp://a\"\n}\n}",
            "does not begin with http://",
        ),
        ("write_to = [loki.echo.e.receiver]", "otelcol.Consumer"),
    ] {
        let text = format!("tracing {{\n{text}\n}}\nloki.echo \"e\" {{ }}");
        let refused = gateway.load(&text).await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    let text = "logging {\nwrite_to = [otelcol.exporter.debug.d.input]\n}\n\
                otelcol.exporter.debug \"d\" { }";
    let refused = gateway.load(text).await.unwrap_err();
    assert!(refused.contains("loki.LogsReceiver"), "{refused}");
    let refused = gateway
        .load("logging {\ndestination = \"windows_event_log\"\n}")
        .await;
    assert!(refused.unwrap_err().contains("windows_event_log"));
}
