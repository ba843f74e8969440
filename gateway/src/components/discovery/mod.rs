//! Components that find targets.

pub mod dns;
pub mod file;
pub mod http;
pub mod relabel;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use crate::{discovery::Target, graph::Site};

/// The targets that were found last.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// The targets that were found last. While nothing can be found out they stay.
    #[attr]
    targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    component_id: String,
}

/// The counter of that name that belongs to a component.
fn counter(site: &Site, name: &'static str, help: &str) -> Counter {
    let family: Family<Labels, Counter> = site.services().metrics().family(name, help);
    let labels = Labels {
        component_id: site.id().to_string(),
    };
    family.get_or_create(&labels).clone()
}
