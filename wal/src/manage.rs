//! Making and removing queues. Both are synced before they are answered, and done by the writer, so
//! that no group is under way meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::notes::{Key, encode_members};
use crate::options::QueueLimits;
use crate::stats::{self, QueueStats};
use crate::store::Changes;
use crate::writer::Writer;

/// The reason under which items are dropped that a removed queue still owed.
const REMOVED: &str = "removed";

impl Writer {
    pub(crate) fn create(&mut self, name: &str, limits: QueueLimits) -> Result<u32, Error> {
        self.ready()
            .map_err(|error| Error::Store(error.to_string()))?;
        let mut book = self.shared.book();
        if let Some(id) = book.queue_id(name) {
            return Ok(id);
        }
        let id = book.create_queue(name, limits);
        let mut changes = Changes::default();
        changes
            .notes
            .push((Key::Queue(id), name.as_bytes().to_vec()));
        book.progress_notes(&BTreeSet::from([id]), &BTreeMap::new(), &mut changes.notes);
        changes.notes.push((Key::Clock, book.clock.encode()));
        drop(book);
        self.put(&changes, true).map(|()| id).map_err(|error| {
            self.shared.book().remove_queue(id);
            Error::Store(self.broken(&error).to_string())
        })
    }

    pub(crate) fn remove(&mut self, id: u32) -> Result<QueueStats, Error> {
        self.alive()
            .map_err(|error| Error::Store(error.to_string()))?;
        let mut book = self.shared.book();
        let stats = book
            .queues
            .get(&id)
            .map(|queue| stats::of_queue(&book, queue));
        let (Some(mut stats), Some((state, orphans))) = (stats, book.remove_queue(id)) else {
            return Err(Error::NoQueue {
                queue: format!("#{id}"),
            });
        };
        if stats.items > 0 {
            *stats.dropped.entry(REMOVED.to_owned()).or_default() += stats.items;
        }
        (stats.records, stats.items, stats.bytes, stats.oldest) = (0, 0, 0, None);
        let mut changes = Changes {
            forgotten: vec![Key::Queue(id), Key::Progress(id)],
            ..Changes::default()
        };
        for stream in state.below.keys() {
            if let Some(entry) = book.streams.get(stream) {
                let members = encode_members(&entry.members);
                changes.notes.push((Key::Stream(*stream), members));
            }
        }
        for stream in orphans {
            changes
                .forgotten
                .extend([Key::Stream(stream), Key::Head(stream)]);
            changes.trims.push((stream, 0, u64::MAX));
        }
        drop(book);
        match self.put(&changes, true) {
            Ok(()) => Ok(stats),
            Err(error) => Err(Error::Store(self.broken(&error).to_string())),
        }
    }
}
