//! How much room the file system has left.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::options::Options;

/// How old an answer of the file system may be. Writing at 1 GB/s uses up a third of the default
/// reserve in that time, and what the log itself writes is counted at once.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) struct Space {
    path: PathBuf,
    reserve: u64,
    looked: Option<Instant>,
    free: u64,
}

impl Space {
    pub(crate) fn new(options: &Options) -> Self {
        let (path, reserve) = (options.path.clone(), options.disk_reserve_bytes);
        Self {
            path,
            reserve,
            looked: None,
            free: 0,
        }
    }

    /// Whether less than the reserve is free. A file system that does not say counts as roomy: the
    /// write will tell.
    pub(crate) fn is_full(&mut self) -> bool {
        if self
            .looked
            .is_none_or(|looked| looked.elapsed() >= LOOK_AGAIN)
        {
            self.looked = Some(Instant::now());
            self.free = match rustix::fs::statvfs(&self.path) {
                Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "cannot ask for free space");
                    u64::MAX
                }
            };
        }
        self.free < self.reserve
    }

    /// Bytes that were free at the last look.
    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    /// Counts what was written since the last look.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.free = self.free.saturating_sub(bytes);
    }
}
