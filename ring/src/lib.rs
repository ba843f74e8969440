//! Who is in the cluster, and who owns what.
//!
//! ```text
//! datagrams -> seal (authentic, fresh, whole) -> chitchat -> View -> Ring -> owner of a key
//!                                                              `----> Placement of weighted keys
//! ```
//!
//! Members find each other by gossip ([`Cluster`]), which shows each of them a [`View`]; of the
//! active members of a view a [`Ring`] is made, and the same members give the same owners on every
//! node and in every version. What is not a socket or a clock is a pure function of its input.
//!
//! The surprising decision: chitchat reads nothing that was not sealed with the cluster's key. One
//! datagram from a stranger can make its decoder allocate a gigabyte, and a few can put members into
//! the cluster that do not exist.

#![deny(missing_docs)]

mod cluster;
mod key;
mod member;
mod placement;
mod ring;
mod seal;
mod transport;
mod view;
mod weight;
mod window;

pub use cluster::{Cluster, Error, LEAVE_NOTICE, Options};
pub use key::{KEYS_MAX, Key, KeyError, KeyRing};
pub use member::{Load, Member, State};
pub use placement::{Placement, SLACK};
pub use ring::{Ring, RingKey, VIRTUAL_NODES};
pub use seal::{CLOCK_TOLERANCE, MESSAGE_BYTES_MAX, Opener, Rejected, SESSIONS_MAX, Sealer};
pub use transport::{Counts, SealedUdp};
pub use view::{MEMBERS_MAX, View};
pub use weight::Weight;
