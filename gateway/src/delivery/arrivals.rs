//! The account of a destination without a queue: what it takes is settled in the same moment.

use std::sync::Arc;

use protos::Signal;

use crate::{batch::Tenant, graph::Site, ledger::Outcome, services::Services};

/// Counts what a destination takes while its client waits.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    component: Arc<str>,
    services: Services,
}

impl Arrivals {
    /// The account of the component that stands here.
    pub(super) fn new(site: &Site) -> Self {
        Self {
            component: site.id().clone(),
            services: site.services().clone(),
        }
    }

    /// All items have arrived.
    pub(super) fn delivered(&self, signal: Signal, tenant: &Tenant, items: u64) {
        self.partly(signal, tenant, items, 0, "");
    }

    /// Some of the items were dropped, and the others have arrived.
    pub(super) fn partly(
        &self,
        signal: Signal,
        tenant: &Tenant,
        items: u64,
        dropped: u64,
        reason: &'static str,
    ) {
        let dropped = dropped.min(items);
        let ledger = self.services.ledger();
        let count = |outcome, items| ledger.count(&self.component, signal, tenant, outcome, items);
        count(Outcome::Accepted, items);
        count(Outcome::Delivered, items - dropped);
        count(Outcome::Dropped(reason), dropped);
    }
}
