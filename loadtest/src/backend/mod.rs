//! A stand-in for an OTLP backend: it takes what it is sent, tells the oracle, and misbehaves on
//! demand.
//!
//! Connections linger for no time when they are closed, so that closing one is a reset: what a
//! crashed backend or a lost route looks like to whoever was sending.

mod counts;
mod fault;
mod serve;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};

pub use counts::Counts;
pub use fault::{Fault, Hint, Refusal};

use crate::{Error, client::Protocol, delivery::Check, error::Context, oracle::Destination};
use counts::Counters;

/// HTTP/2 windows, so large that a sender never waits for one.
const WINDOW_BYTES: u32 = 8 << 20;

/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 1024;

/// How many requests' times are remembered; the oldest are forgotten first.
const RECENT_MAX: usize = 4096;

/// What a backend is.
pub struct Options {
    /// The transport that it speaks.
    pub protocol: Protocol,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How closely it looks at what it gets.
    pub check: Check,
    /// Where it reports arrivals, if anywhere.
    pub destination: Option<Destination>,
}

/// A running backend. Dropping it closes its listener and connections.
pub struct Backend {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Whether the listener shall be open; the other end tells whether it is.
    wanted: watch::Sender<bool>,
    listening: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

struct Shared {
    options: Options,
    plan: Mutex<Plan>,
    counters: Counters,
    /// When the last requests came.
    recent: Mutex<VecDeque<Instant>>,
    /// Changes when every connection shall be reset.
    reset: watch::Sender<()>,
}

/// The fault in force, and for how many more requests if not for all.
struct Plan {
    fault: Fault,
    remaining: Option<u64>,
}

impl Backend {
    /// Starts to listen.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let doing = || format!("listen on {}", options.address);
        let listener = TcpListener::bind(options.address).await.context(doing)?;
        let address = listener.local_addr().context(doing)?;
        let shared = Arc::new(Shared {
            options,
            plan: Mutex::new(Plan {
                fault: Fault::Healthy,
                remaining: None,
            }),
            counters: Counters::default(),
            recent: Mutex::default(),
            reset: watch::Sender::new(()),
        });
        let (wanted, wanting) = watch::channel(true);
        let (opened, listening) = watch::channel(true);
        let task = tokio::spawn(listen(
            Arc::clone(&shared),
            listener,
            address,
            wanting,
            opened,
        ));
        Ok(Self {
            shared,
            address,
            wanted,
            listening,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen and done so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }

    /// When the last few thousand requests came, oldest first: whether a sender waited for as long
    /// as it was told to.
    pub fn recent_requests(&self) -> Vec<Instant> {
        self.shared.recent().iter().copied().collect()
    }

    /// Behaves like this from now on. Returns when its listener is open or closed accordingly.
    pub async fn inject(&self, fault: Fault) -> Result<(), Error> {
        self.set(fault, None).await
    }

    /// Behaves like this for the next `requests` requests, and is healthy afterwards. Only for
    /// faults in requests: those in connections last until the next order.
    pub async fn inject_times(&self, fault: Fault, requests: u64) -> Result<(), Error> {
        self.set(fault, Some(requests)).await
    }

    async fn set(&self, fault: Fault, remaining: Option<u64>) -> Result<(), Error> {
        let open = fault != Fault::Down;
        let refuse = fault == Fault::RefuseConnections;
        *self.shared.plan() = Plan { fault, remaining };
        if refuse || !open {
            self.shared.reset.send_replace(());
        }
        self.wanted.send_replace(open);
        let mut listening = self.listening.clone();
        let state = listening.wait_for(|listening| *listening == open).await;
        state
            .map(drop)
            .context(|| format!("listen on {} again", self.address))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.reset.send_replace(());
    }
}

impl Shared {
    fn recent(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request whose body has been read.
    fn note_request(&self, bytes: usize) {
        self.counters.requests.add(1);
        self.counters.bytes.add(bytes as u64);
        let mut recent = self.recent();
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(Instant::now());
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault for the next request.
    fn next_fault(&self) -> Fault {
        let mut plan = self.plan();
        match &mut plan.remaining {
            None => plan.fault.clone(),
            Some(0) => Fault::Healthy,
            Some(remaining) => {
                *remaining -= 1;
                plan.fault.clone()
            }
        }
    }
}

/// Accepts connections while wanted. Ends only with the backend, or when the address is taken by
/// somebody else meanwhile, which whoever waits for the listener then learns.
async fn listen(
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
    mut wanted: watch::Receiver<bool>,
    opened: watch::Sender<bool>,
) {
    let mut listener = Some(listener);
    loop {
        let want = *wanted.borrow_and_update();
        if !want {
            listener = None;
        } else if listener.is_none() {
            let Ok(again) = TcpListener::bind(address).await else {
                return;
            };
            listener = Some(again);
        }
        opened.send_replace(want);
        tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            stream = accept(listener.as_ref()) => {
                shared.counters.connections.add(1);
                let refused = shared.plan().fault == Fault::RefuseConnections;
                if stream.set_zero_linger().is_err() || refused {
                    shared.counters.connections_refused.add(u64::from(refused));
                    continue;
                }
                tokio::spawn(connection(Arc::clone(&shared), stream));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        // The errors of accept are those of the connection that would have been: try the next.
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
        tokio::task::yield_now().await;
    }
}

/// Serves a connection until the peer or a fault ends it.
async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    // Without this small answers wait for the peer's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let io = TokioIo::new(stream);
    let abort = Arc::new(Notify::new());
    let mut reset = shared.reset.subscribe();
    let service = {
        let (shared, abort) = (Arc::clone(&shared), Arc::clone(&abort));
        service_fn(move |request| {
            let answer = serve::serve(Arc::clone(&shared), Arc::clone(&abort), request);
            async { Ok::<_, Infallible>(answer.await) }
        })
    };
    let serving = async {
        // How a connection ends is the sender's concern.
        match shared.options.protocol {
            Protocol::Grpc => drop(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(WINDOW_BYTES)
                    .initial_connection_window_size(WINDOW_BYTES)
                    .max_concurrent_streams(STREAMS_MAX)
                    .serve_connection(io, service)
                    .await,
            ),
            Protocol::Http => drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await,
            ),
        }
    };
    tokio::select! {
        () = serving => {}
        () = abort.notified() => shared.counters.connections_reset.add(1),
        _ = reset.changed() => shared.counters.connections_reset.add(1),
    }
}

#[cfg(test)]
mod tests;
