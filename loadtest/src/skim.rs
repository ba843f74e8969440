//! Finds the items in an encoded export request, and where each carries its number and checksum.
//!
//! The checksum of an item covers the item and, by way of its seed, the resource, scope and metric
//! around it: an item that arrives under another resource is as corrupt as one with a flipped bit.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    Signal,
    number::{ATTRIBUTE, ATTRIBUTE_LENGTH, Number, read_hex, write_hex},
    wire::{Cursor, Field, Kind, Malformed},
};

/// Field numbers that all three signals share.
const RESOURCES: u32 = 1;
const SCOPES: u32 = 2;
const ITEMS: u32 = 2;

/// Where an item keeps its number and checksum, from the start of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the trace id and the span id.
    Ids { number: usize, checksum: usize },
    /// In hex, one after the other, in an attribute.
    Attribute(usize),
}

/// One item of a request.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The encoded item, without tag and length.
    pub(crate) record: Range<usize>,
    /// Where its number is; none if the item carries none, so is not ours.
    pub(crate) place: Option<Place>,
    /// The hash of what surrounds the item.
    pub(crate) context: u64,
}

/// Calls `visit` for each item of `body`, an encoded export request of `signal`.
pub(crate) fn skim(
    signal: Signal,
    body: &[u8],
    mut visit: impl FnMut(Item) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut request = Cursor::new(body, 0..body.len());
    while let Some(field) = request.next()? {
        if field.number == RESOURCES {
            skim_resource(signal, body, field.bytes()?, &mut visit)?;
        }
    }
    Ok(())
}

fn skim_resource(
    signal: Signal,
    body: &[u8],
    range: Range<usize>,
    visit: &mut impl FnMut(Item) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let context = hash_fields(body, range.clone(), SCOPES, 0)?;
    let mut resource = Cursor::new(body, range);
    while let Some(scope) = resource.next()? {
        if scope.number != SCOPES {
            continue;
        }
        let range = scope.bytes()?;
        let context = hash_fields(body, range.clone(), ITEMS, context)?;
        let mut items = Cursor::new(body, range);
        while let Some(item) = items.next()? {
            if item.number != ITEMS {
                continue;
            }
            let record = item.bytes()?;
            match signal {
                Signal::Logs => visit(item_by_ids(body, record, 9, 10, context)?)?,
                Signal::Traces => visit(item_by_ids(body, record, 1, 2, context)?)?,
                Signal::Metrics => skim_metric(body, record, context, visit)?,
            }
        }
    }
    Ok(())
}

/// Hashes every field of a message but the repeated one that is walked into.
fn hash_fields(body: &[u8], range: Range<usize>, but: u32, seed: u64) -> Result<u64, Malformed> {
    let mut hash = seed;
    let mut fields = Cursor::new(body, range);
    while let Some(field) = fields.next()? {
        if field.number != but {
            hash = xxh3_64_with_seed(&body[field.payload], hash ^ u64::from(field.number));
        }
    }
    Ok(hash)
}

fn item_by_ids(
    body: &[u8],
    record: Range<usize>,
    number_field: u32,
    checksum_field: u32,
    context: u64,
) -> Result<Item, Malformed> {
    let (mut number, mut checksum) = (None, None);
    let mut fields = Cursor::new(body, record.clone());
    while let Some(field) = fields.next()? {
        if field.number == number_field && field.payload.len() == 16 {
            number = Some(field.payload.start);
        } else if field.number == checksum_field && field.payload.len() == 8 {
            checksum = Some(field.payload.start);
        }
    }
    let place = number
        .zip(checksum)
        .map(|(number, checksum)| Place::Ids { number, checksum });
    Ok(Item {
        record,
        place,
        context,
    })
}

/// The kinds of metric data: their field in `Metric`, and the field of a point's attributes.
const DATA_KINDS: [(u32, u32); 5] = [(5, 7), (7, 7), (9, 9), (10, 1), (11, 7)];

fn skim_metric(
    body: &[u8],
    range: Range<usize>,
    context: u64,
    visit: &mut impl FnMut(Item) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut data = None;
    let mut hash = context;
    let mut fields = Cursor::new(body, range);
    while let Some(field) = fields.next()? {
        match DATA_KINDS.iter().find(|kind| kind.0 == field.number) {
            Some((_, attributes)) => data = Some((field, *attributes)),
            None => hash = xxh3_64_with_seed(&body[field.payload], hash ^ u64::from(field.number)),
        }
    }
    let Some((data, attributes)) = data else {
        return Ok(());
    };
    let range = data.bytes()?;
    let context = hash_fields(body, range.clone(), 1, hash ^ u64::from(data.number))?;
    let mut points = Cursor::new(body, range);
    while let Some(point) = points.next()? {
        if point.number == 1 {
            let record = point.bytes()?;
            let place = find_attribute(body, record.clone(), attributes)?;
            visit(Item {
                record,
                place,
                context,
            })?;
        }
    }
    Ok(())
}

fn find_attribute(
    body: &[u8],
    record: Range<usize>,
    attributes: u32,
) -> Result<Option<Place>, Malformed> {
    let mut fields = Cursor::new(body, record);
    while let Some(field) = fields.next()? {
        if field.number == attributes
            && let Some(at) = attribute_value(body, field)?
        {
            return Ok(Some(Place::Attribute(at)));
        }
    }
    Ok(None)
}

/// The position of the string in the key-value pair at `field`, if it is the one we look for.
fn attribute_value(body: &[u8], field: Field) -> Result<Option<usize>, Malformed> {
    let mut pair = Cursor::new(body, field.bytes()?);
    let mut ours = false;
    while let Some(part) = pair.next()? {
        match part.number {
            1 => ours = &body[part.bytes()?] == ATTRIBUTE.as_bytes(),
            2 if ours => {
                let mut value = Cursor::new(body, part.bytes()?);
                return Ok(value.next()?.and_then(|text| {
                    (text.kind == Kind::Bytes && text.payload.len() == ATTRIBUTE_LENGTH)
                        .then_some(text.payload.start)
                }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The number that the item at `place` carries; none if its digits were damaged.
pub(crate) fn read_number(body: &[u8], place: Place) -> Option<Number> {
    let mut bytes = [0; 16];
    match place {
        Place::Ids { number, .. } => bytes.copy_from_slice(&body[number..number + 16]),
        Place::Attribute(at) => {
            if !read_hex(&body[at..at + 32], &mut bytes) {
                return None;
            }
        }
    }
    Some(Number::from_bytes(bytes))
}

/// Writes the number into the item at `place`.
pub(crate) fn write_number(body: &mut [u8], place: Place, number: Number) {
    match place {
        Place::Ids { number: at, .. } => body[at..at + 16].copy_from_slice(&number.to_bytes()),
        Place::Attribute(at) => write_hex(&number.to_bytes(), &mut body[at..at + 32]),
    }
}

/// The checksum's position and length.
pub(crate) fn checksum_slot(place: Place) -> Range<usize> {
    match place {
        Place::Ids { checksum, .. } => checksum..checksum + 8,
        Place::Attribute(at) => at + 32..at + ATTRIBUTE_LENGTH,
    }
}

/// Writes a checksum, as its place wants it.
pub(crate) fn write_checksum(body: &mut [u8], place: Place, checksum: u64) {
    let slot = checksum_slot(place);
    match place {
        Place::Ids { .. } => body[slot].copy_from_slice(&checksum.to_be_bytes()),
        Place::Attribute(_) => write_hex(&checksum.to_be_bytes(), &mut body[slot]),
    }
}

/// The checksum of a record whose own checksum slot is zeroed; never 0, which no span id may be.
pub(crate) fn checksum(record: &[u8], context: u64) -> u64 {
    xxh3_64_with_seed(record, context).max(1)
}

/// Whether the item still is what its checksum says. `scratch` only saves an allocation.
pub(crate) fn intact(body: &[u8], item: &Item, place: Place, scratch: &mut Vec<u8>) -> bool {
    let slot = checksum_slot(place);
    scratch.clear();
    scratch.extend_from_slice(&body[item.record.clone()]);
    let start = slot.start - item.record.start;
    let zeroed = start..start + slot.len();
    scratch[zeroed].fill(0);
    let sum = checksum(scratch, item.context).to_be_bytes();
    match place {
        Place::Ids { .. } => body[slot] == sum,
        Place::Attribute(_) => {
            let mut hex = [0; 16];
            write_hex(&sum, &mut hex);
            body[slot] == hex
        }
    }
}
