//! Makes messages into datagrams that only members can make, and only once: sealed with the
//! cluster's key, numbered, dated, and cut in two where they do not fit.
//!
//! ```text
//!  0        1        5                 21        29        37     38      39
//!  version  key id   session           number    clock     part   parts   sealed bytes, tag
//! ```
//!
//! Session and number are the nonce of XChaCha20-Poly1305: a session is 128 random bits of one start
//! of a process, and a number is never used twice in it. All that stands before the sealed bytes is
//! authenticated with them.
//!
//! The clock is looked at only where a session is new. So a recorded datagram of a member that is
//! gone says nothing, and a clock that steps does not cut off a member that was known before.

use std::{collections::HashMap, fmt, time::Duration};

use chacha20poly1305::{XNonce, aead::Aead, aead::Payload};

use crate::{
    key::{KeyRing, Prepared},
    window::Window,
};

/// How far the clock of a sender not heard before may be off. Clocks that are kept by NTP differ by
/// much less, and within this time a recorded datagram of a session nobody remembers can be replayed.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// The longest message: what chitchat fills a datagram with at most, which leaves no room for a
/// seal.
pub const MESSAGE_BYTES_MAX: usize = 65_507;

/// Senders that are remembered. A restart of a member makes a new one; beyond that, who was silent
/// for longest is forgotten.
pub const SESSIONS_MAX: usize = 4096;

/// The longest datagram: what UDP can carry over IPv4.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_507;

/// Datagrams of one message: the longest needs two.
const PARTS_MAX: usize = 2;

const VERSION: u8 = 1;
const HEAD: usize = 39;
const TAG: usize = 16;

/// Bytes of a message in one datagram.
const PART_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - HEAD - TAG;

type Session = [u8; 16];

/// Seals the messages of one start of a process.
pub struct Sealer {
    session: Session,
    number: u64,
}

/// Opens what the other members have sealed.
#[derive(Default)]
pub struct Opener {
    senders: HashMap<Session, Sender>,
}

/// What is remembered of a sender.
struct Sender {
    window: Window,
    heard_at: Duration,
    /// A message of which one part has come.
    half: Option<Half>,
}

struct Half {
    /// The number of the message's first datagram.
    first: u64,
    part: u8,
    bytes: Vec<u8>,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is not in our form, or was sealed with a key that is not in our ring.
    Unauthenticated,
    /// It has come before, or far too late.
    Replayed,
    /// Its sender is new to us, and its clock differs from ours by this much or more.
    Clock {
        /// The difference.
        off: Duration,
    },
    /// A member made it, and it makes no sense.
    Malformed,
}

/// What a datagram says before its sealed bytes.
struct Head {
    session: Session,
    number: u64,
    clock: Duration,
    part: u8,
    parts: u8,
}

// === impl Sealer ===

impl Sealer {
    /// A sealer with a session of its own.
    pub fn new() -> Self {
        Self {
            session: rand::random(),
            number: 0,
        }
    }

    /// The datagrams of a message, one or two. `clock` is the time since 1970. None if the message is
    /// longer than [`MESSAGE_BYTES_MAX`].
    pub fn seal(
        &mut self,
        keys: &KeyRing,
        clock: Duration,
        message: &[u8],
    ) -> Option<Vec<Vec<u8>>> {
        if message.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        // An empty message is one datagram, too.
        let parts = message.len().div_ceil(PART_BYTES_MAX).max(1);
        let size = message.len().div_ceil(parts);
        let datagrams = (0..parts).map(|part| {
            let bytes = &message[part * size..message.len().min((part + 1) * size)];
            self.seal_part(keys.sealing(), clock, [part as u8, parts as u8], bytes)
        });
        datagrams.collect()
    }

    fn seal_part(
        &mut self,
        key: &Prepared,
        clock: Duration,
        place: [u8; 2],
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let mut datagram = Vec::with_capacity(HEAD + bytes.len() + TAG);
        datagram.push(VERSION);
        datagram.extend(key.id);
        datagram.extend(self.session);
        datagram.extend(self.number.to_be_bytes());
        let milliseconds = u64::try_from(clock.as_millis()).unwrap_or(u64::MAX);
        datagram.extend(milliseconds.to_be_bytes());
        datagram.extend(place);
        self.number += 1;
        let payload = Payload {
            msg: bytes,
            aad: &datagram,
        };
        let sealed = key.cipher.encrypt(&nonce(&datagram), payload).ok()?;
        datagram.extend(sealed);
        Some(datagram)
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Opener ===

impl Opener {
    /// The message that a datagram completes, if it does. `clock` is the time since 1970.
    ///
    /// # Errors
    /// Why it is to be dropped. Until a datagram is known to be a member's, nothing is allocated or
    /// remembered for it.
    pub fn open(
        &mut self,
        keys: &KeyRing,
        clock: Duration,
        datagram: &[u8],
    ) -> Result<Option<Vec<u8>>, Rejected> {
        let (head, bytes) = unseal(keys, datagram).ok_or(Rejected::Unauthenticated)?;
        if head.parts == 0 || usize::from(head.parts) > PARTS_MAX || head.part >= head.parts {
            return Err(Rejected::Malformed);
        }
        let sender = self.sender(&head, clock)?;
        if !sender.window.take(head.number) {
            return Err(Rejected::Replayed);
        }
        sender.heard_at = clock;
        if head.parts == 1 {
            return Ok(Some(bytes));
        }
        Ok(sender.join(&head, bytes))
    }

    fn sender(&mut self, head: &Head, clock: Duration) -> Result<&mut Sender, Rejected> {
        if !self.senders.contains_key(&head.session) {
            let off = clock.abs_diff(head.clock);
            if off > CLOCK_TOLERANCE {
                return Err(Rejected::Clock { off });
            }
            if self.senders.len() >= SESSIONS_MAX {
                self.forget_one();
            }
        }
        Ok(self.senders.entry(head.session).or_insert_with(|| Sender {
            window: Window::default(),
            heard_at: clock,
            half: None,
        }))
    }

    fn forget_one(&mut self) {
        let silent = self
            .senders
            .iter()
            .min_by_key(|(_, sender)| sender.heard_at);
        if let Some(session) = silent.map(|(session, _)| *session) {
            self.senders.remove(&session);
        }
    }
}

impl Sender {
    /// Puts a part beside the one before it; a part that has no other half stays until the next one
    /// comes.
    fn join(&mut self, head: &Head, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let first = head.number.checked_sub(u64::from(head.part))?;
        match self.half.take() {
            Some(half) if half.first == first && half.part != head.part => {
                let (mut front, back) = match head.part {
                    0 => (bytes, half.bytes),
                    _ => (half.bytes, bytes),
                };
                front.extend(back);
                Some(front)
            }
            _ => {
                let part = head.part;
                self.half = Some(Half { first, part, bytes });
                None
            }
        }
    }
}

/// Session and number, which make a nonce that no other datagram has.
fn nonce(datagram: &[u8]) -> XNonce {
    let mut nonce = XNonce::default();
    nonce.copy_from_slice(&datagram[5..29]);
    nonce
}

fn unseal(keys: &KeyRing, datagram: &[u8]) -> Option<(Head, Vec<u8>)> {
    if datagram.len() < HEAD + TAG || datagram[0] != VERSION {
        return None;
    }
    let (head, sealed) = datagram.split_at(HEAD);
    let id = head[1..5].try_into().ok()?;
    let payload = || Payload {
        msg: sealed,
        aad: head,
    };
    let bytes = keys
        .with_id(id)
        .find_map(|key| key.cipher.decrypt(&nonce(head), payload()).ok())?;
    let number = |at: usize| head[at..at + 8].try_into().ok().map(u64::from_be_bytes);
    let head = Head {
        session: head[5..21].try_into().ok()?,
        number: number(21)?,
        clock: Duration::from_millis(number(29)?),
        part: head[37],
        parts: head[38],
    };
    Some((head, bytes))
}

// === impl Rejected ===

impl fmt::Display for Rejected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => {
                formatter.write_str("it was not sealed with the cluster's key")
            }
            Self::Replayed => formatter.write_str("it has come before, or far too late"),
            Self::Clock { off } => write!(
                formatter,
                "its sender's clock differs from ours by {off:?}, more than {CLOCK_TOLERANCE:?}: \
                 set the clocks right"
            ),
            Self::Malformed => formatter.write_str("it makes no sense"),
        }
    }
}

impl std::error::Error for Rejected {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Key;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn one(sealer: &mut Sealer, keys: &KeyRing, message: &[u8]) -> Vec<u8> {
        let mut datagrams = sealer.seal(keys, NOW, message).unwrap();
        assert_eq!(datagrams.len(), 1);
        datagrams.remove(0)
    }

    #[test]
    fn a_message_arrives_once_and_only_whole() {
        let keys = KeyRing::of(&Key::generate());
        let (mut sealer, mut opener) = (Sealer::new(), Opener::default());
        for size in [0, 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, MESSAGE_BYTES_MAX] {
            let message: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let datagrams = sealer.seal(&keys, NOW, &message).unwrap();
            assert!(datagrams.iter().all(|one| one.len() <= DATAGRAM_BYTES_MAX));
            assert_eq!(datagrams.len() > 1, size > PART_BYTES_MAX);
            // The parts may overtake each other.
            for order in [false, true] {
                let mut opener = Opener::default();
                let mut order = if order { [0, 1] } else { [1, 0] }.to_vec();
                order.truncate(datagrams.len());
                if datagrams.len() == 1 {
                    order = vec![0];
                }
                let opened: Vec<_> = order
                    .iter()
                    .map(|at| opener.open(&keys, NOW, &datagrams[*at]).unwrap())
                    .collect();
                assert_eq!(opened.last(), Some(&Some(message.clone())));
                assert_eq!(opened.iter().flatten().count(), 1);
            }
            for datagram in &datagrams {
                opener.open(&keys, NOW, datagram).unwrap();
                let again = opener.open(&keys, NOW, datagram);
                assert_eq!(again, Err(Rejected::Replayed));
            }
        }
        assert!(
            sealer
                .seal(&keys, NOW, &vec![0; MESSAGE_BYTES_MAX + 1])
                .is_none()
        );
    }

    #[test]
    fn halves_of_two_messages_make_none() {
        let keys = KeyRing::of(&Key::generate());
        let (mut sealer, mut opener) = (Sealer::new(), Opener::default());
        let one = sealer
            .seal(&keys, NOW, &vec![1; MESSAGE_BYTES_MAX])
            .unwrap();
        let two = sealer
            .seal(&keys, NOW, &vec![2; MESSAGE_BYTES_MAX])
            .unwrap();
        assert_eq!(opener.open(&keys, NOW, &one[0]), Ok(None));
        assert_eq!(opener.open(&keys, NOW, &two[1]), Ok(None));
        let whole = opener.open(&keys, NOW, &two[0]).unwrap();
        assert_eq!(whole, Some(vec![2; MESSAGE_BYTES_MAX]));
    }

    #[test]
    fn keys_are_changed_one_node_at_a_time() {
        let (old, new) = (Key::generate(), Key::generate());
        let ring = |keys: &[&Key]| {
            let lines: Vec<_> = keys.iter().map(|key| key.to_text()).collect();
            KeyRing::parse(&lines.join("\n")).unwrap()
        };
        let stages = [
            ring(&[&old]),
            ring(&[&old, &new]),
            ring(&[&new, &old]),
            ring(&[&new]),
        ];
        for pair in stages.windows(2) {
            for (from, to) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let datagram = one(&mut Sealer::new(), from, b"hello");
                let opened = Opener::default().open(to, NOW, &datagram);
                assert_eq!(opened, Ok(Some(b"hello".to_vec())));
            }
        }
        let datagram = one(&mut Sealer::new(), &stages[0], b"hello");
        let opened = Opener::default().open(&stages[3], NOW, &datagram);
        assert_eq!(opened, Err(Rejected::Unauthenticated));
    }

    #[test]
    fn a_clock_counts_only_at_first_sight() {
        let keys = KeyRing::of(&Key::generate());
        let (mut sealer, mut opener) = (Sealer::new(), Opener::default());
        let datagram = one(&mut sealer, &keys, b"");
        let late = NOW + CLOCK_TOLERANCE + Duration::from_secs(1);
        let off = late - NOW;
        assert_eq!(
            opener.open(&keys, late, &datagram),
            Err(Rejected::Clock { off })
        );
        assert!(opener.senders.is_empty());
        opener.open(&keys, NOW, &datagram).unwrap();
        // A clock that steps by five minutes does not cut off who is known.
        let next = one(&mut sealer, &keys, b"");
        let stepped = NOW + Duration::from_secs(300);
        assert!(opener.open(&keys, stepped, &next).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_the_most_silent_is_forgotten() {
        let keys = KeyRing::of(&Key::generate());
        let mut opener = Opener::default();
        let first = one(&mut Sealer::new(), &keys, b"");
        opener.open(&keys, NOW, &first).unwrap();
        for _ in 0..SESSIONS_MAX {
            let datagram = one(&mut Sealer::new(), &keys, b"");
            let later = NOW + Duration::from_secs(1);
            opener.open(&keys, later, &datagram).unwrap();
        }
        assert_eq!(opener.senders.len(), SESSIONS_MAX);
        // What was forgotten can be replayed as long as its clock is within the tolerance.
        assert!(opener.open(&keys, NOW, &first).is_ok());
        assert!(
            opener
                .open(&keys, NOW + CLOCK_TOLERANCE * 2, &first)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn a_changed_bit_is_noticed(at in 0_usize..60, bit in 0_u8..8) {
            let keys = KeyRing::of(&Key::generate());
            let mut datagram = one(&mut Sealer::new(), &keys, b"hello");
            let at = at % datagram.len();
            datagram[at] ^= 1 << bit;
            let opened = Opener::default().open(&keys, NOW, &datagram);
            prop_assert_eq!(opened, Err(Rejected::Unauthenticated));
        }

        #[test]
        fn noise_is_dropped(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let keys = KeyRing::of(&Key::generate());
            let opened = Opener::default().open(&keys, NOW, &bytes);
            prop_assert_eq!(opened, Err(Rejected::Unauthenticated));
        }
    }
}
