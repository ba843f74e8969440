//! Whether people may watch what flows: off unless the configuration says otherwise, for what is
//! shown are the data themselves.

use std::sync::Arc;

use tokio::sync::watch;

/// The permission, shared by who gives it and who asks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveDebugging {
    allowed: Arc<watch::Sender<bool>>,
}

impl Default for LiveDebugging {
    fn default() -> Self {
        let (allowed, _) = watch::channel(false);
        Self {
            allowed: Arc::new(allowed),
        }
    }
}

impl LiveDebugging {
    /// Gives the permission or takes it back; who watches already sees no more then.
    pub fn allow(&self, allowed: bool) {
        self.allowed.send_replace(allowed);
    }

    /// Whether it is given.
    pub fn is_allowed(&self) -> bool {
        *self.allowed.borrow()
    }

    /// Returns once it is not given.
    pub async fn forbidden(&self) {
        // An error means that nobody can give it any more, and then it is not given.
        let _ = self.allowed.subscribe().wait_for(|allowed| !allowed).await;
    }
}
