//! Clients that send exactly the bytes that a test has.

use std::net::SocketAddr;

use bytes::Bytes;
use corten::{
    batch::Signal,
    net::grpc::{self, Message},
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::{Code, Status};

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Names and values.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

/// Posts protobuf, unless a header says otherwise.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: Headers<'_>,
    body: impl Into<Bytes>,
) -> Answer {
    let mut all = vec![("content-type", "application/x-protobuf")];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend_from_slice(headers);
    send(address, Method::POST, path, &all, body).await
}

/// Sends one request over HTTP/1.1 on a connection of its own.
pub(crate) async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: Headers<'_>,
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = request(method, path, headers, body.into());
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

fn request(method: Method, path: &str, headers: Headers<'_>, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body)).unwrap()
}

/// Calls a method with one message.
pub(crate) async fn call(
    address: SocketAddr,
    signal: Signal,
    headers: Headers<'_>,
    compressed: bool,
    message: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let framed = grpc::frame(&Message {
        compressed,
        bytes: message.into(),
    });
    call_raw(address, method(signal), headers, framed).await
}

/// The path of a signal's method.
pub(crate) fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    }
}

/// Calls a method with bytes that may not be a message.
pub(crate) async fn call_raw(
    address: SocketAddr,
    path: &str,
    headers: Headers<'_>,
    body: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let stream = TcpStream::connect(address).await.unwrap();
    call_over(stream, path, headers, body).await
}

/// The same over any connection.
pub(crate) async fn call_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    path: &str,
    headers: Headers<'_>,
    body: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let response = exchange(stream, path, headers, body).await;
    let response = response.map_err(|error| Status::unavailable(error.to_string()))?;
    grpc::answer(response, 1 << 20, None)
        .await
        .map(|message| message.bytes)
}

/// One request over HTTP/2, as a gRPC client makes it.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    path: &str,
    headers: Headers<'_>,
    body: impl Into<Bytes>,
) -> hyper::Result<Response<hyper::body::Incoming>> {
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
    tokio::spawn(connection);
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend_from_slice(headers);
    let mut request = Request::post(format!("http://localhost{path}"));
    for (name, value) in all {
        request = request.header(name, value);
    }
    sender
        .send_request(request.body(Full::new(body.into())).unwrap())
        .await
}

/// The code of a result.
pub(crate) fn code(result: &Result<Bytes, Status>) -> Code {
    result.as_ref().err().map_or(Code::Ok, Status::code)
}
