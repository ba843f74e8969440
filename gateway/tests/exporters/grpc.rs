//! `otelcol.exporter.otlp`.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use corten::{
    batch::Codec,
    components::otelcol::exporter::otlp,
    delivery::{Destination, Verdict},
};
use http::Version;
use protos::{Signal, response::PartialSuccess, status};
use tonic::{Code, Status};

use super::{
    backend::{Backend, grpc, grpc_ok, http},
    decode, message, request, word,
};

/// The exporter for a backend in the clear, with more in its `client` block.
fn exporter(backend: &Backend, client: &str) -> otlp::Backend {
    let address = backend.address;
    arguments(&format!(
        "client {{ endpoint = \"{address}\"\n tls {{ insecure = true }}\n{client} }}"
    ))
    .unwrap()
}

fn arguments(text: &str) -> Result<otlp::Backend, String> {
    decode(text).and_then(|arguments| otlp::Backend::new(&arguments))
}

fn framed(compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(compressed.into());
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

#[tokio::test]
async fn a_frame_arrives_as_it_is() {
    for (codec, encoding) in [
        (Codec::Identity, ""),
        (Codec::Gzip, "gzip"),
        (Codec::Zstd, "zstd"),
        (Codec::SnappyFramed, "snappy"),
    ] {
        let backend = Backend::start(grpc_ok).await;
        let exporter = exporter(&backend, "headers = { \"X-Scope-OrgID\" = \"team\" }");
        let request = request(Signal::Traces, codec);
        assert_eq!(exporter.send(request.clone()).await, Verdict::Delivered);
        let seen = backend.only();
        let compressed = codec != Codec::Identity;
        assert_eq!(
            seen.body,
            framed(compressed, &request.frame.bytes),
            "{codec}"
        );
        assert_eq!(
            seen.uri.path(),
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        );
        assert_eq!(
            (seen.version, seen.method.as_str()),
            (Version::HTTP_2, "POST")
        );
        for (name, value) in [
            ("grpc-encoding", encoding),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "5000m"),
            ("x-scope-orgid", "team"),
            ("user-agent", concat!("Corten/", env!("CARGO_PKG_VERSION"))),
        ] {
            assert_eq!(seen.header(name), value, "{name} with {codec}");
        }
    }
}

#[tokio::test]
async fn each_signal_has_its_service() {
    let backend = Backend::start(grpc_ok).await;
    let exporter = exporter(&backend, "");
    for signal in Signal::ALL {
        exporter.send(request(signal, Codec::Gzip)).await;
    }
    let seen = backend.seen();
    let paths: Vec<_> = seen.iter().map(|seen| seen.uri.path()).collect();
    assert_eq!(
        paths,
        [
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        ]
    );
    assert_eq!(backend.connections(), 1);
}

/// The verdict on a status, in the trailers and without any body.
async fn verdicts(status: Status) -> [Verdict; 2] {
    let trailers = status.clone();
    let with_trailers = Backend::start(move |_| grpc(None, &trailers)).await;
    let only_headers =
        Backend::start(move |_| status.clone().into_http().map(|()| Default::default())).await;
    let attempt = async |backend| {
        exporter(backend, "")
            .send(request(Signal::Logs, Codec::Gzip))
            .await
    };
    [attempt(&with_trailers).await, attempt(&only_headers).await]
}

#[tokio::test]
async fn the_backends_status_decides() {
    for (code, text, expected) in [
        (Code::Unavailable, "come back", "retry"),
        (Code::DeadlineExceeded, "", "retry"),
        (Code::ResourceExhausted, "rate limit", "retry"),
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max (9 vs. 4)",
            "too large",
        ),
        (
            Code::OutOfRange,
            "decoded message length too large: found 9",
            "too large",
        ),
        (Code::InvalidArgument, "bad span", "invalid"),
        (Code::Unauthenticated, "who are you", "pause"),
        (Code::PermissionDenied, "", "pause"),
        (Code::Unimplemented, "unknown service", "pause"),
        (Code::Internal, "oops", "retry"),
        (Code::FailedPrecondition, "", "refused"),
    ] {
        for verdict in verdicts(Status::new(code, text)).await {
            assert_eq!(word(&verdict), expected, "{code:?} {text}");
            assert!(message(&verdict).contains(text));
        }
    }
    let details = status::Status::new(8, "")
        .retry_after(Duration::from_millis(1500))
        .encode();
    for verdict in verdicts(Status::with_details(Code::ResourceExhausted, "", details)).await {
        let Verdict::Retry { after, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(after, Some(Duration::from_millis(1500)));
    }
}

#[tokio::test]
async fn a_partial_success_is_counted_even_if_it_comes_compressed() {
    let partial = PartialSuccess {
        rejected: 2,
        message: "too old".to_owned(),
    }
    .encode();
    for codec in [Codec::Identity, Codec::Gzip] {
        let body = framed(codec != Codec::Identity, &codec.compress(&partial));
        let backend = Backend::start(move |_| {
            let mut answer = grpc(Some(body.clone()), &Status::ok(""));
            answer
                .headers_mut()
                .insert("grpc-encoding", codec.as_str().parse().unwrap());
            answer
        })
        .await;
        let verdict = exporter(&backend, "")
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
async fn what_is_not_a_grpc_server_is_told_from_one() {
    for (status, expected) in [
        (503, "retry"),
        (401, "pause"),
        (404, "pause"),
        (200, "retry"),
    ] {
        let backend = Backend::start(move |_| http(status, &[], "<html>")).await;
        let verdict = exporter(&backend, "")
            .send(request(Signal::Logs, Codec::Gzip))
            .await;
        assert_eq!(word(&verdict), expected, "{status}: {verdict:?}");
    }
}

#[tokio::test]
async fn without_an_answer_there_is_another_attempt() {
    let backend = Backend::start(grpc_ok).await;
    let address = backend.address;
    drop(backend);
    let client = format!("client {{ endpoint = \"http://{address}\" }}");
    let verdict = arguments(&client)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert_eq!(word(&verdict), "retry");
    assert!(
        message(&verdict).starts_with(&format!("cannot connect to {address}: ")),
        "{verdict:?}"
    );

    let backend = Backend::slow(Duration::from_secs(30), grpc_ok).await;
    let client = format!(
        "timeout = \"50ms\"\nclient {{ endpoint = \"http://{}\" }}",
        backend.address
    );
    let verdict = arguments(&client)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert_eq!(word(&verdict), "retry");
    assert!(
        message(&verdict).contains("did not answer within 50ms"),
        "{verdict:?}"
    );
    assert_eq!(backend.only().header("grpc-timeout"), "50m");
}

#[tokio::test]
async fn a_call_that_waits_for_the_backend_outlives_its_absence() {
    let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let client = format!("client {{ endpoint = \"http://{address}\"\n wait_for_ready = true }}");
    let exporter = arguments(&client).unwrap();
    let attempt =
        tokio::spawn(async move { exporter.send(request(Signal::Logs, Codec::Gzip)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!attempt.is_finished());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let accepted = tokio::time::timeout(Duration::from_secs(3), listener.accept()).await;
    assert!(accepted.is_ok());
    attempt.abort();
}

#[tokio::test]
async fn a_busy_connection_gets_company() {
    let backend = Backend::slow(Duration::from_millis(300), grpc_ok).await;
    let exporter = exporter(&backend, "");
    let attempts = (0..10).map(|_| exporter.send(request(Signal::Logs, Codec::Gzip)));
    for verdict in futures::future::join_all(attempts).await {
        assert_eq!(verdict, Verdict::Delivered);
    }
    assert_eq!((backend.seen().len(), backend.connections()), (10, 2));
}

#[tokio::test]
async fn the_authority_can_be_another_than_the_address() {
    let backend = Backend::start(grpc_ok).await;
    let exporter = exporter(&backend, "authority = \"tempo.internal\"");
    assert_eq!(
        exporter.send(request(Signal::Logs, Codec::Gzip)).await,
        Verdict::Delivered
    );
    assert_eq!(backend.only().uri.authority().unwrap(), "tempo.internal");
}

#[test]
fn what_cannot_be_honoured_is_refused() {
    let client = |text: &str| {
        arguments(&format!("client {{ endpoint = \"a:1\"\n{text} }}"))
            .err()
            .unwrap_or_default()
    };
    for (text, expected) in [
        ("compression = \"lz4\"", "\"snappy\""),
        ("balancer_name = \"ring\"", "\"pick_first\""),
        ("headers = { \"a b\" = \"c\" }", "the name of \"a b\""),
        ("headers = { \"a\" = \"\\n\" }", "the value of \"a\""),
        (
            "headers = { \"Connection\" = \"close\" }",
            "written by the protocol itself",
        ),
        (
            "headers = { \"grpc-timeout\" = \"1S\" }",
            "written by the protocol itself",
        ),
        ("authority = \"a b\"", "\"a b\" is not the name of a host"),
        (
            "tls { min_version = \"1.1\" }",
            "TLS 1.0 and 1.1 are broken",
        ),
        (
            "tls { ca_file = \"x\"\n ca_pem = \"y\" }",
            "keep one of them",
        ),
        ("tls { tpm { enabled = true } }", "trusted platform module"),
        ("unknown = 1", "unknown"),
    ] {
        assert!(client(text).contains(expected), "{text}: {}", client(text));
    }
    let block = |text: &str| {
        let text = format!("client {{ endpoint = \"a:1\"\n tls {{ insecure = true }} }}\n{text}");
        arguments(&text).err().unwrap_or_default()
    };
    for (text, expected) in [
        (
            "sending_queue { batch { sizer = \"bytes\" } }",
            "must be \"items\"",
        ),
        (
            "sending_queue { batch { min_size = 5\n max_size = 4 } }",
            "must not be less",
        ),
        (
            "sending_queue { batch { flush_timeout = \"0s\" } }",
            "must be positive",
        ),
        (
            "sending_queue { wait_for_result = true\n batch { } }",
            "honoured together",
        ),
        (
            "sending_queue { queue_size = 0 }",
            "must be greater than zero",
        ),
        (
            "retry_on_failure { multiplier = 1 }",
            "must be greater than 1.0",
        ),
        (
            "retry_on_failure { randomization_factor = -1 }",
            "must be between 0 and 1",
        ),
        (
            "debug_metrics { disable_high_cardinality_metrics = false }",
            "must be true",
        ),
        ("", ""),
    ] {
        assert!(block(text).contains(expected), "{text}: {}", block(text));
    }
    assert_eq!(block(""), "");
}

#[test]
fn the_defaults_keep_what_was_acknowledged() {
    let text = "client { endpoint = \"a:1\" }";
    let arguments = decode::<otlp::Arguments>(text).unwrap();
    let retry = arguments.retry_on_failure.settings();
    assert!(retry.enabled && retry.max_elapsed.is_none());
    assert_eq!(
        (
            retry.initial.as_secs(),
            retry.max.as_secs(),
            retry.multiplier
        ),
        (5, 30, 1.5)
    );
    let queue = arguments.sending_queue.settings().unwrap();
    assert_eq!((queue.consumers, queue.block_on_overflow), (10, false));
    assert_eq!(queue.size, corten::delivery::QueueSize::Unbounded);
    assert!(queue.merging.is_none());
    for text in ["enabled = false", "wait_for_result = true"] {
        let text = format!("client {{ endpoint = \"a:1\" }}\nsending_queue {{ {text} }}");
        let arguments = decode::<otlp::Arguments>(&text).unwrap();
        assert!(arguments.sending_queue.settings().is_none(), "{text}");
    }
}

#[test]
fn every_argument_of_alloys_reference_is_known() {
    let text = r#"
        timeout = "1s"
        client {
            endpoint          = "tempo:4317"
            authority         = "tempo"
            balancer_name     = "pick_first"
            compression       = "zstd"
            headers           = { "a" = "b" }
            read_buffer_size  = "32KiB"
            wait_for_ready    = true
            write_buffer_size = "1MiB"
            keepalive {
                ping_wait             = "30s"
                ping_response_timeout = "5s"
                ping_without_stream   = true
            }
            tls {
                ca_file                        = ""
                ca_pem                         = ""
                cert_file                      = ""
                cert_pem                       = ""
                cipher_suites                  = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
                curve_preferences              = ["P256"]
                include_insecure_cipher_suites = false
                include_system_ca_certs_pool   = true
                insecure_skip_verify           = true
                insecure                       = true
                key_file                       = ""
                key_pem                        = ""
                max_version                    = "1.3"
                min_version                    = "1.2"
                reload_interval                = "1m"
                server_name                    = "tempo"
                tpm {
                    enabled    = false
                    path       = ""
                    owner_auth = ""
                    auth       = ""
                }
            }
        }
        debug_metrics {
            disable_high_cardinality_metrics = true
        }
        retry_on_failure {
            enabled              = false
            initial_interval     = "1s"
            max_elapsed_time     = "5m"
            max_interval         = "9s"
            multiplier           = 2
            randomization_factor = 0
        }
        sending_queue {
            block_on_overflow = true
            enabled           = true
            num_consumers     = 3
            queue_size        = 5000
            sizer             = "items"
            wait_for_result   = false
            batch {
                flush_timeout = "1s"
                min_size      = 100
                max_size      = 0
                sizer         = "items"
            }
        }"#;
    let arguments = decode::<otlp::Arguments>(text).unwrap();
    let retry = arguments.retry_on_failure.settings();
    assert_eq!(
        (retry.enabled, retry.max_elapsed),
        (false, Some(Duration::from_secs(300)))
    );
    let queue = arguments.sending_queue.settings().unwrap();
    assert_eq!(queue.size, corten::delivery::QueueSize::Items(5000));
    assert!(queue.block_on_overflow && queue.consumers == 3);
    let merging = queue.merging.unwrap();
    assert_eq!(
        (merging.items, merging.items_max, merging.wait_milliseconds),
        (100, 0, 1000)
    );
    assert!(otlp::Backend::new(&arguments).is_ok());
}

#[tokio::test]
async fn no_time_limit_is_no_time_limit() {
    let backend = Backend::start(grpc_ok).await;
    let text = format!(
        "timeout = \"0s\"\nclient {{ endpoint = \"http://{}\" }}",
        backend.address
    );
    let verdict = arguments(&text)
        .unwrap()
        .send(request(Signal::Logs, Codec::Gzip))
        .await;
    assert_eq!(verdict, Verdict::Delivered);
    assert_eq!(backend.only().header("grpc-timeout"), "");
}
