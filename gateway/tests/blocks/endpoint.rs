//! The endpoint that the environment names for Corten's own spans, and a sampler that asks a server.

use std::process::Stdio;

use axum::{Json, Router, routing};
use protos::otlp::{ExportTraceServiceRequest, Message};
use tokio::process::{Child, Command};

use crate::{
    gateway::PATIENCE,
    live::{pipeline, send_log},
    own::{backend, until},
};

/// A gateway in a process of its own, which ends with it.
async fn start(text: &str, folder: &std::path::Path, environment: &[(&str, &str)]) -> Child {
    let admin = loadtest::ports::free(1).unwrap()[0].to_string();
    let path = folder.join("config.alloy");
    std::fs::write(&path, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_corten"))
        .arg("run")
        .arg(&path)
        .arg(format!("--server.http.listen-addr={admin}"))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !loadtest::fetch::get(&admin, "/-/ready")
        .await
        .is_ok_and(|(status, _)| status == 200)
        && tokio::time::Instant::now() < deadline
        && environment
            .iter()
            .all(|(name, _)| !name.ends_with("PROTOCOL"))
    {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    child
}

#[tokio::test]
async fn spans_go_where_the_environment_says() {
    let (backend, mut bodies) = backend().await;
    // Nothing is kept by the fraction; the server says that all is.
    let strategies = Router::new().route(
        "/sampling",
        routing::get(|| async {
            Json(serde_json::json!({"probabilisticSampling": {"samplingRate": 1.0}}))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sampling = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, strategies).await });

    let receiver = loadtest::ports::free(1).unwrap()[0];
    let tracing = format!(
        "tracing {{
            sampling_fraction = 0
            sampler {{
                jaeger_remote {{
                    url = \"http://{sampling}/sampling\"
                }}
            }}
        }}"
    );
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*backend),
        ("OTEL_SERVICE_NAME", "corten-test"),
    ];
    let text = pipeline(&tracing, receiver);
    let _gateway = start(&text, folder.path(), &environment).await;
    // The server may not have been asked yet when the first request comes.
    let sends = async {
        loop {
            send_log(receiver, "hello").await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let arrives = until(&mut bodies, |body| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let text = format!("{:?}", request.resource_spans[0].resource);
        assert!(text.contains("corten-test"), "{text}");
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        spans
            .iter()
            .any(|span| span.name == "otelcol.processor.batch.b")
            .then_some(())
    });
    tokio::select! {
        () = arrives => {}
        () = sends => {}
    }
}

#[tokio::test]
async fn another_protocol_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let gateway = start("tracing { }", folder.path(), &environment).await;
    let ended = tokio::time::timeout(PATIENCE, gateway.wait_with_output()).await;
    let ended = ended.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"),
        "{said}"
    );
}
