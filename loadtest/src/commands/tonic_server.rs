//! `loadtest tonic-server`: tonic's own server and framing, with a codec that hands the bytes over
//! as they are. Every gateway built on tonic pays at least this much to receive.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use clap::Args;
use loadtest::Error;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::Service,
    server::{Grpc, UnaryService},
    transport::Server,
};

/// HTTP/2 windows, as large as the generator's and the sink's.
const WINDOW_BYTES: u32 = 4 << 20;

/// The largest message that is read: OTLP's recommended limit.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen.
    address: SocketAddr,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let interrupted = async { drop(tokio::signal::ctrl_c().await) };
        Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .serve_with_shutdown(self.address, Sink, interrupted)
            .await
            .map_err(|error| Error::new(format!("serve on {}: {error}", self.address)))?;
        Ok(true)
    }
}

/// The service: every method takes a message and answers an empty one.
#[derive(Clone)]
struct Sink;

impl Service<http::Request<Body>> for Sink {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(MESSAGE_BYTES_MAX);
            Ok(grpc.unary(Swallow, request).await)
        })
    }
}

struct Swallow;

impl UnaryService<Bytes> for Swallow {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(Bytes::new())))
    }
}

/// Messages as bytes, uncopied on the way in.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(out, item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
