//! A dead letter: what a destination refused for good, with why, as a record of the log and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use bytes::Bytes;

use super::record::{self, Attributes, StoredLetter};
use crate::batch::{CodecError, Frame, Merging, Metadata, QueueKey, Tenant};

/// Bytes of a backend's words that are kept: enough for a sentence, too few to flood a log.
pub(super) const WORDS_BYTES_MAX: usize = 512;

/// What a destination refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The signal and the tenant.
    pub key: QueueKey,
    /// The number of the record that it is of, which no other record of the log ever has.
    pub origin: u64,
    /// Its first item in that record.
    pub first: u64,
    /// Log records, data points or spans in it.
    pub items: u64,
    /// A name for counting: `invalid`, `too_large`, ...
    pub reason: String,
    /// The backend's words, in one line.
    pub words: String,
    /// When it was refused.
    pub refused_at: SystemTime,
    /// When it was accepted from its client.
    pub accepted_at: SystemTime,
    /// The request that was refused.
    pub frame: Frame,
    /// The client's headers that the destination needs.
    pub metadata: Metadata,
    /// How the request may be merged.
    pub merging: Option<Merging>,
}

impl Letter {
    /// A name that no other dead letter has.
    pub fn id(&self) -> String {
        format!("{}-{}", self.origin, self.first)
    }

    /// The request without compression.
    ///
    /// # Errors
    /// If it cannot be decompressed, which cannot happen to a request that was checked.
    pub fn plain(&self) -> Result<Bytes, CodecError> {
        let Frame {
            codec,
            bytes,
            plain_length,
        } = &self.frame;
        codec.decompress(bytes, *plain_length)
    }

    /// The letter as those see it who look after it; with its request, in base64 and without
    /// compression, if that is wanted.
    pub fn to_json(&self, component: &str, with_body: bool) -> serde_json::Value {
        let time = |time| humantime::format_rfc3339_millis(time).to_string();
        let mut json = serde_json::json!({
            "id": self.id(),
            "component": component,
            "signal": self.key.signal.as_str(),
            "tenant": self.key.tenant.as_str(),
            "items": self.items,
            "bytes": self.frame.bytes.len(),
            "reason": self.reason,
            "message": self.words,
            "refusedAt": time(self.refused_at),
            "acceptedAt": time(self.accepted_at),
        });
        if with_body && let Ok(body) = self.plain() {
            json["body"] = base64::engine::general_purpose::STANDARD
                .encode(body)
                .into();
        }
        json
    }

    /// The letter as a record.
    pub(super) fn encode(&self) -> wal::Record {
        let mut attributes = Attributes::new(&self.frame, &self.metadata, self.merging);
        attributes.letter = Some(StoredLetter {
            signal: self.key.signal.as_str().to_owned(),
            tenant: self.key.tenant.as_str().to_owned(),
            origin: self.origin,
            first: self.first,
            reason: self.reason.clone(),
            words: words(&self.words),
            refused_at_milliseconds: milliseconds(self.refused_at),
        });
        self.record(&attributes, self.accepted_at)
    }

    /// The record that it was, to be delivered once more. It is as old as this moment: an age beyond
    /// which data is dropped is not meant for what an operator has just asked for.
    pub(super) fn revive(&self) -> wal::Record {
        let attributes = Attributes::new(&self.frame, &self.metadata, self.merging);
        self.record(&attributes, SystemTime::now())
    }

    /// Reads a letter back.
    ///
    /// # Errors
    /// A sentence, if it is none or was written by a newer version.
    pub(super) fn decode(record: &wal::Record) -> Result<Self, String> {
        let newer = || "dead letter has attributes that this version cannot read".to_owned();
        let attributes = record::attributes(record)?;
        let letter = attributes.letter.clone().ok_or_else(newer)?;
        let stored = record::stored(record, attributes)?;
        let key = QueueKey {
            signal: letter.signal.parse().map_err(|_| newer())?,
            tenant: Tenant::new(&letter.tenant).map_err(|_| newer())?,
        };
        Ok(Self {
            key,
            origin: letter.origin,
            first: letter.first,
            items: record.items,
            reason: letter.reason,
            words: letter.words,
            refused_at: UNIX_EPOCH + Duration::from_millis(letter.refused_at_milliseconds),
            accepted_at: record.accepted_at,
            frame: stored.frame,
            metadata: stored.metadata,
            merging: stored.merging,
        })
    }

    fn record(&self, attributes: &Attributes, accepted_at: SystemTime) -> wal::Record {
        wal::Record {
            payload: self.frame.bytes.clone(),
            attributes: prost::Message::encode_to_vec(attributes).into(),
            items: self.items,
            accepted_at,
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A backend's words as they may be kept and shown: one line, bounded, control characters escaped.
pub(super) fn words(text: &str) -> String {
    let mut words = String::new();
    for character in text.trim().chars() {
        let before = words.len();
        match character.is_control() {
            true => words.extend(character.escape_default()),
            false => words.push(character),
        }
        if words.len() > WORDS_BYTES_MAX - '…'.len_utf8() {
            words.truncate(before);
            words.push('…');
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use protos::Signal;

    use super::*;
    use crate::batch::Codec;

    fn letter() -> Letter {
        Letter {
            key: QueueKey {
                signal: Signal::Traces,
                tenant: Tenant::new("a").unwrap(),
            },
            origin: 7,
            first: 2,
            items: 3,
            reason: "invalid".to_owned(),
            words: "trace id is too short".to_owned(),
            refused_at: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
            accepted_at: UNIX_EPOCH + Duration::from_millis(1_790_000_000_001),
            frame: Frame {
                codec: Codec::Gzip,
                bytes: Codec::Gzip.compress(b"body"),
                plain_length: 4,
            },
            metadata: Metadata::new([("x-a".to_owned(), "b".to_owned())]),
            merging: Some(Merging {
                items: 1,
                items_max: 2,
                wait_milliseconds: 3,
            }),
        }
    }

    #[test]
    fn a_letter_comes_back_as_it_was() {
        let letter = letter();
        assert_eq!(Letter::decode(&letter.encode()).unwrap(), letter);
        assert_eq!(
            (&*letter.id(), &*letter.plain().unwrap()),
            ("7-2", &b"body"[..])
        );
        let revived = letter.revive();
        assert_eq!(revived.items, 3);
        let stored = record::decode(&revived).unwrap();
        assert_eq!(
            (stored.frame, stored.merging),
            (letter.frame, letter.merging)
        );
        assert!(Letter::decode(&revived).is_err(), "it is a letter no more");
    }

    #[test]
    fn words_are_one_line_and_bounded() {
        for (text, expected) in [
            (" plain \n", "plain"),
            ("two\nlines\u{1b}[31m", "two\\nlines\\u{1b}[31m"),
            ("", ""),
        ] {
            assert_eq!(words(text), expected);
            assert_eq!(words(expected), expected, "twice is as once");
        }
        for filler in ["x", "ä", "\n"] {
            let long = words(&format!(".{}.", filler.repeat(1000)));
            assert!(
                (500..=WORDS_BYTES_MAX).contains(&long.len()),
                "{}",
                long.len()
            );
            assert!(long.ends_with('…'), "{long}");
        }
        let exact = "x".repeat(WORDS_BYTES_MAX - 3);
        assert_eq!(words(&exact), exact);
    }
}
