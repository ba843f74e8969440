//! The blocks that exporters have in common, as Alloy's reference describes them once for all.

use std::time::Duration;

use syntax::ByteSize;

mod compression;
mod headers;
mod queue;
mod retry;
mod tls;

pub use compression::Compression;
pub use headers::header_map;
pub use queue::SendingQueue;
pub use retry::RetryOnFailure;
pub use tls::ClientTlsBlock;

/// The time that an attempt may take: zero means for ever in Alloy.
pub fn limit(timeout: Duration) -> Duration {
    if timeout.is_zero() {
        Duration::MAX
    } else {
        timeout
    }
}

/// The largest buffer of a connection: no request is larger, and each connection has its own.
const BUFFER_BYTES_MAX: u64 = 64 << 20;

/// The bytes of a buffer of connections.
///
/// # Errors
/// If every connection would take more memory than a request can need.
pub fn buffer(argument: &str, size: ByteSize) -> Result<usize, String> {
    match usize::try_from(size.bytes()) {
        Ok(bytes) if size.bytes() <= BUFFER_BYTES_MAX => Ok(bytes),
        _ => Err(format!(
            "client.{argument} must not be above 64MiB: every connection has a buffer of that size"
        )),
    }
}
