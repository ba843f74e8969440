//! Sockets, TLS, HTTP and gRPC framing: what receivers, exporters and the admin server have in
//! common. Knows batches, and nothing of components.

pub mod body;
pub mod cors;
pub mod grpc;
pub mod listener;
pub mod pings;
pub mod server;
pub mod tls;

pub use listener::{Address, Listener, Listeners};
pub use server::Server;
