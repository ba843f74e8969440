//! `otelcol.exporter.otlphttp`.

use std::time::Duration;

use bytes::Bytes;
use corten::{
    batch::{Codec, Frame},
    components::otelcol::exporter::otlphttp,
    delivery::{Destination, Request, Verdict},
};
use http::Version;
use protos::{Signal, otlp::Message, response::PartialSuccess};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    PAYLOAD,
    backend::{Answer, Backend, Seen, Tunnels, http},
    decode, message, request, word,
};

fn ok(_: &Seen) -> Answer {
    http(200, &[("content-type", "application/x-protobuf")], "")
}

/// The exporter for a backend, with more in its `client` block and beside it.
fn exporter(backend: &Backend, client: &str, beside: &str) -> otlphttp::Backend {
    let address = backend.address;
    arguments(&format!(
        "client {{ endpoint = \"http://{address}\"\n{client} }}\n{beside}"
    ))
    .unwrap()
}

fn arguments(text: &str) -> Result<otlphttp::Backend, String> {
    decode(text).and_then(|arguments| otlphttp::Backend::new(&arguments))
}

#[tokio::test]
async fn a_frame_arrives_as_it_is() {
    for (compression, codec, encoding) in [
        ("none", Codec::Identity, ""),
        ("", Codec::Identity, ""),
        ("gzip", Codec::Gzip, "gzip"),
        ("zstd", Codec::Zstd, "zstd"),
        ("snappy", Codec::Snappy, "snappy"),
        ("zlib", Codec::Deflate, "deflate"),
        ("deflate", Codec::Deflate, "deflate"),
    ] {
        let backend = Backend::start(ok).await;
        let client = format!("compression = \"{compression}\"\n headers = {{ a = \"b\" }}");
        let exporter = exporter(&backend, &client, "");
        let request = request(Signal::Metrics, codec);
        assert_eq!(exporter.send(request.clone()).await, Verdict::Delivered);
        let seen = backend.only();
        assert_eq!(seen.body, request.frame.bytes, "{compression}");
        assert_eq!(
            (seen.version, seen.method.as_str()),
            (Version::HTTP_11, "POST")
        );
        for (name, value) in [
            ("content-encoding", encoding),
            ("content-type", "application/x-protobuf"),
            ("content-length", &request.frame.bytes.len().to_string()),
            ("host", &backend.address.to_string()),
            ("a", "b"),
            ("user-agent", concat!("Corten/", env!("CARGO_PKG_VERSION"))),
        ] {
            assert_eq!(seen.header(name), value, "{name} with {compression}");
        }
    }
}

#[tokio::test]
async fn each_signal_goes_to_its_path_or_its_own_url() {
    let backend = Backend::start(ok).await;
    let address = backend.address;
    let text = format!(
        "client {{ endpoint = \"http://{address}/otlp/\" }}
         traces_endpoint = \"http://{address}/elsewhere?a=b\""
    );
    let exporter = arguments(&text).unwrap();
    for signal in Signal::ALL {
        exporter.send(request(signal, Codec::Gzip)).await;
    }
    let paths: Vec<_> = backend
        .seen()
        .iter()
        .map(|seen| seen.uri.to_string())
        .collect();
    assert_eq!(
        paths,
        ["/otlp/v1/logs", "/otlp/v1/metrics", "/elsewhere?a=b"]
    );
    assert_eq!(backend.connections(), 1, "connections are kept");
}

#[tokio::test]
async fn the_backends_status_decides() {
    for (status, headers, body, expected) in [
        (200, vec![], "", "delivered"),
        (204, vec![], "", "delivered"),
        (
            200,
            vec![("content-type", "text/html")],
            "<html>log in",
            "pause",
        ),
        (307, vec![("location", "http://127.0.0.1:1/")], "", "pause"),
        (400, vec![], "bad", "invalid"),
        (400, vec![], "http: request body too large", "too large"),
        (401, vec![], "", "pause"),
        (404, vec![], "", "pause"),
        (408, vec![], "", "retry"),
        (413, vec![], "", "too large"),
        (422, vec![], "", "refused"),
        (429, vec![("retry-after", "7")], "", "retry"),
        (500, vec![], "oops", "retry"),
        (503, vec![], "", "retry"),
    ] {
        let backend = Backend::start(move |_| http(status, &headers, body)).await;
        let verdict = exporter(&backend, "", "")
            .send(request(Signal::Logs, Codec::Gzip))
            .await;
        assert_eq!(word(&verdict), expected, "{status}: {verdict:?}");
        if let Verdict::Retry { after, .. } = verdict {
            let expected = (status == 429).then_some(Duration::from_secs(7));
            assert_eq!(after, expected, "{status}");
        }
    }
}

#[tokio::test]
async fn a_partial_success_is_counted() {
    let partial = PartialSuccess {
        rejected: 2,
        message: "too old".to_owned(),
    };
    let json = partial.encode_json(Signal::Logs);
    for (content_type, body) in [
        ("application/x-protobuf", partial.encode()),
        ("application/json", Bytes::from(json)),
    ] {
        let backend =
            Backend::start(move |_| http(200, &[("content-type", content_type)], body.clone()))
                .await;
        let verdict = exporter(&backend, "", "")
            .send(request(Signal::Logs, Codec::Gzip))
            .await;
        assert_eq!(
            verdict,
            Verdict::Partial {
                rejected: 2,
                message: "too old".to_owned()
            }
        );
    }
}

#[tokio::test]
async fn a_redirect_takes_nothing_elsewhere() {
    let elsewhere = Backend::start(ok).await;
    let location = format!("http://{}/v1/logs", elsewhere.address);
    let backend = Backend::start(move |_| http(308, &[("location", &location)], "")).await;
    let exporter = exporter(&backend, "headers = { Authorization = \"Bearer t\" }", "");
    let verdict = exporter.send(request(Signal::Logs, Codec::Gzip)).await;
    assert_eq!(word(&verdict), "pause");
    assert_eq!(backend.only().header("authorization"), "Bearer t");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let body = Bytes::from(vec![b'x'; 9 << 20]);
    let sent = body.clone();
    let backend = Backend::start(move |_| http(200, &[], sent.clone())).await;
    let verdict = exporter(&backend, "", "")
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert_eq!(verdict, Verdict::Delivered);
    let backend = Backend::start(move |_| http(503, &[], body.clone())).await;
    let verdict = exporter(&backend, "", "")
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert!(word(&verdict) == "retry" && message(&verdict).len() < 1000);
}

/// What an exporter makes of a server that reads a request and answers with these bytes.
async fn raw(answer: &'static [u8]) -> Verdict {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    let text = format!("client {{ endpoint = \"http://{address}\"\n timeout = \"2s\" }}");
    arguments(&text)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for answer in [
        b"".as_slice(),
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx",
        b"not http at all\r\n\r\n",
    ] {
        assert_eq!(
            word(&raw(answer).await),
            "retry",
            "{}",
            String::from_utf8_lossy(answer)
        );
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_named() {
    let backend = Backend::start(ok).await;
    let (address, exporter) = (backend.address, exporter(&backend, "", ""));
    drop(backend);
    let verdict = exporter.send(request(Signal::Logs, Codec::Gzip)).await;
    assert_eq!(word(&verdict), "retry");
    assert!(
        message(&verdict).starts_with(&format!("cannot connect to {address}: ")),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_slow_backend_costs_one_attempt() {
    let backend = Backend::slow(Duration::from_secs(30), ok).await;
    let exporter = exporter(&backend, "timeout = \"50ms\"", "");
    let verdict = exporter.send(request(Signal::Logs, Codec::Gzip)).await;
    assert!(
        message(&verdict).contains("did not answer within 50ms"),
        "{verdict:?}"
    );
    assert_eq!(word(&verdict), "retry");
}

/// A real request with one log record in it.
fn log_request(body: &str) -> Request {
    use protos::otlp::{
        ExportLogsServiceRequest,
        common::v1::{AnyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    };
    let value = Value::StringValue(body.to_owned());
    let record = LogRecord {
        body: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    let scope = ScopeLogs {
        log_records: vec![record],
        ..ScopeLogs::default()
    };
    let logs = ResourceLogs {
        scope_logs: vec![scope],
        ..ResourceLogs::default()
    };
    let bytes: Bytes = ExportLogsServiceRequest {
        resource_logs: vec![logs],
    }
    .encode_to_vec()
    .into();
    let plain_length = bytes.len() as u64;
    let frame = Frame {
        codec: Codec::Identity,
        bytes,
        plain_length,
    };
    Request {
        frame,
        items: 1,
        ..request(Signal::Logs, Codec::Identity)
    }
}

#[tokio::test]
async fn json_is_made_from_what_is_kept() {
    // Below and above the size at which another thread does it.
    for length in [10, 100_000] {
        let backend = Backend::start(ok).await;
        let exporter = exporter(&backend, "", "encoding = \"json\"");
        let text = "a".repeat(length);
        assert_eq!(exporter.send(log_request(&text)).await, Verdict::Delivered);
        let seen = backend.only();
        assert_eq!(seen.header("content-type"), "application/json");
        assert_eq!(seen.header("content-encoding"), "gzip");
        let json = Codec::Gzip.decompress(&seen.body, 1 << 20).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let record = &json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["body"]["stringValue"], text);
    }
}

#[tokio::test]
async fn a_level_is_honoured() {
    let text: String = (0_u32..2000)
        .map(|number| (number * 7919).to_string())
        .collect();
    let mut sizes = Vec::new();
    for level in [1, 9] {
        let backend = Backend::start(ok).await;
        let client = format!("compression_params {{ level = {level} }}");
        let exporter = exporter(&backend, &client, "");
        exporter.send(log_request(&text)).await;
        let seen = backend.only();
        assert!(Codec::Gzip.decompress(&seen.body, 1 << 20).is_ok());
        sizes.push(seen.body.len());
    }
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

#[tokio::test]
async fn cookies_come_back_if_wanted() {
    for (wanted, expected) in [
        ("cookies { enabled = true }", "lb=7"),
        ("cookies { }", ""),
        ("", ""),
    ] {
        let backend = Backend::start(|_| http(200, &[("set-cookie", "lb=7; Path=/")], "")).await;
        let exporter = exporter(&backend, wanted, "");
        for _ in 0..2 {
            exporter.send(request(Signal::Logs, Codec::Gzip)).await;
        }
        let seen = backend.seen();
        assert_eq!(
            [seen[0].header("cookie"), seen[1].header("cookie")],
            ["", expected]
        );
    }
}

#[tokio::test]
async fn the_host_can_be_another_than_the_address() {
    let backend = Backend::start(ok).await;
    let exporter = exporter(&backend, "headers = { Host = \"tempo.internal\" }", "");
    exporter.send(request(Signal::Logs, Codec::Gzip)).await;
    assert_eq!(backend.only().header("host"), "tempo.internal");
}

#[tokio::test]
async fn connections_are_kept_and_bounded_as_asked() {
    for (client, one_by_one, at_once) in [
        ("", 1, 5),
        ("disable_keep_alives = true", 3, 8),
        ("max_conns_per_host = 2", 1, 2),
    ] {
        let backend = Backend::slow(Duration::from_millis(50), ok).await;
        let exporter = exporter(&backend, client, "");
        for _ in 0..3 {
            exporter.send(request(Signal::Logs, Codec::Gzip)).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(backend.connections(), one_by_one, "{client}");
        let attempts = (0..5).map(|_| exporter.send(request(Signal::Logs, Codec::Gzip)));
        for verdict in futures::future::join_all(attempts).await {
            assert_eq!(verdict, Verdict::Delivered);
        }
        assert_eq!(backend.connections(), at_once, "{client}");
    }
}

#[tokio::test]
async fn buffers_change_nothing_but_the_number_of_calls() {
    let backend = Backend::start(ok).await;
    let client =
        "read_buffer_size = \"4KiB\"\n write_buffer_size = \"64KiB\"\n compression = \"none\"";
    let exporter = exporter(&backend, client, "");
    for _ in 0..2 {
        let verdict = exporter.send(request(Signal::Logs, Codec::Identity)).await;
        assert_eq!(verdict, Verdict::Delivered);
    }
    assert!(backend.seen().iter().all(|seen| seen.body == PAYLOAD));
}

#[tokio::test]
async fn a_proxy_is_given_plain_requests_to_pass_on() {
    let proxy = Backend::start(ok).await;
    let text = format!(
        "client {{ endpoint = \"http://backend.invalid:4318\"
                   proxy_url = \"http://me:pass@{}\" }}",
        proxy.address
    );
    let verdict = arguments(&text)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert_eq!(verdict, Verdict::Delivered);
    let seen = proxy.only();
    assert_eq!(seen.uri, "http://backend.invalid:4318/v1/logs");
    assert_eq!(seen.header("proxy-authorization"), "Basic bWU6cGFzcw==");
    assert_eq!(seen.header("host"), "backend.invalid:4318");
}

#[tokio::test]
async fn a_proxy_that_says_no_is_named() {
    let proxy = Backend::start(|_| http(407, &[], "")).await;
    let text = format!(
        "client {{ endpoint = \"https://backend.invalid\"\n proxy_url = \"http://{}\" }}",
        proxy.address
    );
    let verdict = arguments(&text)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    let expected = format!("proxy http://{}/: ", proxy.address);
    assert!(message(&verdict).contains(&expected), "{verdict:?}");
    let tunnels = Tunnels::start().await;
    assert!(tunnels.heads.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_honoured_is_refused() {
    let refusal = |text: &str| arguments(text).err().unwrap_or_default();
    for (text, expected) in [
        (
            "client { endpoint = \"\" }",
            "set client.endpoint or logs_endpoint",
        ),
        (
            "client { endpoint = \"tempo:4318\" }",
            "write http://host:port",
        ),
        (
            "client { endpoint = \"ftp://tempo\" }",
            "no scheme that is supported",
        ),
        (
            "client { endpoint = \"http://me:p@tempo\" }",
            "otelcol.auth.basic",
        ),
        (
            "encoding = \"xml\"\nclient { endpoint = \"http://a\" }",
            "\"json\"",
        ),
        (
            "client { endpoint = \"http://a\"\n proxy_url = \"socks5://p:1\" }",
            "scheme \"socks5\"",
        ),
        (
            "client { endpoint = \"http://a\"\n compression_params { level = 99 } }",
            "outside of 0 to 9",
        ),
        ("client { endpoint = \"http://a\" }", ""),
    ] {
        assert!(
            refusal(text).contains(expected),
            "{text}: {}",
            refusal(text)
        );
    }
    assert!(!refusal("client { endpoint = \"http://me:p4ss@tempo\" }").contains("p4ss"));
}

#[test]
fn every_argument_of_alloys_reference_is_known() {
    let text = r#"
        encoding         = "json"
        logs_endpoint    = "http://a/logs"
        metrics_endpoint = "http://b/metrics"
        traces_endpoint  = "http://c/traces"
        client {
            endpoint                = ""
            compression             = "zlib"
            disable_keep_alives     = true
            force_attempt_http2     = false
            headers                 = { "a" = "b" }
            http2_ping_timeout      = "1s"
            http2_read_idle_timeout = "1s"
            idle_conn_timeout       = "0s"
            max_conns_per_host      = 1
            max_idle_conns_per_host = 1
            max_idle_conns          = 1
            proxy_url               = "http://proxy:3128"
            read_buffer_size        = "0"
            timeout                 = "1s"
            write_buffer_size       = "1MiB"
            compression_params {
                level = 3
            }
            cookies {
                enabled = true
            }
            tls {
                insecure = true
            }
        }
        debug_metrics { }
        retry_on_failure { }
        sending_queue {
            batch { }
        }"#;
    let arguments = decode::<otlphttp::Arguments>(text).unwrap();
    let merging = arguments.sending_queue.settings().unwrap().merging.unwrap();
    assert_eq!(
        (merging.items, merging.items_max, merging.wait_milliseconds),
        (2000, 3000, 200)
    );
    assert!(otlphttp::Backend::new(&arguments).is_ok());
}
