//! Chitchat's transport over UDP, in which only sealed datagrams count.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use async_trait::async_trait;
use chitchat::{
    ChitchatMessage, Deserializable, Serializable,
    transport::{Socket, Transport},
};

use crate::{
    key::KeyRing,
    seal::{DATAGRAM_BYTES_MAX, Opener, Rejected, Sealer},
};

/// A transport over UDP that seals what it sends and drops what it cannot open.
#[derive(Clone, Debug)]
pub struct SealedUdp {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: RwLock<KeyRing>,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Meters {
    sent: AtomicU64,
    received: AtomicU64,
    unauthenticated: AtomicU64,
    replayed: AtomicU64,
    clock: AtomicU64,
    malformed: AtomicU64,
}

/// Datagrams and bytes since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received, also of what was dropped.
    pub received_bytes: u64,
    /// Datagrams dropped because they were not sealed with the cluster's key.
    pub unauthenticated: u64,
    /// Datagrams dropped because they had come before.
    pub replayed: u64,
    /// Datagrams dropped because their sender's clock is too far off.
    pub clock: u64,
    /// Datagrams dropped because they make no sense to this version.
    pub malformed: u64,
}

struct SealedSocket {
    shared: Arc<Shared>,
    socket: tokio::net::UdpSocket,
    sealer: Sealer,
    opener: Opener,
    buffer: Box<[u8]>,
}

// === impl SealedUdp ===

impl SealedUdp {
    /// A transport with these keys.
    pub fn new(keys: KeyRing) -> Self {
        let shared = Shared {
            keys: RwLock::new(keys),
            meters: Meters::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Uses other keys from now on, also in sockets that are open.
    pub fn set_keys(&self, keys: KeyRing) {
        *self
            .shared
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// What was sent, received and dropped.
    pub fn counts(&self) -> Counts {
        let meters = &self.shared.meters;
        let load = |meter: &AtomicU64| meter.load(Ordering::Relaxed);
        Counts {
            sent_bytes: load(&meters.sent),
            received_bytes: load(&meters.received),
            unauthenticated: load(&meters.unauthenticated),
            replayed: load(&meters.replayed),
            clock: load(&meters.clock),
            malformed: load(&meters.malformed),
        }
    }
}

#[async_trait]
impl Transport for SealedUdp {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let socket = tokio::net::UdpSocket::bind(address)
            .await
            .with_context(|| format!("cannot listen for gossip on {address} (UDP)"))?;
        Ok(Box::new(SealedSocket {
            shared: self.shared.clone(),
            socket,
            sealer: Sealer::new(),
            opener: Opener::default(),
            // One byte more than is allowed, so that a longer datagram is not taken for a whole one.
            buffer: vec![0; DATAGRAM_BYTES_MAX + 1].into(),
        }))
    }
}

// === impl SealedSocket ===

impl SealedSocket {
    /// The message that a datagram completes, with the count of why not if it is dropped.
    fn open(&mut self, length: usize) -> Option<Vec<u8>> {
        let meters = &self.shared.meters;
        count(&meters.received, length);
        let keys = self
            .shared
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let datagram = &self.buffer[..length];
        match self.opener.open(&keys, clock(), datagram) {
            Ok(message) => message,
            Err(reason) => {
                let meter = match reason {
                    Rejected::Unauthenticated => &meters.unauthenticated,
                    Rejected::Replayed => &meters.replayed,
                    Rejected::Clock { .. } => &meters.clock,
                    Rejected::Malformed => &meters.malformed,
                };
                count(meter, 1);
                None
            }
        }
    }
}

#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let message = message.serialize_to_vec();
        let datagrams = {
            let keys = self
                .shared
                .keys
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            self.sealer.seal(&keys, clock(), &message)
        };
        let datagrams = datagrams.context("a gossip message is too long to send")?;
        for datagram in &datagrams {
            self.socket
                .send_to(datagram, to)
                .await
                .with_context(|| format!("cannot send gossip to {to}"))?;
            count(&self.shared.meters.sent, datagram.len());
        }
        Ok(())
    }

    /// Nothing is lost when it is cancelled while it waits.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let (length, from) = match self.socket.recv_from(&mut self.buffer).await {
                Ok(received) => received,
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error).context("cannot receive gossip any more"),
            };
            let Some(message) = self.open(length) else {
                continue;
            };
            match ChitchatMessage::deserialize(&mut &*message) {
                Ok(message) => return Ok((from, message)),
                Err(_) => count(&self.shared.meters.malformed, 1),
            }
        }
    }
}

/// Whether a later datagram may come all the same: an address that nobody listens on any more is
/// reported on the next call.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, OutOfMemory};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | Interrupted | OutOfMemory
    )
}

fn count(meter: &AtomicU64, number: usize) {
    meter.fetch_add(number as u64, Ordering::Relaxed);
}

/// The time since 1970.
fn clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
