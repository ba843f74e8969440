//! Which lanes of a destination wait for an operator: the health of the component is that of all of
//! them together.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    batch::QueueKey,
    graph::{Health, Site},
};

/// The lanes that make no progress by themselves, and why.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    lanes: Mutex<HashMap<QueueKey, String>>,
}

impl Pauses {
    /// A lane waits for an operator.
    pub(super) fn begin(&self, site: &Site, key: &QueueKey, reason: String) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(key.clone(), reason.clone());
        site.report(Health::unhealthy(reason));
    }

    /// A lane goes on; the component is well again when no other waits.
    pub(super) fn end(&self, site: &Site, key: &QueueKey) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.remove(key).is_some() {
            site.report(match lanes.values().next() {
                None => Health::healthy("delivers"),
                Some(reason) => Health::unhealthy(reason.clone()),
            });
        }
    }
}
