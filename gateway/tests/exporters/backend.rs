//! A backend that answers by a script and remembers what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

pub(crate) type Body = BoxBody<Bytes, Infallible>;
pub(crate) type Answer = Response<Body>;

/// What a client sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// How a request is answered.
pub(crate) type Script = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// A server on loopback that ends with its value.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Backend {
    /// A backend that answers by the script.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(script, None, Duration::ZERO).await
    }

    /// One that takes its time before each answer.
    pub(crate) async fn slow(pause: Duration, script: fn(&Seen) -> Answer) -> Self {
        Self::listen(script, None, pause).await
    }

    /// One that speaks TLS.
    pub(crate) async fn secure(
        tls: Arc<rustls::ServerConfig>,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(script, Some(tls), Duration::ZERO).await
    }

    async fn listen(
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
        pause: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let service = service(Arc::new(script), Arc::clone(&seen), pause);
        let mut tasks = JoinSet::new();
        let count = connections.clone();
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (service, tls) = (TowerToHyperService::new(service.clone()), tls.clone());
                served.spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = match tls {
                        None => {
                            builder
                                .serve_connection(TokioIo::new(stream), service)
                                .await
                        }
                        Some(tls) => match TlsAcceptor::from(tls).accept(stream).await {
                            Ok(stream) => {
                                builder
                                    .serve_connection(TokioIo::new(stream), service)
                                    .await
                            }
                            Err(_) => return,
                        },
                    };
                });
            }
        });
        Self {
            address,
            seen,
            connections,
            _tasks: tasks,
        }
    }

    /// Everything it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only thing it was asked.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

type Service = tower::util::BoxCloneSyncService<Request<Incoming>, Answer, hyper::Error>;

fn service(script: Script, seen: Arc<Mutex<Vec<Seen>>>, pause: Duration) -> Service {
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let (script, seen) = (script.clone(), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let (version, method, uri, headers) =
                (head.version, head.method, head.uri, head.headers);
            let request = Seen {
                version,
                method,
                uri,
                headers,
                body,
            };
            seen.lock().unwrap().push(request.clone());
            tokio::time::sleep(pause).await;
            Ok(script(&request))
        }
    });
    Service::new(service)
}

/// An HTTP answer.
pub(crate) fn http(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into()).boxed()).unwrap()
}

/// A gRPC answer: a framed message, if there is one, and the status behind it.
pub(crate) fn grpc(message: Option<Bytes>, status: &tonic::Status) -> Answer {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    let frames = message
        .map(Frame::data)
        .into_iter()
        .chain([Frame::trailers(trailers)]);
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
    let body = BodyExt::boxed(body);
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}

/// Success without a word more.
pub(crate) fn grpc_ok(_: &Seen) -> Answer {
    grpc(Some(Bytes::from_static(&[0; 5])), &tonic::Status::ok(""))
}

/// A proxy that tunnels what `CONNECT` asks for, and what it was asked.
pub(crate) struct Tunnels {
    pub(crate) address: SocketAddr,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Tunnels {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let asked = heads.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let asked = asked.clone();
                tokio::spawn(async move {
                    let head = read_head(&mut client).await;
                    let target = head.split(' ').nth(1).unwrap().to_owned();
                    asked.lock().unwrap().push(head);
                    let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
                    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self {
            address,
            heads,
            _task: task,
        }
    }
}

async fn read_head(stream: &mut tokio::net::TcpStream) -> String {
    use tokio::io::AsyncReadExt;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}
