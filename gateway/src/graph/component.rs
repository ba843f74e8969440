//! What a component is to the engine.

use std::{future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Health, HealthReport, Port, export::Publisher};
use crate::{batch::Consumer, services::Services};

/// One kind of component: a file under `components/` and a row of their table.
///
/// A component opens no channel, counts no flow and retries nothing: that is the engine's. It
/// makes one decision and says what comes of it.
pub trait Component: Sized + Send + Sync + 'static {
    /// What stands in its block.
    type Arguments: syntax::Arguments + Clone + PartialEq + Send + Sync + 'static;

    /// What other components can refer to.
    type Exports: syntax::Exports + 'static;

    /// Makes a component from its arguments. Has no side effects beyond reading what the arguments
    /// name: a graph that is only checked, or that turns out to be bad, is built and dropped.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the arguments and what to do.
    fn build(arguments: Self::Arguments, site: Site) -> Result<Self, String>;

    /// What the component offers to others at this moment.
    fn exports(&self) -> Self::Exports;

    /// Who takes the batches that arrive at the component's exported input, if it has one.
    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        None
    }

    /// Works until told to stop, then lets go of what it holds. Side effects begin here.
    ///
    /// # Errors
    /// Why it cannot go on; the engine shows it as the component's health and starts it again
    /// after a pause.
    fn run(
        self: Arc<Self>,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), String>> + Send {
        async move {
            stop.cancelled().await;
            Ok(())
        }
    }
}

/// The place of a component in the graph: its name, its ports, and the node's services.
#[derive(Clone, Debug)]
pub struct Site {
    pub(super) id: Arc<str>,
    pub(super) services: Services,
    pub(super) port: Arc<Port>,
    pub(super) publisher: Publisher,
    pub(super) health: HealthReport,
}

impl Site {
    /// A place outside of any graph, for a test of what stands in one.
    #[cfg(test)]
    pub fn alone(id: &str, services: Services) -> Self {
        let id: Arc<str> = id.into();
        let port = Arc::new(Port::new(id.clone(), services.metrics()));
        let (publisher, _) = Publisher::new(Arc::default());
        Self {
            id,
            services,
            port,
            publisher,
            health: HealthReport::new(),
        }
    }

    /// The component's name in the configuration: `otelcol.exporter.otlp.default`.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What the process offers to all components.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The component's own input, to be exported. It stays the same when the component is rebuilt,
    /// so that nobody upstream notices.
    pub fn input(&self) -> Arc<Port> {
        self.port.clone()
    }

    /// What an instance of the component leaves to the next one, when its arguments change: state that
    /// is costly to gather again. Of one type for a component, empty at first, and gone with its name.
    pub fn keepsake<T: std::any::Any + Default + Send + Sync>(&self) -> Arc<T> {
        self.port.keepsake()
    }

    /// Tells the engine that the exports have changed; what depends on them is evaluated again.
    pub fn publish(&self, exports: &impl syntax::Exports) {
        self.publisher.publish(&self.id, exports.to_object());
    }

    /// Says how the component is, beside what the engine sees of it by itself.
    pub fn report(&self, health: Health) {
        self.health.set(health);
    }
}
