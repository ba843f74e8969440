//! Sockets, TLS, HTTP and gRPC framing: what receivers, exporters and the admin server have in
//! common. Knows batches, and nothing of components.

pub mod activity;
pub mod body;
pub mod client;
pub mod client_certificates;
mod cookies;
pub mod cors;
pub mod dial;
pub mod gate;
pub mod grpc;
pub mod grpc_client;
pub mod listener;
pub mod peers;
pub mod pings;
pub mod proxy;
pub mod server;
pub mod tls;
mod watch;

pub use gate::Gate;
pub use listener::{Address, Listener, Listeners};
pub use server::Server;
