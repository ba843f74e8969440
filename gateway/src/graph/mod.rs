//! The engine: it turns a configuration into running components and owns all that is between them.
//!
//! ```text
//! text --parse--> blocks --plan--> nodes in dependency order --evaluate--> arguments
//!      --build--> instances --swap--> running components, joined by ports
//! ```
//!
//! A reload goes the same way beside the running graph, and only its last step has effects.

mod component;
mod definition;
mod draft;
mod engine;
mod export;
mod fanout;
mod health;
mod import;
mod meters;
mod module;
mod node;
mod plan;
mod port;
mod scope;
mod supervise;
mod vocabulary;

pub use component::{Component, Site};
pub use definition::{Definition, Label, Stability};
pub use engine::{Engine, NodeKind, NodeView, Reloaded, checking_library, standard_library};
pub use fanout::Fanout;
pub use health::{Health, HealthReport, HealthState};
pub use import::{Import, Module};
pub use port::{ConsumerHandle, Port, Tap};
pub use vocabulary::{Known, STRUCTURAL, Vocabulary};
