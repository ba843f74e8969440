//! Hostile bodies: each gets its error, no memory stays taken, and honest traffic goes on.

use bytes::Bytes;
use corten::batch::{Codec, Signal};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    bodies::{deep, element_bomb, request},
    clients::{call, call_raw, code, method, post},
    gateway::{Gateway, Setup},
};

#[tokio::test]
async fn hostile_bodies_are_refused_for_good() {
    let limits = (
        "max_recv_msg_size = \"16MiB\"",
        "max_request_body_size = \"16MiB\"",
    );
    let setup = Setup {
        grpc: limits.0,
        http: limits.1,
        ..Setup::default()
    };
    let gateway = Gateway::start("hostile", setup).await;
    let honest = request(Signal::Traces, 10);
    let zeros = vec![0; 80 << 20];
    let truncated = Codec::Gzip.compress(&honest);
    let truncated = truncated.slice(..truncated.len() - 9);
    let bomb = |codec: Codec| (codec, codec.compress(&zeros), Code::ResourceExhausted, 413);
    let bad = |codec: Codec, body: Vec<u8>| (codec, body.into(), Code::InvalidArgument, 400);
    let mut cases = vec![
        bad(Codec::Identity, b"\x0a\xff".to_vec()),
        bad(Codec::Identity, honest[..honest.len() - 1].to_vec()),
        bad(Codec::Identity, element_bomb()),
        bad(
            Codec::Gzip,
            Codec::Gzip
                .compress_at(&element_bomb()[..900_000], 9)
                .to_vec(),
        ),
        bad(Codec::Gzip, truncated.to_vec()),
        bad(Codec::Gzip, b"not gzip".to_vec()),
        bad(
            Codec::Zstd,
            [&Codec::Zstd.compress(&honest)[..], b"tail"].concat(),
        ),
        (
            Codec::Identity,
            vec![0; 17 << 20].into(),
            Code::ResourceExhausted,
            413,
        ),
    ];
    cases.extend([Codec::Gzip, Codec::Zstd, Codec::Deflate, Codec::Lz4].map(bomb));
    for (at, (codec, body, expected, status)) in cases.into_iter().enumerate() {
        let headers = [("content-encoding", codec.as_str())];
        let answer = post(gateway.http, "/v1/traces", &headers, body.clone()).await;
        assert_eq!(answer.status, status, "case {at}: {codec}");
        assert_eq!(answer.header("retry-after"), None);
        let encoding = codec.grpc_encoding().unwrap();
        let compressed = codec != Codec::Identity;
        let headers = [("grpc-encoding", encoding)];
        let result = call(gateway.grpc, Signal::Traces, &headers, compressed, body).await;
        let refused = result.unwrap_err();
        assert_eq!(refused.code(), expected, "case {at}: {refused:?}");
        assert!(refused.get_details_retry_info().is_none(), "case {at}");
        assert!(refused.message().len() <= 1024);
        let result = call(gateway.grpc, Signal::Traces, &[], false, honest.clone()).await;
        assert_eq!(code(&result), Code::Ok);
        assert_eq!(gateway.memory.used(), 0, "case {at}");
    }
    assert!(gateway.arrived().iter().all(|batch| batch.items() == 10));
}

#[tokio::test]
async fn nesting_is_taken_as_deep_as_decoders_go() {
    let gateway = Gateway::start("nesting", Setup::default()).await;
    for (levels, expected) in [
        (40, Code::Ok),
        (60, Code::InvalidArgument),
        (5_000, Code::InvalidArgument),
    ] {
        let result = call(gateway.grpc, Signal::Logs, &[], false, deep(levels)).await;
        assert_eq!(code(&result), expected, "{levels}");
    }
}

#[tokio::test]
async fn without_memory_a_client_is_told_to_come_back() {
    let gateway = Gateway::start("memory", Setup::default()).await;
    let free = gateway.memory.limit() - gateway.memory.used();
    let held = gateway.memory.reserve(free - 100).unwrap();
    let body = request(Signal::Logs, 100);
    let packed = Codec::Gzip.compress(&vec![0; 100_000]);
    assert!(packed.len() < 2_000);
    for (body, headers) in [
        (&body[..], ("x", "y")),
        (&packed[..], ("content-encoding", "gzip")),
    ] {
        let answer = post(gateway.http, "/v1/logs", &[headers], body.to_vec()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after")),
            (503, Some("1"))
        );
    }
    let status = call(gateway.grpc, Signal::Logs, &[], false, body.clone())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());
    drop(held);
    assert_eq!(post(gateway.http, "/v1/logs", &[], body).await.status, 200);
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn what_never_fits_is_too_large_and_not_waited_for() {
    let setup = Setup {
        http: "max_request_body_size = \"16MiB\"",
        grpc: "max_recv_msg_size = \"16MiB\"",
        ..Setup::default()
    };
    let gateway = Gateway::start("never_fits", setup).await;
    gateway.memory.set_limit(1 << 20);
    // The second fits as it comes, and not when it is decompressed.
    let packed = Codec::Gzip.compress(&vec![0; 8 << 20]);
    for (body, encoding) in [
        (Bytes::from(vec![0; 2 << 20]), "identity"),
        (packed, "gzip"),
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = post(gateway.http, "/v1/logs", &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), 413, "{encoding}");
        assert_eq!(answer.header("retry-after"), None);
        let headers = [("grpc-encoding", encoding)];
        let compressed = encoding != "identity";
        let result = call(gateway.grpc, Signal::Logs, &headers, compressed, body).await;
        let status = result.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.get_details_retry_info().is_none());
    }
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn refusals_before_there_is_a_batch_are_counted() {
    let setup = Setup {
        http: "auth = otelcol.auth.basic.counted.handler\ninclude_metadata = true\n\
               max_request_body_size = \"1MiB\"\nread_timeout = \"100ms\"",
        grpc: "include_metadata = true",
        components: "otelcol.auth.basic \"{name}\" {\nhtpasswd { inline = \"bob:sesame\" }\n}",
        ..Setup::default()
    };
    let gateway = Gateway::start("counted", setup).await;
    let _log = gateway.open_log();
    let tenant = ("x-scope-orgid", "t");
    let bob = ("authorization", "Basic Ym9iOnNlc2FtZQ==");
    let known = [bob, tenant];
    let broken = b"\x0a\xff".to_vec();
    let signal = Signal::Logs;
    let refused = |tenant, reason| {
        let outcome = format!("refused/{reason}");
        gateway.count("otelcol.receiver.otlp", signal, tenant, &outcome)
    };
    post(gateway.http, "/v1/logs", &[tenant], broken.clone()).await;
    post(gateway.http, "/v1/logs", &known, broken.clone()).await;
    call(gateway.grpc, signal, &[tenant], false, broken)
        .await
        .unwrap_err();
    // Without its prefix it is no message.
    call_raw(gateway.grpc, method(signal), &[tenant], vec![0; 3])
        .await
        .unwrap_err();
    post(gateway.http, "/v1/logs", &known, vec![0; 2 << 20]).await;
    let free = gateway.memory.limit() - gateway.memory.used();
    let held = gateway.memory.reserve(free).unwrap();
    post(gateway.http, "/v1/logs", &known, vec![0; 100]).await;
    drop(held);
    for (tenant, reason, count) in [
        // A name that nobody vouched for is not a tenant.
        ("", "unauthenticated", 1),
        ("t", "unauthenticated", 0),
        ("t", "malformed", 3),
        ("t", "too_large", 1),
        ("t", "memory", 1),
    ] {
        assert_eq!(refused(tenant, reason), count, "{tenant:?} {reason}");
    }
    // A sender that stops in the middle of its body.
    let mut stream = TcpStream::connect(gateway.http).await.unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
                authorization: Basic Ym9iOnNlc2FtZQ==\r\ncontent-length: 1000\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    while refused("", "slow") == 0 {
        assert!(tokio::time::Instant::now() < deadline, "not counted");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_console_does_not_take_is_no_affair_of_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent/console");
    let components = format!(
        "otelcol.exporter.debug \"{{name}}\" {{\nuse_internal_logger = false\n\
         output_paths = [\"{}\"]\n}}",
        path.display()
    );
    let setup = Setup {
        to: "otelcol.exporter.debug.{name}.input",
        components: &components,
        ..Setup::default()
    };
    let gateway = Gateway::start("console", setup).await;
    let _log = gateway.open_log();
    let count = |component, outcome| gateway.count(component, Signal::Logs, "", outcome);
    let send = async || {
        let answer = post(gateway.http, "/v1/logs", &[], request(Signal::Logs, 3)).await;
        assert_eq!((answer.status.as_u16(), answer.body), (200, Bytes::new()));
    };
    send().await;
    let debug = "otelcol.exporter.debug";
    let counts =
        || ["accepted", "dropped/not_written", "delivered"].map(|outcome| count(debug, outcome));
    assert_eq!(counts(), [3, 3, 0]);
    std::fs::create_dir(folder.path().join("absent")).unwrap();
    send().await;
    assert_eq!(counts(), [6, 3, 3]);
    assert_eq!(count("otelcol.receiver.otlp", "accepted"), 6);
    assert_eq!(count("otelcol.receiver.otlp", "refused/rejected"), 0);
    assert!(
        std::fs::read_to_string(path)
            .unwrap()
            .contains("\"log records\": 3")
    );
}

#[tokio::test]
async fn a_signal_without_a_consumer_is_refused_as_by_the_collector() {
    let setup = Setup {
        to: "",
        ..Setup::default()
    };
    let gateway = Gateway::start("unrouted", setup).await;
    let _log = gateway.open_log();
    for signal in Signal::ALL {
        let body = request(signal, 1);
        let answer = post(gateway.http, &format!("/v1/{signal}"), &[], body.clone()).await;
        let said = String::from_utf8(answer.body.to_vec()).unwrap();
        let missing = format!("output has no consumer of {signal}");
        assert_eq!(answer.status.as_u16(), 404, "{said}");
        assert!(said.contains(&missing), "{said}");
        let status = call(gateway.grpc, signal, &[], false, body)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        let said = status.message();
        assert!(said.starts_with("unknown service opentelemetry."), "{said}");
        assert!(said.contains(&missing), "{said}");
        let counted = gateway.count("otelcol.receiver.otlp", signal, "", "refused/no_consumer");
        assert_eq!(counted, 2);
    }
}

#[tokio::test]
async fn processors_mark_and_refuse() {
    let setup = Setup {
        to: "otelcol.processor.memory_limiter.{name}.input",
        components: "otelcol.processor.memory_limiter \"{name}\" {\n\
                     check_interval = \"1s\"\nlimit = \"10MiB\"\n\
                     output { logs = [otelcol.processor.batch.{name}.input] }\n}\n\
                     otelcol.processor.batch \"{name}\" {\n\
                     timeout = \"50ms\"\noutput { logs = [test.sink.{name}.input] }\n}",
        ..Setup::default()
    };
    let gateway = Gateway::start("processors", setup).await;
    let body = request(Signal::Logs, 1);
    assert_eq!(
        post(gateway.http, "/v1/logs", &[], body.clone())
            .await
            .status,
        200
    );
    let merging = gateway.arrived()[0].context.merging.unwrap();
    assert_eq!(
        (merging.items, merging.items_max, merging.wait_milliseconds),
        (2000, 3000, 50)
    );
    let held = gateway.memory.reserve(9 << 20).unwrap();
    let answer = post(gateway.http, "/v1/logs", &[], body.clone()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (503, Some("1"))
    );
    drop(held);
    assert_eq!(post(gateway.http, "/v1/logs", &[], body).await.status, 200);
}
