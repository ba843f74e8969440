//! Lets the admin API show the data that flow through components.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::graph::{self, Site};

/// The `livedebugging` block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// Whether the data may be watched.
    #[attr(default = false)]
    enabled: bool,
}

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The permission, given while it runs.
#[derive(Debug)]
pub struct Component {
    enabled: bool,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            enabled: arguments.enabled,
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let live = self.site.services().live_debugging();
        live.allow(self.enabled);
        stop.cancelled().await;
        live.allow(false);
        Ok(())
    }
}
