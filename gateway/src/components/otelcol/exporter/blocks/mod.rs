//! The blocks that exporters have in common, as Alloy's reference describes them once for all.

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

use std::time::Duration;

/// The time that an attempt may take: zero means for ever in Alloy.
pub fn limit(timeout: Duration) -> Duration {
    if timeout.is_zero() {
        Duration::MAX
    } else {
        timeout
    }
}
