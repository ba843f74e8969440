//! The addresses behind a gRPC backend's name, and the HTTP/2 connections to each.
//!
//! One HTTP/2 connection is one task on one of our cores and often on one of the backend's, so an
//! address whose connection is busy gets another. An address that cannot be reached is passed over
//! from the moment a dial begins, not from its failure: a black hole would otherwise take its full
//! turn of every caller's time limit.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};

use super::{
    client::{HEADER_BYTES_MAX, WINDOW_BYTES},
    dial::{self, Dialer},
    grpc_client::Message,
};

/// Calls on one connection at which another is opened: enough that a sender's usual ten consumers
/// stay on two, few enough that one slow core does not hold them all up.
const CALLS_PER_CONNECTION: usize = 8;

/// Connections to one address: more would not add cores on the other side, only memory on both.
const CONNECTIONS_PER_ADDRESS: usize = 4;

/// How long an address is passed over after a failed dial, if there are others.
const PASSED_OVER_FOR: Duration = Duration::from_secs(1);

/// How often the name is resolved again, as other gRPC clients do.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);

/// How soon it is resolved again when an address could not be reached.
const RESOLVE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long a name server may take before the addresses known so far are used.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How calls are spread over the addresses of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing {
    /// All calls go to the first address that can be reached.
    PickFirst,
    /// Each address in turn.
    RoundRobin,
}

/// Pings that tell a silent connection from a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pings {
    /// Silence after which a ping is sent.
    pub interval: Duration,
    /// How long its answer may take before the connection is closed.
    pub timeout: Duration,
    /// Whether to ping when no call is under way.
    pub while_idle: bool,
}

/// How a name's addresses are used.
#[derive(Debug)]
pub struct Settings {
    /// Scheme, host and port.
    pub destination: Uri,
    /// How connections are opened.
    pub dial: dial::Settings,
    /// How calls are spread.
    pub balancing: Balancing,
    /// When connections are pinged; `None` is never.
    pub pings: Option<Pings>,
    /// Bytes of a request that may wait in the connection for the backend's window.
    pub send_buffer_bytes: usize,
}

/// All addresses of a backend.
#[derive(Debug)]
pub(super) struct Peers {
    dialer: Dialer,
    destination: Uri,
    balancing: Balancing,
    http2: http2::Builder<TokioExecutor>,
    turn: AtomicUsize,
    known: Mutex<Known>,
    resolving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    peers: Vec<Arc<Peer>>,
    resolved: Option<Instant>,
    has_failed_since: bool,
}

#[derive(Debug)]
struct Peer {
    /// `None` where a proxy resolves the name.
    address: Option<SocketAddr>,
    connections: Mutex<Vec<Connection>>,
    dialling: tokio::sync::Mutex<()>,
    passed_over_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Connection {
    sender: http2::SendRequest<Message>,
    /// One more reference than there are calls.
    calls: Arc<()>,
}

/// A connection with room for one call, which it holds until dropped.
pub(super) struct Lease {
    pub(super) sender: http2::SendRequest<Message>,
    _call: Arc<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds a peer's state")
}

impl Peers {
    pub(super) fn new(settings: Settings) -> Self {
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(HEADER_BYTES_MAX)
            .max_send_buf_size(settings.send_buffer_bytes);
        if let Some(pings) = settings.pings {
            http2
                .keep_alive_interval(pings.interval)
                .keep_alive_timeout(pings.timeout)
                .keep_alive_while_idle(pings.while_idle);
        }
        Self {
            dialer: Dialer::new(settings.dial),
            destination: settings.destination,
            balancing: settings.balancing,
            http2,
            turn: AtomicUsize::new(0),
            known: Mutex::default(),
            resolving: tokio::sync::Mutex::default(),
        }
    }

    /// A connection for the next call.
    pub(super) async fn lease(&self) -> Result<Lease, String> {
        let mut peers = self.peers().await?;
        if self.balancing == Balancing::RoundRobin {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % peers.len();
            peers.rotate_left(turn);
        }
        let now = Instant::now();
        peers.sort_by_key(|peer| lock(&peer.passed_over_until).is_some_and(|until| until > now));
        let mut failure = String::new();
        for peer in &peers {
            match self.lease_from(peer).await {
                Ok(lease) => return Ok(lease),
                Err(error) => failure = error.to_string(),
            }
        }
        lock(&self.known).has_failed_since = true;
        Err(failure)
    }

    async fn lease_from(&self, peer: &Arc<Peer>) -> Result<Lease, dial::Error> {
        if let Some(lease) = peer.lease(CALLS_PER_CONNECTION) {
            return Ok(lease);
        }
        let _dialling = match peer.dialling.try_lock() {
            Ok(guard) => guard,
            // Somebody dials already: go along with a busy connection, or wait for the first one.
            Err(_) => match peer.lease(usize::MAX) {
                Some(lease) => return Ok(lease),
                None => peer.dialling.lock().await,
            },
        };
        let is_full = lock(&peer.connections).len() >= CONNECTIONS_PER_ADDRESS;
        let enough = if is_full {
            usize::MAX
        } else {
            CALLS_PER_CONNECTION
        };
        if let Some(lease) = peer.lease(enough) {
            return Ok(lease);
        }
        *lock(&peer.passed_over_until) = Some(Instant::now() + PASSED_OVER_FOR);
        match self.connect(peer.address).await {
            Ok(connection) => {
                let lease = connection.lease();
                lock(&peer.connections).push(connection);
                *lock(&peer.passed_over_until) = None;
                Ok(lease)
            }
            Err(error) => peer.lease(usize::MAX).ok_or(error),
        }
    }

    async fn connect(&self, address: Option<SocketAddr>) -> Result<Connection, dial::Error> {
        let stream = self.dialer.dial(&self.destination, address).await?;
        let (sender, connection) =
            self.http2
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| {
                    dial::Error::new(format!(
                        "{} does not speak HTTP/2: {error}",
                        self.destination
                    ))
                })?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a backend broke");
            }
        });
        Ok(Connection {
            sender,
            calls: Arc::default(),
        })
    }

    /// The peers known, resolved again if that is due.
    async fn peers(&self) -> Result<Vec<Arc<Peer>>, String> {
        let (peers, is_due) = {
            let known = lock(&self.known);
            (known.peers.clone(), known.is_due())
        };
        if !is_due {
            return Ok(peers);
        }
        let _resolving = match self.resolving.try_lock() {
            Ok(guard) => guard,
            Err(_) if !peers.is_empty() => return Ok(peers),
            Err(_) => self.resolving.lock().await,
        };
        if !lock(&self.known).is_due() {
            return Ok(lock(&self.known).peers.clone());
        }
        let addresses = self.resolve().await;
        let mut known = lock(&self.known);
        match addresses {
            Ok(addresses) => known.replace(addresses),
            Err(message) if known.peers.is_empty() => return Err(message),
            Err(message) => tracing::warn!(error = message, "using the addresses known so far"),
        }
        known.resolved = Some(Instant::now());
        known.has_failed_since = false;
        Ok(known.peers.clone())
    }

    async fn resolve(&self) -> Result<Vec<Option<SocketAddr>>, String> {
        if self.dialer.route(&self.destination).is_some() {
            return Ok(vec![None]);
        }
        let host = self.destination.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.destination.port_u16().unwrap_or(443);
        let fault = |words: String| format!("cannot resolve {host:?}: {words}");
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((bare, port))).await;
        let found = found.map_err(|_| fault("the name server does not answer".to_owned()))?;
        let addresses: Vec<_> = found
            .map_err(|error| fault(error.to_string()))?
            .map(Some)
            .collect();
        if addresses.is_empty() {
            return Err(fault("the name has no address".to_owned()));
        }
        Ok(addresses)
    }
}

// === impl Known ===

impl Known {
    fn is_due(&self) -> bool {
        let every = if self.has_failed_since {
            RESOLVE_AFTER_FAILURE
        } else {
            RESOLVE_EVERY
        };
        self.resolved
            .is_none_or(|resolved| resolved.elapsed() >= every)
    }

    /// Takes the new addresses, keeping the connections to those that stay.
    fn replace(&mut self, addresses: Vec<Option<SocketAddr>>) {
        let peer_at = |address| {
            let old = self.peers.iter().find(|peer| peer.address == address);
            old.cloned().unwrap_or_else(|| Arc::new(Peer::new(address)))
        };
        self.peers = addresses.into_iter().map(peer_at).collect();
    }
}

// === impl Peer ===

impl Peer {
    fn new(address: Option<SocketAddr>) -> Self {
        Self {
            address,
            connections: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
            passed_over_until: Mutex::default(),
        }
    }

    /// The connection with the fewest calls, if it has fewer than this many.
    fn lease(&self, calls_max: usize) -> Option<Lease> {
        let mut connections = lock(&self.connections);
        connections.retain(|connection| !connection.sender.is_closed());
        let idlest = connections
            .iter()
            .min_by_key(|connection| connection.calls())?;
        (idlest.calls() < calls_max).then(|| idlest.lease())
    }
}

// === impl Connection ===

impl Connection {
    fn calls(&self) -> usize {
        Arc::strong_count(&self.calls) - 1
    }

    fn lease(&self) -> Lease {
        Lease {
            sender: self.sender.clone(),
            _call: self.calls.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::JoinSet};

    use super::*;

    /// Takes connections for ever and says hardly anything.
    async fn listen(tasks: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async move {
            let mut streams = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.push(stream);
            }
        });
        address
    }

    fn peers(balancing: Balancing, addresses: &[SocketAddr]) -> Peers {
        let peers = Peers::new(Settings {
            destination: Uri::from_static("http://backend:1"),
            dial: dial::Settings::default(),
            balancing,
            pings: None,
            send_buffer_bytes: 1024,
        });
        let mut known = lock(&peers.known);
        known.replace(addresses.iter().copied().map(Some).collect());
        known.resolved = Some(Instant::now());
        drop(known);
        peers
    }

    /// Connections to each address.
    fn connections(peers: &Peers) -> Vec<usize> {
        let known = lock(&peers.known);
        known
            .peers
            .iter()
            .map(|peer| lock(&peer.connections).len())
            .collect()
    }

    #[tokio::test]
    async fn each_address_is_used_in_turn_or_only_the_first() {
        let mut tasks = JoinSet::new();
        let addresses = [listen(&mut tasks).await, listen(&mut tasks).await];
        for (balancing, expected) in [
            (Balancing::RoundRobin, [1, 1]),
            (Balancing::PickFirst, [1, 0]),
        ] {
            let peers = peers(balancing, &addresses);
            for _ in 0..4 {
                peers.lease().await.unwrap();
            }
            assert_eq!(connections(&peers), expected, "{balancing:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_gone_is_passed_over() {
        let mut tasks = JoinSet::new();
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let there = listen(&mut tasks).await;
        for balancing in [Balancing::RoundRobin, Balancing::PickFirst] {
            let peers = peers(balancing, &[gone, there]);
            for _ in 0..4 {
                peers.lease().await.unwrap();
            }
            assert_eq!(connections(&peers), [0, 1], "{balancing:?}");
        }
        let peers = peers(Balancing::RoundRobin, &[gone]);
        let error = peers.lease().await.err().unwrap();
        assert!(
            error.starts_with("cannot connect to backend:1: "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn connections_grow_with_the_calls_up_to_a_bound() {
        let mut tasks = JoinSet::new();
        let peers = peers(Balancing::RoundRobin, &[listen(&mut tasks).await]);
        let mut leases = Vec::new();
        for calls in 1..=CALLS_PER_CONNECTION * (CONNECTIONS_PER_ADDRESS + 1) {
            leases.push(peers.lease().await.unwrap());
            let expected = calls
                .div_ceil(CALLS_PER_CONNECTION)
                .min(CONNECTIONS_PER_ADDRESS);
            assert_eq!(connections(&peers), [expected], "{calls} calls");
        }
        drop(leases);
        peers.lease().await.unwrap();
        assert_eq!(connections(&peers), [CONNECTIONS_PER_ADDRESS]);
    }

    #[tokio::test]
    async fn a_name_that_stays_keeps_its_connections() {
        let mut tasks = JoinSet::new();
        let (stays, goes) = (listen(&mut tasks).await, listen(&mut tasks).await);
        let peers = peers(Balancing::RoundRobin, &[stays, goes]);
        for _ in 0..2 {
            peers.lease().await.unwrap();
        }
        let fresh = listen(&mut tasks).await;
        lock(&peers.known).replace(vec![Some(fresh), Some(stays)]);
        assert_eq!(connections(&peers), [0, 1]);
    }
}
