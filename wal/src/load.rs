//! Reading what the log remembers about itself, and comparing it with the bulk files, which count
//! only as far as the notes go.

use std::collections::BTreeMap;

use crate::book::Stream;
use crate::error::OpenError;
use crate::notes::{Clock, FORMAT, Head, Key, Progress, decode_members, decode_tally};
use crate::record::Stored;
use crate::store::{Store, StoreError};

/// The notes of a log.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) format: Option<u32>,
    pub(crate) clock: Clock,
    pub(crate) queues: BTreeMap<u32, (String, Progress)>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// Names and counts of the tallies.
    pub(crate) tallies: BTreeMap<u32, (String, u64)>,
    /// Streams that have files and no queues any more.
    pub(crate) discarded: Vec<u32>,
}

impl Loaded {
    /// Goes by a stream's last record where the notes are older: they were lost to damage, and the
    /// record, which is in a file, was not.
    fn extend(&mut self, last: &Stored) {
        let Some(stream) = self.streams.get_mut(&last.place.stream) else {
            return;
        };
        if last.place.sequence <= stream.head.sequence {
            return;
        }
        let found = last.total - stream.head.total;
        stream.head = Head {
            sequence: last.place.sequence,
            total: last.total,
        };
        for member in &stream.members {
            if let Some((_, progress)) = self.queues.get_mut(member) {
                progress.ledger.accepted += found.items;
            }
        }
    }
}

/// Refuses a newer format before anything else is read, or changed.
pub(crate) fn check_format(
    store: &Store,
    refused: impl Fn(StoreError) -> OpenError,
) -> Result<(), OpenError> {
    let notes = store.notes().map_err(refused)?;
    let format = notes.iter().find(|(key, _)| *key == Key::Format);
    let format = format.and_then(|(_, note)| <[u8; 4]>::try_from(&note[..]).ok());
    match format.map(u32::from_le_bytes) {
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
            found,
            supported: FORMAT,
        }),
        _ => Ok(()),
    }
}

/// Reads all notes and compares them with the bulk files. `marked` is the last sequence known to
/// have been acknowledged.
pub(crate) fn load(store: &Store, marked: u64) -> Result<Loaded, StoreError> {
    let mut loaded = read_notes(store)?;
    for last in store.bulk_ends()? {
        let acknowledged = marked.max(loaded.clock.sequence - 1);
        if last.sequence > acknowledged {
            // Handed over in a group that was not finished. Its numbers are not used again.
            store.disown(acknowledged + 1, last)?;
            loaded.clock.sequence = loaded.clock.sequence.max(last.sequence + 1);
            loaded.clock.stream = loaded.clock.stream.max(last.stream + 1);
        }
        match loaded.streams.get(&last.stream) {
            None => loaded.discarded.push(last.stream),
            Some(stream) if stream.head.sequence < last.sequence => {
                if let Ok(Some((place, value))) = store.last(last.stream)
                    && let Ok(stored) = Stored::open(place, value)
                {
                    loaded.extend(&stored);
                }
            }
            Some(_) => {}
        }
    }
    Ok(loaded)
}

fn read_notes(store: &Store) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut progress: BTreeMap<u32, Progress> = BTreeMap::new();
    for (key, note) in store.notes()? {
        let read = match key {
            Key::Format => <[u8; 4]>::try_from(&note[..])
                .map(|bytes| loaded.format = Some(u32::from_le_bytes(bytes)))
                .ok(),
            Key::Clock => Clock::decode(&note).map(|clock| loaded.clock = clock),
            Key::Queue(id) => String::from_utf8(note).ok().map(|name| {
                loaded.queues.insert(id, (name, Progress::default()));
            }),
            Key::Progress(id) => {
                Progress::decode(&note).map(|found| drop(progress.insert(id, found)))
            }
            Key::Stream(id) => decode_members(&note).map(|members| {
                let stream = loaded.streams.entry(id).or_default();
                (stream.members, stream.defined) = (members, true);
            }),
            Key::Tally(id) => {
                decode_tally(&note).map(|tally| drop(loaded.tallies.insert(id, tally)))
            }
            Key::Head(id) => {
                Head::decode(&note).map(|head| loaded.streams.entry(id).or_default().head = head)
            }
        };
        if read.is_none() {
            return Err(StoreError::other(&format!(
                "the note {key:?} cannot be read"
            )));
        }
    }
    for (id, found) in progress {
        if let Some(queue) = loaded.queues.get_mut(&id) {
            queue.1 = found;
        }
    }
    Ok(loaded)
}
