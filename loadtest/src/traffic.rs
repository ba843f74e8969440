//! What applications send to a system under test.

use crate::{Encoding, Signal, client::Protocol};

/// One kind of application.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The transport that it uses.
    pub protocol: Protocol,
    /// The tenant that it names, if any.
    pub tenant: Option<String>,
    /// How it compresses.
    pub encoding: Encoding,
}

/// What the applications send, all together.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The signals, each sent by each kind of application.
    pub signals: Vec<Signal>,
    /// The kinds of applications.
    pub senders: Vec<Sender>,
    /// Items in a request.
    pub items: usize,
    /// Items a second of each signal, over all applications.
    pub rate: f64,
    /// Requests that each application has in flight.
    pub in_flight: usize,
    /// The seed of all contents.
    pub seed: u64,
}
