//! Connections that do not behave, and reloads that connections do not notice.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use corten::batch::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    bodies::request,
    clients::{call, code, method, post},
    gateway::{Gateway, Setup},
};

const PATIENCE: Duration = Duration::from_secs(5);

/// What a server sends until it closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("closed by the server")
    {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    bytes
}

async fn sends(gateway: &Gateway) -> bool {
    post(gateway.http, "/v1/logs", &[], request(Signal::Logs, 1))
        .await
        .status
        == 200
}

#[tokio::test]
async fn silent_and_slow_clients_are_closed_and_others_served() {
    let http =
        "read_header_timeout = \"100ms\"\nread_timeout = \"100ms\"\nidle_timeout = \"100ms\"";
    let gateway = Gateway::start(
        "slow",
        Setup {
            http,
            ..Setup::default()
        },
    )
    .await;
    let connect = || async { TcpStream::connect(gateway.http).await.unwrap() };

    let mut silent = connect().await;
    let mut headers = connect().await;
    headers
        .write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\nx-")
        .await
        .unwrap();
    let mut body = connect().await;
    let head = "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 1000\r\n\r\nabc";
    body.write_all(head.as_bytes()).await.unwrap();
    let mut idle = connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(sends(&gateway).await);

    assert!(rest(&mut silent).await.is_empty());
    rest(&mut headers).await;
    let answer = String::from_utf8(rest(&mut body).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    assert!(rest(&mut idle).await.starts_with(b"HTTP/1.1 404 "));
    assert!(sends(&gateway).await);
    assert_eq!(gateway.memory.used(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_gives_its_memory_back() {
    let setup = Setup {
        answer: "never",
        ..Setup::default()
    };
    let gateway = Gateway::start("leaving", setup).await;
    let mut stream = TcpStream::connect(gateway.http).await.unwrap();
    let body = request(Signal::Logs, 10);
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    until(|| gateway.memory.used() > 0).await;
    drop(stream);
    until(|| gateway.memory.used() == 0).await;
}

async fn until(condition: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("in time");
}

#[tokio::test]
async fn connections_end_after_one_request_where_they_should() {
    let http = "keep_alives_enabled = false";
    let gateway = Gateway::start(
        "keep_alive",
        Setup {
            http,
            ..Setup::default()
        },
    )
    .await;
    let mut stream = TcpStream::connect(gateway.http).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.starts_with(b"HTTP/1.1 404 "));
}

#[tokio::test]
async fn old_grpc_connections_are_asked_to_go() {
    let grpc = "keepalive { server_parameters {\nmax_connection_age = \"100ms\"\n\
                max_connection_age_grace = \"1s\"\n} }";
    let gateway = Gateway::start(
        "age",
        Setup {
            grpc,
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
    assert_eq!(code(&result), tonic::Code::Ok);
    let mut stream = TcpStream::connect(gateway.grpc).await.unwrap();
    // The preface, empty settings, and the headers of a call that stays open.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let bytes = {
        let mut bytes = vec![0; 4096];
        let mut have = 0;
        loop {
            let read = timeout(PATIENCE, stream.read(&mut bytes[have..]))
                .await
                .unwrap()
                .unwrap();
            have += read;
            if read == 0 {
                bytes.truncate(have);
                break bytes;
            }
        }
    };
    assert!(frames(&bytes).contains(&GOAWAY), "{:?}", frames(&bytes));
}

const GOAWAY: u8 = 7;

/// The types of the HTTP/2 frames in these bytes.
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [high, middle, low, kind, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        types.push(*kind);
        bytes = rest.get(5 + length..).unwrap_or_default();
    }
    types
}

#[tokio::test]
async fn clients_that_ping_too_much_are_closed() {
    let grpc = "keepalive { enforcement_policy { min_time = \"1m\" } }";
    let gateway = Gateway::start(
        "pings",
        Setup {
            grpc,
            ..Setup::default()
        },
    )
    .await;
    for (pings, closed) in [(3, false), (4, true)] {
        let mut stream = TcpStream::connect(gateway.grpc).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        for _ in 0..pings {
            stream
                .write_all(b"\0\0\x08\x06\0\0\0\0\0pingpong")
                .await
                .unwrap();
        }
        let mut bytes = Vec::new();
        let end = timeout(Duration::from_millis(300), stream.read_to_end(&mut bytes)).await;
        assert_eq!(end.is_ok(), closed, "{pings} pings");
    }
}

#[tokio::test]
async fn a_reload_refuses_nobody() {
    let gateway = Gateway::start("reload", Setup::default()).await;
    let (http, body) = (gateway.http, request(Signal::Logs, 1));
    let client = tokio::spawn(async move {
        let mut sent = 0;
        for _ in 0..200 {
            sent += u32::from(post_patiently(http, &body).await);
        }
        sent
    });
    for n in 0..20 {
        let changed = format!("max_request_body_size = \"{}MiB\"", 10 + n);
        gateway
            .load(Setup {
                http: &changed,
                ..Setup::default()
            })
            .await
            .unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.await.unwrap(), 200);
    assert_eq!(gateway.arrived().len(), 200);
    // And what is wrong changes nothing.
    let wrong = Setup {
        http: "max_request_body_size = \"lots\"",
        ..Setup::default()
    };
    assert!(gateway.load(wrong).await.is_err());
    assert!(sends(&gateway).await);
}

/// Whether a request is taken; a connection that is closed by a reload before it sent anything is
/// opened again, as every client does, but must never be refused.
async fn post_patiently(address: SocketAddr, body: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).await.expect("never refused");
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .unwrap();
    rest(&mut stream).await.starts_with(b"HTTP/1.1 200 ")
}

#[tokio::test]
async fn other_protocols_on_a_port_are_no_danger() {
    let gateway = Gateway::start("noise", Setup::default()).await;
    for address in [gateway.grpc, gateway.http] {
        for noise in [
            &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
            &[0; 300],
            b"GET / HTTP/0.9\n\n",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(noise).await.unwrap();
            stream.shutdown().await.unwrap();
            rest(&mut stream).await;
        }
    }
    let path = method(Signal::Logs);
    let stream = TcpStream::connect(gateway.http).await.unwrap();
    let response = crate::clients::exchange(stream, path, &[], "")
        .await
        .unwrap();
    assert_eq!(response.status(), 404, "gRPC on the HTTP port");
    assert!(sends(&gateway).await);
}
