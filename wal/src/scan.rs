//! An iterator over the records of one stream, wherever they are.

use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, DBRawIterator};

use crate::record::Place;
use crate::store::StoreError;
use crate::tuning;

/// The small and the bulk records of a stream, merged by sequence.
pub(crate) struct Scan<'a> {
    iterators: Vec<DBRawIterator<'a>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(iterators: Vec<DBRawIterator<'a>>) -> Self {
        Self { iterators }
    }

    /// The last record of a family that belongs to the stream of `end` and lies before it.
    pub(crate) fn last(
        db: &'a DB,
        family: &ColumnFamily,
        end: Place,
    ) -> Result<Option<(Place, Bytes)>, StoreError> {
        let mut options = tuning::reading(None);
        options.set_iterate_lower_bound(Place::new(end.stream, 0).key());
        let mut iterator = db.raw_iterator_cf_opt(family, options);
        iterator.seek_for_prev(end.key());
        Self::new(vec![iterator]).current()
    }

    /// The record under the iterator, `None` at the end. The value is copied out of the block.
    pub(crate) fn current(&self) -> Result<Option<(Place, Bytes)>, StoreError> {
        let Some((index, place)) = self.first()? else {
            return Ok(None);
        };
        let value = self.iterators[index].value();
        Ok(value.map(|value| (place, Bytes::copy_from_slice(value))))
    }

    /// Where the iterator is, without its value.
    pub(crate) fn place(&self) -> Result<Option<Place>, StoreError> {
        Ok(self.first()?.map(|(_, place)| place))
    }

    pub(crate) fn advance(&mut self) {
        if let Ok(Some((index, _))) = self.first() {
            self.iterators[index].next();
        }
    }

    pub(crate) fn seek(&mut self, place: Place) {
        for iterator in &mut self.iterators {
            iterator.seek(place.key());
        }
    }

    /// The iterator that stands before the others.
    fn first(&self) -> Result<Option<(usize, Place)>, StoreError> {
        let mut first = None;
        for (index, iterator) in self.iterators.iter().enumerate() {
            let Some(key) = iterator.key() else {
                iterator.status()?;
                continue;
            };
            let Some(place) = Place::from_key(key) else {
                continue;
            };
            if first.is_none_or(|(_, earlier)| place < earlier) {
                first = Some((index, place));
            }
        }
        Ok(first)
    }
}
