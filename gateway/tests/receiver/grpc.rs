//! What gRPC clients hear.

use std::time::Duration;

use bytes::Bytes;
use corten::{
    batch::{Codec, Signal},
    net::grpc::{Message, frame},
};
use protos::response::PartialSuccess;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    bodies::request,
    clients::{Headers, call, call_raw, code, exchange, method},
    gateway::{Gateway, Setup},
};

#[tokio::test]
async fn every_signal_goes_to_its_output() {
    let gateway = Gateway::start("grpc_signals", Setup::default()).await;
    for signal in Signal::ALL {
        let body = request(signal, 3);
        assert_eq!(
            call(gateway.grpc, signal, &[], false, body.clone())
                .await
                .unwrap(),
            ""
        );
        let [batch] = &gateway.arrived()[..] else {
            panic!("not one batch")
        };
        assert_eq!((batch.signal(), batch.items()), (signal, 3));
        let otlp = batch.payload.otlp().unwrap();
        assert_eq!(otlp.bytes().unwrap(), body);
    }
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn a_frame_goes_on_as_it_came() {
    let gateway = Gateway::start("grpc_frames", Setup::default()).await;
    let body = request(Signal::Traces, 100);
    for codec in Codec::ALL {
        let Some(encoding) = codec.grpc_encoding() else {
            continue;
        };
        let (packed, compressed) = (codec.compress(&body), codec != Codec::Identity);
        let headers = [("grpc-encoding", encoding)];
        let result = call(
            gateway.grpc,
            Signal::Traces,
            &headers,
            compressed,
            packed.clone(),
        )
        .await;
        assert_eq!(code(&result), Code::Ok, "{codec}: {result:?}");
        let arrived = gateway.arrived();
        let otlp = arrived[0].payload.otlp().unwrap();
        assert_eq!((otlp.frame().codec, &otlp.frame().bytes), (codec, &packed));
        assert_eq!(otlp.bytes().unwrap(), body);
        assert_eq!(otlp.frame().plain_length, body.len() as u64);
    }
    // A message may be sent plain although the call announces compression.
    let headers = [("grpc-encoding", "gzip")];
    let result = call(gateway.grpc, Signal::Traces, &headers, false, body).await;
    assert_eq!(code(&result), Code::Ok);
}

#[tokio::test]
async fn refusals_are_in_the_words_of_the_specification() {
    for (answer, expected, delay) in [
        ("unavailable", Code::Unavailable, true),
        ("throttled", Code::ResourceExhausted, true),
        ("invalid", Code::InvalidArgument, false),
        ("too_large", Code::ResourceExhausted, false),
        ("denied", Code::PermissionDenied, false),
    ] {
        let gateway = Gateway::start(
            "grpc_refusals",
            Setup {
                answer,
                ..Setup::default()
            },
        )
        .await;
        let result = call(
            gateway.grpc,
            Signal::Logs,
            &[],
            false,
            request(Signal::Logs, 1),
        )
        .await;
        let status = result.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (expected, &*format!("the sink is {answer}"))
        );
        let retry = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        assert_eq!(
            retry,
            delay.then_some(Duration::from_millis(2500)),
            "{answer}"
        );
        assert_eq!(
            status.get_details_bad_request().is_some(),
            answer == "invalid"
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_part_is_told_from_the_whole() {
    let setup = Setup {
        answer: "partial",
        ..Setup::default()
    };
    let gateway = Gateway::start("grpc_partial", setup).await;
    let result = call(
        gateway.grpc,
        Signal::Logs,
        &[],
        false,
        request(Signal::Logs, 5),
    )
    .await;
    let partial = PartialSuccess::decode(&result.unwrap()).unwrap();
    assert_eq!((partial.rejected, &*partial.message), (1, "one is too old"));
}

#[tokio::test]
async fn nothing_is_a_success() {
    let gateway = Gateway::start("grpc_empty", Setup::default()).await;
    for body in [Vec::new(), request(Signal::Logs, 0)] {
        assert_eq!(
            code(&call(gateway.grpc, Signal::Logs, &[], false, body).await),
            Code::Ok
        );
    }
    assert!(gateway.arrived().is_empty());
}

#[tokio::test]
async fn what_is_no_call_is_named() {
    let gateway = Gateway::start("grpc_calls", Setup::default()).await;
    let logs = method(Signal::Logs);
    let message = |bytes: &'static [u8], compressed| {
        frame(&Message {
            compressed,
            bytes: Bytes::from_static(bytes),
        })
    };
    let cases: [(&str, Headers<'_>, Bytes, Code, &str); 9] = [
        (
            "/x.Y/Z",
            &[],
            message(b"", false),
            Code::Unimplemented,
            "unknown method /x.Y/Z",
        ),
        (
            logs,
            &[("grpc-encoding", "br")],
            message(b"", true),
            Code::Unimplemented,
            "encoding",
        ),
        (
            logs,
            &[],
            message(b"x", true),
            Code::InvalidArgument,
            "does not say how",
        ),
        (logs, &[], Bytes::new(), Code::InvalidArgument, "no message"),
        (
            logs,
            &[],
            Bytes::from_static(b"\0\0\0\0\x09ab"),
            Code::InvalidArgument,
            "middle",
        ),
        (
            logs,
            &[],
            Bytes::from_static(b"\x07\0\0\0\0"),
            Code::InvalidArgument,
            "flag",
        ),
        (
            logs,
            &[],
            Bytes::from_static(&[0; 10]),
            Code::InvalidArgument,
            "more than one",
        ),
        (
            logs,
            &[("grpc-timeout", "soon")],
            message(b"", false),
            Code::InvalidArgument,
            "timeout",
        ),
        (
            logs,
            &[],
            Bytes::from_static(b"\0\xff\0\0\0"),
            Code::ResourceExhausted,
            "larger than",
        ),
    ];
    for (path, headers, body, expected, words) in cases {
        let status = call_raw(gateway.grpc, path, headers, body)
            .await
            .unwrap_err();
        assert_eq!(status.code(), expected, "{status:?}");
        assert!(
            status.message().contains(words),
            "{:?} lacks {words:?}",
            status.message()
        );
        assert!(status.get_details_retry_info().is_none());
    }
    let stream = tokio::net::TcpStream::connect(gateway.grpc).await.unwrap();
    let headers = [("content-type", "application/json")];
    let response = exchange(stream, logs, &headers, "{}").await.unwrap();
    assert_eq!(response.status(), 415);
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn a_deadline_is_kept() {
    let setup = Setup {
        answer: "never",
        ..Setup::default()
    };
    let gateway = Gateway::start("grpc_deadline", setup).await;
    let headers = [("grpc-timeout", "30m")];
    let result = call(
        gateway.grpc,
        Signal::Logs,
        &headers,
        false,
        request(Signal::Logs, 1),
    )
    .await;
    assert_eq!(code(&result), Code::DeadlineExceeded);
    assert_eq!(gateway.memory.used(), 0);
}
