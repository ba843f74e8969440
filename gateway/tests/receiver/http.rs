//! What HTTP clients hear.

use bytes::Bytes;
use corten::batch::{Codec, Signal};
use http::{Method, StatusCode};
use protos::{response::PartialSuccess, status::Status};

use crate::{
    bodies::{JSON_LOGS, request},
    clients::{Headers, post, send},
    gateway::{Gateway, Setup},
};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_signal_has_its_path_and_every_codec_is_kept() {
    let gateway = Gateway::start("http_signals", Setup::default()).await;
    for (signal, path) in [
        (Signal::Logs, "/v1/logs"),
        (Signal::Metrics, "/v1/metrics"),
        (Signal::Traces, "/v1/traces"),
    ] {
        let body = request(signal, 3);
        for codec in Codec::ALL {
            let packed = codec.compress(&body);
            let name = if codec == Codec::SnappyFramed {
                "snappy"
            } else {
                codec.as_str()
            };
            let headers = [("content-encoding", name)];
            let answer = post(gateway.http, path, &headers, packed.clone()).await;
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::OK, Bytes::new()),
                "{codec}"
            );
            let [batch] = &gateway.arrived()[..] else {
                panic!("not one batch")
            };
            assert_eq!((batch.signal(), batch.items()), (signal, 3));
            let otlp = batch.payload.otlp().unwrap();
            assert_eq!((otlp.frame().codec, &otlp.frame().bytes), (codec, &packed));
        }
    }
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn json_goes_on_as_protobuf_and_is_answered_in_json() {
    let gateway = Gateway::start("http_json", Setup::default()).await;
    let packed = Codec::Gzip.compress(JSON_LOGS.as_bytes());
    for (headers, body) in [
        (&[JSON][..], Bytes::from_static(JSON_LOGS.as_bytes())),
        (
            &[
                ("content-type", "application/json; charset=utf-8"),
                ("content-encoding", "gzip"),
            ],
            packed,
        ),
    ] {
        let answer = post(gateway.http, "/v1/logs", headers, body).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::OK, &b"{}"[..])
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let arrived = gateway.arrived();
        let otlp = arrived[0].payload.otlp().unwrap();
        assert_eq!((otlp.items(), otlp.frame().codec), (1, Codec::Identity));
        assert!(
            protos::check(
                Signal::Logs,
                &otlp.bytes().unwrap(),
                &protos::Budget::default()
            )
            .is_ok()
        );
    }
    let answer = post(gateway.http, "/v1/logs", &[JSON], "{\"resourceLogs\":7}").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(Status::decode_json(&answer.body).unwrap().code, 3);
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn refusals_are_in_the_words_of_the_specification() {
    for (answer, http, code, delay) in [
        ("unavailable", 503, 14, true),
        ("throttled", 429, 8, true),
        ("invalid", 400, 3, false),
        ("too_large", 413, 8, false),
        ("denied", 403, 7, false),
    ] {
        let gateway = Gateway::start(
            "http_refusals",
            Setup {
                answer,
                ..Setup::default()
            },
        )
        .await;
        let protobuf = post(gateway.http, "/v1/logs", &[], request(Signal::Logs, 1)).await;
        let json = post(gateway.http, "/v1/logs", &[JSON], JSON_LOGS).await;
        for (answer, content_type) in [
            (&protobuf, "application/x-protobuf"),
            (&json, "application/json"),
        ] {
            assert_eq!(answer.status, http);
            assert_eq!(answer.header("content-type"), Some(content_type));
            // 2.5 s, rounded up.
            assert_eq!(answer.header("retry-after"), delay.then_some("3"));
        }
        let decoded = [
            Status::decode(&protobuf.body).unwrap(),
            Status::decode_json(&json.body).unwrap(),
        ];
        for status in decoded {
            assert_eq!(
                (status.code, &*status.message),
                (code, &*format!("the sink is {answer}"))
            );
            assert_eq!(status.delay().is_some(), delay);
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_part_is_told_from_the_whole() {
    let setup = Setup {
        answer: "partial",
        ..Setup::default()
    };
    let gateway = Gateway::start("http_partial", setup).await;
    let expected = PartialSuccess {
        rejected: 1,
        message: "one is too old".to_owned(),
    };
    let answer = post(gateway.http, "/v1/logs", &[], request(Signal::Logs, 5)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(PartialSuccess::decode(&answer.body).unwrap(), expected);
    let answer = post(gateway.http, "/v1/logs", &[JSON], JSON_LOGS).await;
    assert_eq!(
        PartialSuccess::decode_json(Signal::Logs, &answer.body).unwrap(),
        expected
    );
}

#[tokio::test]
async fn what_is_no_request_is_named() {
    let gateway = Gateway::start("http_requests", Setup::default()).await;
    let logs = "/v1/logs";
    let protobuf = ("content-type", "application/x-protobuf");
    let cases: [(Method, &str, Headers<'_>, u16); 9] = [
        (Method::POST, "/v1/profiles", &[protobuf], 404),
        (Method::POST, "/", &[protobuf], 404),
        (Method::GET, logs, &[protobuf], 405),
        (Method::OPTIONS, logs, &[protobuf], 405),
        (Method::POST, logs, &[], 415),
        (Method::POST, logs, &[("content-type", "text/plain")], 415),
        (
            Method::POST,
            logs,
            &[protobuf, ("content-encoding", "br")],
            415,
        ),
        (
            Method::POST,
            logs,
            &[protobuf, ("content-encoding", "gzip, gzip")],
            415,
        ),
        (
            Method::POST,
            logs,
            &[
                protobuf,
                ("content-encoding", "gzip"),
                ("content-encoding", "gzip"),
            ],
            415,
        ),
    ];
    for (method, path, headers, status) in cases {
        let answer = send(gateway.http, method.clone(), path, headers, "").await;
        assert_eq!(answer.status, status, "{method} {path} {headers:?}");
        assert_eq!(answer.header("allow"), (status == 405).then_some("POST"));
        let encodings = headers.iter().any(|(name, _)| *name == "content-encoding");
        assert_eq!(answer.header("accept-encoding").is_some(), encodings);
        assert!(!answer.body.is_empty());
    }
    let empty = post(gateway.http, logs, &[], "").await;
    assert_eq!(empty.status, StatusCode::OK);
    assert!(gateway.arrived().is_empty());
}

#[tokio::test]
async fn paths_and_encodings_are_as_configured() {
    let http = "logs_url_path = \"otlp/logs\"\ncompression_algorithms = [\"\", \"zstd\"]";
    let gateway = Gateway::start(
        "http_configured",
        Setup {
            http,
            ..Setup::default()
        },
    )
    .await;
    let body = request(Signal::Logs, 1);
    assert_eq!(
        post(gateway.http, "/otlp/logs", &[], body.clone())
            .await
            .status,
        200
    );
    assert_eq!(
        post(gateway.http, "/v1/logs", &[], body.clone())
            .await
            .status,
        404
    );
    for (codec, status) in [(Codec::Zstd, 200), (Codec::Gzip, 415)] {
        let headers = [("content-encoding", codec.as_str())];
        let answer = post(gateway.http, "/otlp/logs", &headers, codec.compress(&body)).await;
        assert_eq!(answer.status, status, "{codec}");
    }
}

#[tokio::test]
async fn an_answer_is_never_late() {
    let (http, answer) = ("write_timeout = \"30ms\"", "never");
    let gateway = Gateway::start(
        "http_late",
        Setup {
            http,
            answer,
            ..Setup::default()
        },
    )
    .await;
    let answer = post(gateway.http, "/v1/logs", &[], request(Signal::Logs, 1)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let http = "cors {\nallowed_origins = [\"https://*.example\"]\nmax_age = 600\n}";
    let gateway = Gateway::start(
        "http_cors",
        Setup {
            http,
            ..Setup::default()
        },
    )
    .await;
    for (origin, allowed) in [("https://a.example", true), ("https://evil.test", false)] {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let answer = send(gateway.http, Method::OPTIONS, "/v1/traces", &headers, "").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let expected = allowed.then_some(origin);
        assert_eq!(answer.header("access-control-allow-origin"), expected);
        let headers = [("origin", origin)];
        let answer = post(
            gateway.http,
            "/v1/traces",
            &headers,
            request(Signal::Traces, 1),
        )
        .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("access-control-allow-origin"), expected);
    }
}
