//! From an accepted batch to a settled one: the way into the log, and the way out of it.
//!
//! ```text
//! source -> Intake -> ports -> Sender::consume -> staged record
//!             `-- commit: one synced group ----------'
//! log -> Lane (one for each destination, signal and tenant) -> merge -> Destination::send -> settle
//! ```

mod arrivals;
pub mod classify;
mod course;
mod dead_letters;
mod destination;
mod form;
mod intake;
mod job;
mod lane;
mod letter;
mod pauses;
mod progress;
mod record;
mod request;
mod sender;
mod settings;
#[cfg(test)]
mod tests;

pub use dead_letters::{DeadLetters, Kept, Moved, Selection};
pub use destination::{Destination, Request, SendFuture, Verdict};
pub use intake::{Accepted, Intake};
pub use letter::Letter;
pub use sender::Sender;
pub use settings::{QueueSettings, QueueSize, Retry, Settings};
