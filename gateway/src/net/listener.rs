//! Listening sockets that outlive who listens on them.
//!
//! A reload stops one server and starts another on the same address. The socket goes back to the
//! registry in between and stays open, so the kernel queues new connections and refuses none.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    pin::Pin,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream},
};

/// Connections that the kernel holds while nobody accepts: a burst of clients that come back after
/// a restart.
const BACKLOG: u32 = 1024;

/// How long a socket stays open after its server has let go of it. The next server of a reload takes
/// it when the last request of this one has ended, which a server waits for 5 s at most; and an
/// address that a reload takes out of the configuration must not be kept for long.
const KEEP_OPEN: Duration = Duration::from_secs(15);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port`; an empty host is every interface.
    Tcp(String),
    /// The path of a socket in the file system.
    Unix(PathBuf),
}

impl Address {
    /// The address that an endpoint and a transport of Alloy's describe.
    ///
    /// # Errors
    /// If the transport has no listener here, or the endpoint is not one of the transport's.
    pub fn new(transport: &str, endpoint: &str) -> Result<Self, String> {
        match transport {
            "tcp" | "tcp4" | "tcp6" => {
                let port = endpoint
                    .rsplit_once(':')
                    .map(|(_, port)| u16::from_str(port));
                match port {
                    Some(Ok(_)) => Ok(Self::Tcp(endpoint.to_owned())),
                    _ => Err(format!(
                        "endpoint {endpoint:?} is not host:port, as in \"0.0.0.0:4317\""
                    )),
                }
            }
            "unix" if endpoint.is_empty() => Err("endpoint is empty, expected a path".to_owned()),
            "unix" => Ok(Self::Unix(endpoint.into())),
            other => Err(format!(
                "transport {other:?} is not supported, use \"tcp\" or \"unix\" (OTLP has no \
                 datagrams)"
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => formatter.write_str(endpoint),
            Self::Unix(path) => path.display().fmt(formatter),
        }
    }
}

/// The process's listening sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listeners {
    slots: Arc<Mutex<HashMap<Address, Slot>>>,
    keep_open: Duration,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            slots: Arc::default(),
            keep_open: KEEP_OPEN,
        }
    }
}

#[derive(Debug)]
enum Slot {
    /// A server listens on it.
    Taken,
    /// It waits for its next server. The number tells it from later ones.
    Idle(Socket, u64),
}

impl Listeners {
    /// Gives the socket of an address to a server: one that is still open, or a new one.
    ///
    /// # Errors
    /// A sentence that names the address and says what to do.
    pub async fn open(&self, address: &Address) -> Result<Listener, String> {
        let kept = self.take(address)?;
        let (address, registry) = (address.clone(), self.clone());
        // Made before the socket, so that the address is free again if there will be none.
        let mut listener = Listener {
            socket: kept,
            address,
            registry,
        };
        if listener.socket.is_none() {
            listener.socket = Some(Socket::bind(&listener.address).await?);
        }
        Ok(listener)
    }

    fn take(&self, address: &Address) -> Result<Option<Socket>, String> {
        match self.lock().insert(address.clone(), Slot::Taken) {
            None => Ok(None),
            Some(Slot::Idle(socket, _)) => Ok(Some(socket)),
            Some(Slot::Taken) => Err(format!(
                "cannot listen on {address}: another component of this configuration does, give \
                 one of them another endpoint"
            )),
        }
    }

    fn give_back(&self, address: Address, socket: Socket) {
        // Outside of a runtime the process is ending, and the socket with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return self.forget(&address);
        };
        let number = rand::random();
        self.lock()
            .insert(address.clone(), Slot::Idle(socket, number));
        let registry = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(registry.keep_open).await;
            let mut slots = registry.lock();
            if matches!(slots.get(&address), Some(Slot::Idle(_, idle)) if *idle == number) {
                slots.remove(&address);
            }
        });
    }

    fn forget(&self, address: &Address) {
        self.lock().remove(address);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that one server listens on; dropped, it goes back to the registry.
#[derive(Debug)]
pub struct Listener {
    socket: Option<Socket>,
    address: Address,
    registry: Listeners,
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// If the system has none to give, because of a limit of its own; a later call may succeed.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self.socket() {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are small and somebody waits for each. A connection that has broken off
                // already is found out by its reader.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Socket::Unix { listener, .. } => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }

    /// The address as it was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The address as the system has it, where it has one: the port 0 has become a real one.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self.socket() {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix { .. } => None,
        }
    }

    fn socket(&self) -> &Socket {
        self.socket
            .as_ref()
            .expect("the socket is there from open to drop")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        match self.socket.take() {
            Some(socket) => self.registry.give_back(self.address.clone(), socket),
            None => self.registry.forget(&self.address),
        }
    }
}

// === sockets ===

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        _file: Unlink,
    },
}

/// Takes the file of a Unix socket away when its listener goes.
#[derive(Debug)]
struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Socket {
    async fn bind(address: &Address) -> Result<Self, String> {
        match address {
            Address::Tcp(endpoint) => bind_tcp(endpoint)
                .await
                .map(Self::Tcp)
                .map_err(|error| explain(address, &error)),
            Address::Unix(path) => {
                remove_stale(path)
                    .await
                    .map_err(|error| explain(address, &error))?;
                let listener =
                    UnixListener::bind(path).map_err(|error| explain(address, &error))?;
                Ok(Self::Unix {
                    listener,
                    _file: Unlink(path.clone()),
                })
            }
        }
    }
}

async fn bind_tcp(endpoint: &str) -> io::Result<TcpListener> {
    // An empty host means every interface of both families, where the machine has both.
    let candidates: Vec<SocketAddr> = match endpoint.strip_prefix(':').map(u16::from_str) {
        Some(Ok(port)) => vec![([0_u16; 8], port).into(), ([0_u8; 4], port).into()],
        _ => tokio::net::lookup_host(endpoint).await?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for candidate in candidates {
        match listen(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Removes the socket that a process left behind when it was killed; one that answers stays.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        _ => return Ok(()),
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Ok(()),
    }
}

fn explain(address: &Address, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has it; stop that one (ss -ltnp shows it) or choose another endpoint"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not; ports below 1024 need CAP_NET_BIND_SERVICE, a socket file needs a \
             folder that can be written to"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address; 0.0.0.0 is all of them"
        }
        _ => return format!("cannot listen on {address}: {error}"),
    };
    format!("cannot listen on {address}: {advice}")
}

// === streams ===

/// An accepted connection.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> Address {
        Address::new("tcp", "127.0.0.1:0").unwrap()
    }

    #[tokio::test]
    async fn a_socket_goes_from_one_server_to_the_next_without_closing() {
        let listeners = Listeners::default();
        let first = listeners.open(&loopback()).await.unwrap();
        let address = first.local_address().unwrap();
        let busy = listeners.open(&loopback()).await.unwrap_err();
        assert!(busy.contains("127.0.0.1:0: another component"), "{busy}");
        drop(first);
        let client = TcpStream::connect(address).await.unwrap();
        let second = listeners.open(&loopback()).await.unwrap();
        assert_eq!(second.local_address(), Some(address));
        let Stream::Tcp(accepted) = second.accept().await.unwrap() else {
            panic!("not TCP")
        };
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
        assert!(accepted.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_takes_over_is_closed() {
        let listeners = Listeners {
            keep_open: Duration::from_millis(5),
            ..Listeners::default()
        };
        let first = listeners.open(&loopback()).await.unwrap();
        let address = first.local_address().unwrap();
        drop(first);
        tokio::time::timeout(Duration::from_secs(5), async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn refusals_name_the_address_and_the_way_out() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = taken.local_addr().unwrap().to_string();
        let address = Address::new("tcp", &endpoint).unwrap();
        let listeners = Listeners::default();
        let error = listeners.open(&address).await.unwrap_err();
        assert!(
            error.contains(&endpoint) && error.contains("another process has it"),
            "{error}"
        );
        // What failed is not remembered as taken.
        drop(taken);
        assert!(listeners.open(&address).await.is_ok());
        let elsewhere = Address::new("tcp", "192.0.2.1:4317").unwrap();
        let error = listeners.open(&elsewhere).await.unwrap_err();
        assert!(error.contains("no interface of this machine"), "{error}");
    }

    #[tokio::test]
    async fn an_empty_host_is_every_interface() {
        let address = Address::new("tcp", ":0").unwrap();
        let listener = Listeners::default().open(&address).await.unwrap();
        let port = listener.local_address().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_ok());
    }

    #[tokio::test]
    async fn a_unix_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("otlp.sock");
        let address = Address::new("unix", path.to_str().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listeners::default().open(&address).await.unwrap();
        let _client = UnixStream::connect(&path).await.unwrap();
        assert!(matches!(listener.accept().await, Ok(Stream::Unix(_))));
        let error = Listeners::default().open(&address).await.unwrap_err();
        assert!(error.contains("another process has it"), "{error}");
    }

    #[test]
    fn other_transports_and_endpoints_are_refused_by_name() {
        for (transport, endpoint, expected) in [
            ("udp", "0.0.0.0:4317", "transport \"udp\" is not supported"),
            ("tcp", "0.0.0.0", "\"0.0.0.0\" is not host:port"),
            ("tcp", "host:otlp", "\"host:otlp\" is not host:port"),
            ("unix", "", "expected a path"),
        ] {
            let error = Address::new(transport, endpoint).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
