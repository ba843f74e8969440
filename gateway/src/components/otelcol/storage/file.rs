//! Makes the queues of exporters durable, which in Corten they are with and without it.
//!
//! The Collector keeps a queue in a file of its own for each storage. Corten has one log for all,
//! at the path of `--storage.path`, so arguments about files are accepted where what they promise
//! holds, and refused where it does not.

use std::time::Duration;

use super::super::{
    DebugMetrics,
    handler::{Handler, HandlerExports},
};
use crate::graph::{self, Site};

/// How the Collector would keep its files.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Whether a missing directory is made. The log makes its own.
    #[attr(default = true)]
    create_directory: bool,
    /// The directory of the files. Refused: the log is at `--storage.path`, one for all queues.
    #[attr]
    directory: Option<String>,
    /// Permissions of a directory that is made. The log's is open to its owner only, which `0700`,
    /// `0750` and `0755` allow for.
    #[attr(default = "0750")]
    directory_permissions: String,
    /// Whether each write is synced before it counts. The log always does, so `false` is kept more
    /// strictly than asked.
    #[attr(default = false)]
    fsync: bool,
    /// How long to wait for the file's lock. The log has no lock to wait for.
    #[attr(default = "1s")]
    timeout: Duration,
    /// How space is given back. The log does so by itself.
    #[block]
    compaction: Option<Compaction>,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
}

/// How space of sent data is given back, which the log does by itself.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Compaction {
    /// How often to look whether there is something to give back.
    #[attr(default = "5s")]
    check_interval: Duration,
    /// Whether leftovers of a compaction are removed at the start.
    #[attr(default = false)]
    cleanup_on_start: bool,
    /// The directory of temporary files. Refused: there are none.
    #[attr]
    directory: Option<String>,
    /// Items that are moved in one step.
    #[attr(default = 65536)]
    max_transaction_size: i64,
    /// Whether space is given back while running.
    #[attr(default = false)]
    on_rebound: bool,
    /// Whether space is given back at the start.
    #[attr(default = false)]
    on_start: bool,
    /// Size from which on it is worth the trouble, in MiB.
    #[attr(default = 100)]
    rebound_needed_threshold_mib: i64,
    /// Size below which it begins, in MiB.
    #[attr(default = 10)]
    rebound_trigger_threshold_mib: i64,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self
            .directory
            .as_deref()
            .is_some_and(|path| !path.is_empty())
        {
            let reason = "is not supported: all queues are in one log, at the path given by \
                          --storage.path; remove the argument";
            return Err(("directory", reason.to_owned()));
        }
        let permissions = u32::from_str_radix(&self.directory_permissions, 8).ok();
        match permissions {
            Some(bits) if bits & 0o700 == 0o700 && bits <= 0o777 => Ok(()),
            Some(_) => Err((
                "directory_permissions",
                "must let the owner read, write and enter, as \"0750\" does".to_owned(),
            )),
            None => Err((
                "directory_permissions",
                "is not an octal number such as \"0750\"".to_owned(),
            )),
        }
    }
}

impl Compaction {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self
            .directory
            .as_deref()
            .is_some_and(|path| !path.is_empty())
        {
            let reason = "is not supported: the log gives space back without temporary files; \
                          remove the argument";
            return Err(("directory", reason.to_owned()));
        }
        if self.max_transaction_size < 0 {
            return Err(("max_transaction_size", "must not be below 0".to_owned()));
        }
        if self.on_rebound && self.check_interval.is_zero() {
            return Err((
                "check_interval",
                "must be above zero with on_rebound".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Holds the handler.
#[derive(Debug)]
pub struct Component {
    handler: Handler,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = HandlerExports;

    fn build(_arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            handler: Handler::of_storage(site.id()),
        })
    }

    fn exports(&self) -> HandlerExports {
        HandlerExports {
            handler: self.handler.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_here_is_refused() {
        let good = Arguments {
            create_directory: true,
            directory: None,
            directory_permissions: "0750".to_owned(),
            fsync: false,
            timeout: Duration::from_secs(1),
            compaction: None,
            debug_metrics: None,
        };
        assert_eq!(good.check(), Ok(()));
        let elsewhere = Arguments {
            directory: Some("/queue".to_owned()),
            ..good.clone()
        };
        assert_eq!(elsewhere.check().unwrap_err().0, "directory");
        for permissions in ["0077", "9", "7777", ""] {
            let odd = Arguments {
                directory_permissions: permissions.to_owned(),
                ..good.clone()
            };
            assert_eq!(
                odd.check().unwrap_err().0,
                "directory_permissions",
                "{permissions}"
            );
        }
    }
}
