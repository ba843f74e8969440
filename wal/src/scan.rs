//! An iterator over the records of one stream in one column family.

use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, DBRawIterator};

use crate::record::Place;
use crate::store::StoreError;
use crate::tuning;

pub(crate) struct Scan<'a> {
    iterator: DBRawIterator<'a>,
}

impl<'a> Scan<'a> {
    /// Stands at the first record at `from` or later, and ends before `to`; without an end it reads
    /// nothing ahead.
    pub(crate) fn new(db: &'a DB, family: &ColumnFamily, from: Place, to: Option<Place>) -> Self {
        let mut iterator = db.raw_iterator_cf_opt(family, tuning::reading(to));
        iterator.seek(from.key());
        Self { iterator }
    }

    /// Stands at the last record of a stream.
    pub(crate) fn last(db: &'a DB, family: &ColumnFamily, stream: u32) -> Self {
        let mut options = tuning::reading(None);
        options.set_iterate_lower_bound(Place::new(stream, 0).key());
        let mut iterator = db.raw_iterator_cf_opt(family, options);
        iterator.seek_for_prev(Place::new(stream, u64::MAX).key());
        Self { iterator }
    }

    /// The record under the iterator, `None` at the end. The value is copied out of the block.
    pub(crate) fn current(&self) -> Result<Option<(Place, Bytes)>, StoreError> {
        let Some(place) = self.place()? else {
            return Ok(None);
        };
        let value = self.iterator.value();
        Ok(value.map(|value| (place, Bytes::copy_from_slice(value))))
    }

    /// Where the iterator is, without its value.
    pub(crate) fn place(&self) -> Result<Option<Place>, StoreError> {
        match self.iterator.key() {
            Some(key) => Ok(Place::from_key(key)),
            None => self
                .iterator
                .status()
                .map(|()| None)
                .map_err(StoreError::from),
        }
    }

    pub(crate) fn advance(&mut self) {
        self.iterator.next();
    }

    pub(crate) fn seek(&mut self, place: Place) {
        self.iterator.seek(place.key());
    }
}
