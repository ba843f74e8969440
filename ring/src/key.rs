//! The cluster's keys: the first seals, all of them open, so that keys can be changed one node at a
//! time.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use sha2::{Digest, Sha256};

/// Keys in a ring: the present one, the one before it and the one after it, and one to spare. Each
/// is one more that an attacker may have got hold of.
pub const KEYS_MAX: usize = 4;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// What of a key's hash a datagram shows, so that its reader knows which key to try: with it a
/// datagram of noise costs a comparison and not a decryption.
pub(crate) type KeyId = [u8; 4];

/// A secret that the members of a cluster share: 256 bits, written in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

/// Why a text is no key, or no ring of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It holds no key.
    Empty,
    /// It holds more than [`KEYS_MAX`].
    TooMany,
    /// What stands in this line, counted from 1, is not 32 bytes in base64.
    NoKey {
        /// The line.
        line: usize,
    },
}

/// The keys of a cluster. The first seals what is sent; what was sealed with any is accepted.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Prepared>,
}

/// A key, ready for use.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) id: KeyId,
    pub(crate) cipher: XChaCha20Poly1305,
}

// === impl Key ===

impl Key {
    /// A new key from the system's source of randomness.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// The key as it stands in a file.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    fn prepare(&self) -> Prepared {
        let sum = Sha256::new()
            .chain_update("corten gossip key\0")
            .chain_update(self.0)
            .finalize();
        Prepared {
            id: [sum[0], sum[1], sum[2], sum[3]],
            cipher: XChaCha20Poly1305::new(&self.0.into()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(secret)")
    }
}

// === impl KeyRing ===

impl KeyRing {
    /// A ring of one key.
    pub fn of(key: &Key) -> Self {
        Self {
            keys: vec![key.prepare()],
        }
    }

    /// Reads a ring: a key in each line, the one that seals first; empty lines and those that begin
    /// with `#` do not count.
    ///
    /// # Errors
    /// [`KeyError`]; no part of the text is repeated in it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if keys.len() == KEYS_MAX {
                return Err(KeyError::TooMany);
            }
            let key = Key::parse(line).ok_or(KeyError::NoKey { line: number + 1 })?;
            keys.push(key.prepare());
        }
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self { keys })
    }

    pub(crate) fn sealing(&self) -> &Prepared {
        // A ring has a key: both ways to make one see to it.
        &self.keys[0]
    }

    /// The keys with this id: one, unless two happen to share it.
    pub(crate) fn with_id(&self, id: KeyId) -> impl Iterator<Item = &Prepared> {
        self.keys.iter().filter(move |key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyRing({} secret keys)", self.keys.len())
    }
}

// === impl KeyError ===

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("there is no key in it"),
            Self::TooMany => write!(formatter, "there are more than {KEYS_MAX} keys in it"),
            Self::NoKey { line } => {
                write!(
                    formatter,
                    "line {line} is not a key, which is 32 bytes in base64"
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_from_lines() {
        let (one, two) = (Key::generate(), Key::generate());
        let text = format!("# since May\n{}\n\n  {}  \n", one.to_text(), two.to_text());
        let ring = KeyRing::parse(&text).unwrap();
        let ids: Vec<_> = ring.keys.iter().map(|key| key.id).collect();
        assert_eq!(ids, [one.prepare().id, two.prepare().id]);
        assert_eq!(ring.sealing().id, one.prepare().id);
        assert!(ring.with_id(two.prepare().id).next().is_some());
    }

    #[test]
    fn what_is_no_ring_is_refused_and_not_repeated() {
        let many = format!("{}\n", Key::generate().to_text()).repeat(KEYS_MAX + 1);
        for (text, expected) in [
            ("", KeyError::Empty),
            ("# nothing\n", KeyError::Empty),
            ("\nhunter2", KeyError::NoKey { line: 2 }),
            ("aGVsbG8=", KeyError::NoKey { line: 1 }),
            (many.as_str(), KeyError::TooMany),
        ] {
            let error = KeyRing::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(!format!("{:?}", Key::generate()).contains('='));
    }
}
