//! What the log remembers about itself beside the records: its format, its queues and streams, and
//! how far each has come. Written in the same batch as the records they speak of.
//!
//! Numbers are little endian, strings and lists carry their length. A note that cannot be read is
//! an error in opening, never a guess.

use crate::counts::Counts;
use crate::ledger::Ledger;

/// The format of everything on disk. Raised when an older program could misread what a newer one
/// wrote.
pub(crate) const FORMAT: u32 = 1;

/// The key of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// `u32`: the format version.
    Format,
    /// [`Clock`].
    Clock,
    /// The name of a queue.
    Queue(u32),
    /// [`Progress`] of a queue.
    Progress(u32),
    /// The queues of a stream.
    Stream(u32),
    /// [`Head`] of a stream.
    Head(u32),
}

impl Key {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let (kind, number) = match self {
            Self::Format => (b'f', 0),
            Self::Clock => (b'c', 0),
            Self::Queue(id) => (b'q', id),
            Self::Progress(id) => (b'p', id),
            Self::Stream(id) => (b's', id),
            Self::Head(id) => (b'h', id),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, number) = bytes.split_first()?;
        let number = u32::from_be_bytes(number.try_into().ok()?);
        Some(match kind {
            b'f' => Self::Format,
            b'c' => Self::Clock,
            b'q' => Self::Queue(number),
            b'p' => Self::Progress(number),
            b's' => Self::Stream(number),
            b'h' => Self::Head(number),
            _ => return None,
        })
    }
}

/// The next numbers to give out; none is ever given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) sequence: u64,
    pub(crate) queue: u32,
    pub(crate) stream: u32,
}

impl Clock {
    /// The later of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            sequence: self.sequence.max(other.sequence),
            queue: self.queue.max(other.queue),
            stream: self.stream.max(other.stream),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            sequence: 1,
            queue: 1,
            stream: 1,
        }
    }
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last sequence in the stream, 0 when it never had one.
    pub(crate) sequence: u64,
    /// All records the stream ever had.
    pub(crate) total: Counts,
}

/// How far a queue has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Everything below is settled.
    pub(crate) cursor: u64,
    /// Everything below had been handed out; from the cursor up to here a restart repeats.
    pub(crate) handed: u64,
    /// Accepted in all; delivered and dropped below the cursor.
    pub(crate) ledger: Ledger,
    /// For each stream, what lies below the cursor.
    pub(crate) below: Vec<(u32, Counts)>,
}

/// Writes the fields of a note one after the other.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn counts(&mut self, counts: Counts) -> &mut Self {
        self.u64(counts.records).u64(counts.items).u64(counts.bytes)
    }
}

/// Reads them back; `None` when the note is too short.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn counts(&mut self) -> Option<Counts> {
        Some(Counts {
            records: self.u64()?,
            items: self.u64()?,
            bytes: self.u64()?,
        })
    }

    fn text(&mut self) -> Option<&str> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

impl Clock {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.sequence).u32(self.queue).u32(self.stream);
        writer.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            sequence: reader.u64()?,
            queue: reader.u32()?,
            stream: reader.u32()?,
        })
    }
}

impl Head {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.sequence).counts(self.total);
        writer.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            sequence: reader.u64()?,
            total: reader.counts()?,
        })
    }
}

impl Progress {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.cursor).u64(self.handed);
        writer.u64(self.ledger.accepted).u64(self.ledger.delivered);
        writer.u32(self.ledger.dropped.len() as u32);
        for (reason, items) in &self.ledger.dropped {
            writer.u32(reason.len() as u32);
            writer.0.extend_from_slice(reason.as_bytes());
            writer.u64(*items);
        }
        writer.u32(self.below.len() as u32);
        for (stream, counts) in &self.below {
            writer.u32(*stream).counts(*counts);
        }
        writer.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut progress = Self {
            cursor: reader.u64()?,
            handed: reader.u64()?,
            ..Self::default()
        };
        progress.ledger.accepted = reader.u64()?;
        progress.ledger.delivered = reader.u64()?;
        for _ in 0..reader.u32()? {
            let reason = reader.text()?.into();
            progress.ledger.dropped.insert(reason, reader.u64()?);
        }
        for _ in 0..reader.u32()? {
            progress.below.push((reader.u32()?, reader.counts()?));
        }
        Some(progress)
    }
}

pub(crate) fn encode_members(members: &[u32]) -> Vec<u8> {
    let mut writer = Writer::default();
    for member in members {
        writer.u32(*member);
    }
    writer.0
}

pub(crate) fn decode_members(bytes: &[u8]) -> Option<Vec<u32>> {
    let (members, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| {
        members
            .iter()
            .map(|member| u32::from_le_bytes(*member))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_as_they_were_written() {
        let mut ledger = Ledger {
            accepted: 9,
            delivered: 4,
            ..Ledger::default()
        };
        ledger.drop_items("expired", 2);
        ledger.drop_items("refused", 1);
        let counts = Counts {
            records: 1,
            items: 2,
            bytes: 3,
        };
        let progress = Progress {
            cursor: 7,
            handed: 8,
            ledger,
            below: vec![(1, counts)],
        };
        let bytes = progress.encode();
        assert_eq!(Progress::decode(&bytes), Some(progress));
        for length in 0..bytes.len() {
            assert_eq!(Progress::decode(&bytes[..length]), None, "cut at {length}");
        }

        let clock = Clock {
            sequence: 1 << 40,
            queue: 2,
            stream: 3,
        };
        assert_eq!(Clock::decode(&clock.encode()), Some(clock));
        let head = Head {
            sequence: 5,
            total: counts,
        };
        assert_eq!(Head::decode(&head.encode()), Some(head));
        assert_eq!(decode_members(&encode_members(&[1, 9])), Some(vec![1, 9]));
        assert_eq!(decode_members(&[1, 2, 3]), None);
    }

    #[test]
    fn keys_come_back_and_unknown_ones_do_not() {
        for key in [
            Key::Format,
            Key::Clock,
            Key::Queue(1),
            Key::Progress(2),
            Key::Stream(3),
            Key::Head(4),
        ] {
            assert_eq!(Key::parse(&key.bytes()), Some(key));
        }
        assert_eq!(Key::parse(b"z\0\0\0\0"), None);
        assert_eq!(Key::parse(b""), None);
    }
}
