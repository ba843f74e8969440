//! The proof: generators, stand-in backends, faults, and an oracle that counts every item.
//!
//! Nothing here knows the gateway. The system under test is any command that speaks OTLP, and what
//! it promised is judged by what went in, what was acknowledged and what came out:
//!
//! ```text
//! generate -> load -> client ==OTLP==> system under test ==OTLP==> backend
//!                        |                   |                        |
//!               numbers acknowledged     process, usage        numbers that came
//!                        '----------------> oracle <------------------'
//!                                             |
//!                                          verdict
//! ```
//!
//! The readers of OTLP in here are deliberately not the gateway's: see [`Delivery`].

pub mod act;
pub mod backend;
pub mod bench;
mod bitmap;
pub mod client;
mod compress;
mod counters;
mod delivery;
pub mod demo;
mod error;
pub mod fetch;
pub mod generate;
mod histogram;
pub mod ledger;
pub mod load;
mod number;
pub mod oracle;
pub mod ports;
pub mod process;
pub mod report;
mod rpc;
pub mod scenario;
mod signal;
mod skim;
pub mod stage;
pub mod sut;
pub mod traffic;
pub mod units;
mod usage;
mod verdict;
mod wire;

pub use compress::{BODY_BYTES_MAX, Encoding};
pub use delivery::{Check, Delivery, Run};
pub use error::Error;
pub use histogram::Histogram;
pub use number::Number;
pub use oracle::Oracle;
pub use signal::Signal;
pub use usage::Usage;
pub use verdict::{ACKED_MIN, Verdict};
pub use wire::Malformed;
