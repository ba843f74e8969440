//! The reader of a queue: hands out its records in order, from memory when it keeps up and from the
//! disk when it does not.

use std::fmt;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::delivery::HandedOut;
use crate::error::Error;
use crate::fetch::Chunk;
use crate::queue::{Position, Queue};
use crate::record::Record;

/// A record handed out by a reader. It stays owed until its position is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What to settle.
    pub position: Position,
    /// What was appended.
    pub record: Record,
    /// Whether it had been handed out before the last restart, so that the destination may have it.
    pub replayed: bool,
}

/// The only reader of a queue; dropping it lets another take over.
pub struct Reader {
    queue: Queue,
    chunk: Option<Chunk>,
    coming: Option<oneshot::Receiver<Result<Chunk, Error>>>,
}

impl Reader {
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue,
            chunk: None,
            coming: None,
        }
    }

    /// The queue it reads.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The next record; waits for one. Nothing is lost when the future is dropped. After an error
    /// the reader can be asked again.
    pub async fn next(&mut self) -> Result<Entry, Error> {
        loop {
            if let Some(entry) = self.try_next()? {
                return Ok(entry);
            }
            self.wait().await?;
        }
    }

    /// The next record, if it is at hand. When it has to come from the disk, the first call sets out
    /// to fetch it.
    pub fn try_next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.next_of_chunk() {
                return Ok(Some(entry));
            }
            if let Some(out) = self.queue.shared.book().pop_tail(self.queue.id) {
                return Ok(Some(entry(out)));
            }
            if !self.take_chunk()? {
                return Ok(None);
            }
        }
    }

    /// The next record, if it is at hand, without handing it out.
    pub fn peek(&mut self) -> Result<Option<Record>, Error> {
        loop {
            let book = self.queue.shared.book();
            let Some(queue) = book.queues.get(&self.queue.id) else {
                return Ok(None);
            };
            if let Some(chunk) = &self.chunk {
                let mut rest = chunk.records.iter();
                let next = rest.find(|stored| queue.is_wanted(stored.place.sequence));
                if let Some(stored) = next {
                    return Ok(Some(stored.record()));
                }
            } else if queue.is_caught_up() {
                return Ok(queue.tail.front().map(|stored| stored.record()));
            }
            drop(book);
            self.finish_chunk();
            if !self.take_chunk()? {
                return Ok(None);
            }
        }
    }

    /// Hands out the next record of the chunk; puts an exhausted chunk away.
    fn next_of_chunk(&mut self) -> Option<Entry> {
        let chunk = self.chunk.as_mut()?;
        let mut book = self.queue.shared.book();
        while let Some(stored) = chunk.records.pop_front() {
            if let Some(out) = book.hand_out(self.queue.id, &stored) {
                return Some(entry(out));
            }
        }
        drop(book);
        self.finish_chunk();
        None
    }

    /// Everything in the chunk was handed out or is not wanted.
    fn finish_chunk(&mut self) {
        if let Some(chunk) = self.chunk.take() {
            self.queue.shared.book().scanned(self.queue.id, chunk.end);
            self.queue.shared.nudge();
        }
    }

    /// Takes the next chunk if it has come, and sets out to fetch the one after it; false when there
    /// is nothing at hand.
    fn take_chunk(&mut self) -> Result<bool, Error> {
        if self.coming.is_none() {
            self.fetch(0);
        }
        let Some(coming) = self.coming.as_mut() else {
            return Ok(false);
        };
        let answer = match coming.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Closed) => Err(Error::Closed),
        };
        self.receive(answer).map(|()| true)
    }

    fn receive(&mut self, answer: Result<Chunk, Error>) -> Result<(), Error> {
        self.coming = None;
        let chunk = answer?;
        let end = chunk.end;
        self.chunk = Some(chunk);
        self.fetch(end);
        Ok(())
    }

    fn fetch(&mut self, after: u64) {
        let shared = &self.queue.shared;
        let mut book = shared.book();
        let reading = book.reading(self.queue.id, after, shared.options.tail_bytes);
        drop(book);
        self.coming = reading.map(|reading| shared.fetcher.fetch(shared, reading));
    }

    /// Waits until something may have changed.
    async fn wait(&mut self) -> Result<(), Error> {
        if self.queue.shared.is_closed() {
            return Err(Error::Closed);
        }
        if let Some(coming) = self.coming.as_mut() {
            let answer = coming.await.unwrap_or(Err(Error::Closed));
            return self.receive(answer);
        }
        if !self.queue.shared.book().queues.contains_key(&self.queue.id) {
            return Err(Error::NoQueue {
                queue: self.queue.name.to_string(),
            });
        }
        self.queue.wake.notified().await;
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut book = self.queue.shared.book();
        let Some(queue) = book.queues.get_mut(&self.queue.id) else {
            return;
        };
        queue.reader = false;
        let freed = queue.rewind();
        book.tails_bytes -= freed;
        drop(book);
        // The next reader may be waiting on what this one was woken for.
        self.queue.wake.notify_one();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.queue.name).finish()
    }
}

fn entry(out: HandedOut) -> Entry {
    Entry {
        position: Position(out.sequence),
        record: out.record,
        replayed: out.replayed,
    }
}
