//! Hostile bodies: each gets its error, no memory stays taken, and honest traffic goes on.

use corten::batch::{Codec, Signal};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    bodies::{deep, element_bomb, request},
    clients::{call, code, post},
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
