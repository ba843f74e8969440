//! A batch as a record of the log, and back.
//!
//! The signal and the tenant are in the queue's name; what else a request needs is in the record's
//! attributes: how the body is compressed, the client's headers, how to merge it.

use std::time::SystemTime;

use prost::Message;

use crate::batch::{Codec, CodecError, Context, Frame, Merging, Metadata, Otlp};

/// What the log keeps beside a body. Fields are only ever added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attributes {
    #[prost(string, tag = "1")]
    codec: String,
    #[prost(uint64, tag = "2")]
    plain_length: u64,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Header>,
    #[prost(message, optional, tag = "4")]
    merging: Option<StoredMerging>,
    /// Only of dead letters.
    #[prost(message, optional, tag = "5")]
    pub(super) letter: Option<StoredLetter>,
}

/// What makes a record a dead letter.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredLetter {
    #[prost(string, tag = "1")]
    pub(super) signal: String,
    #[prost(string, tag = "2")]
    pub(super) tenant: String,
    #[prost(uint64, tag = "3")]
    pub(super) origin: u64,
    #[prost(uint64, tag = "4")]
    pub(super) first: u64,
    #[prost(string, tag = "5")]
    pub(super) reason: String,
    #[prost(string, tag = "6")]
    pub(super) words: String,
    #[prost(uint64, tag = "7")]
    pub(super) refused_at_milliseconds: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredMerging {
    #[prost(uint64, tag = "1")]
    items: u64,
    #[prost(uint64, tag = "2")]
    items_max: u64,
    #[prost(uint64, tag = "3")]
    wait_milliseconds: u64,
}

/// A record as the sender reads it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) frame: Frame,
    pub(super) items: u64,
    pub(super) accepted_at: SystemTime,
    pub(super) metadata: Metadata,
    pub(super) merging: Option<Merging>,
}

/// The record of a request: its frame as it came in.
pub(super) fn encode(otlp: &Otlp, metadata: &Metadata, context: &Context) -> wal::Record {
    let frame = otlp.frame();
    let attributes = Attributes::new(frame, metadata, context.merging);
    wal::Record {
        payload: frame.bytes.clone(),
        attributes: attributes.encode_to_vec().into(),
        items: otlp.items(),
        accepted_at: SystemTime::now(),
    }
}

impl Attributes {
    pub(super) fn new(frame: &Frame, metadata: &Metadata, merging: Option<Merging>) -> Self {
        let header = |(name, value): (&str, &str)| Header {
            name: name.into(),
            value: value.into(),
        };
        Self {
            codec: frame.codec.as_str().to_owned(),
            plain_length: frame.plain_length,
            metadata: metadata.iter().map(header).collect(),
            merging: merging.map(|merging| StoredMerging {
                items: merging.items,
                items_max: merging.items_max,
                wait_milliseconds: merging.wait_milliseconds,
            }),
            letter: None,
        }
    }
}

/// Reads a record back.
///
/// # Errors
/// A sentence, if the attributes are not ours: the record was written by a newer version.
pub(super) fn decode(record: &wal::Record) -> Result<Stored, String> {
    stored(record, attributes(record)?)
}

/// Reads what is beside a record's body.
///
/// # Errors
/// As [`decode`].
pub(super) fn attributes(record: &wal::Record) -> Result<Attributes, String> {
    Attributes::decode(&*record.attributes)
        .map_err(|_| "record has attributes that this version cannot read".to_owned())
}

/// A record with what is beside its body.
///
/// # Errors
/// As [`decode`].
pub(super) fn stored(record: &wal::Record, attributes: Attributes) -> Result<Stored, String> {
    let codec: Codec = attributes.codec.parse().map_err(|_| {
        format!(
            "record is compressed with unknown codec {:?}",
            attributes.codec
        )
    })?;
    let pairs = attributes
        .metadata
        .into_iter()
        .map(|header| (header.name, header.value));
    Ok(Stored {
        frame: Frame {
            codec,
            bytes: record.payload.clone(),
            plain_length: attributes.plain_length,
        },
        items: record.items,
        accepted_at: record.accepted_at,
        metadata: Metadata::new(pairs),
        merging: attributes.merging.map(|merging| Merging {
            items: merging.items,
            items_max: merging.items_max,
            wait_milliseconds: merging.wait_milliseconds,
        }),
    })
}

impl Stored {
    /// The body without compression.
    pub(super) fn plain(&self) -> Result<bytes::Bytes, CodecError> {
        match self.frame.codec {
            Codec::Identity => Ok(self.frame.bytes.clone()),
            codec => codec.decompress(&self.frame.bytes, self.frame.plain_length),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protos::Signal;

    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let frame = Frame {
            codec: Codec::Gzip,
            bytes: Bytes::from_static(b"..."),
            plain_length: 9,
        };
        let otlp = Otlp::new(Signal::Traces, 3, frame.clone(), None);
        let metadata = Metadata::new([("x-scope-orgid".to_owned(), "a".to_owned())]);
        let merging = Some(Merging {
            items: 1,
            items_max: 2,
            wait_milliseconds: 3,
        });
        let context = Context {
            merging,
            ..Context::default()
        };
        let stored = decode(&encode(&otlp, &metadata, &context)).unwrap();
        assert_eq!((stored.frame, stored.items), (frame, 3));
        assert_eq!((stored.metadata, stored.merging), (metadata, merging));
    }
}
