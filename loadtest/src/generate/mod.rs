//! Requests to send: encoded once, then only patched.
//!
//! A profile is built into 64 distinct bodies. Sending takes a copy of one and writes into each
//! record its number, the time and its checksum, at offsets found when the body was built. Nothing
//! is encoded while the load runs, so the generator costs a copy and a hash of what it sends.

mod logs;
mod points;
mod spans;
mod text;

use std::ops::Range;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    Signal,
    number::Number,
    skim::{self, Place},
    wire::{Cursor, Kind},
};

/// How many distinct bodies a profile has. Below that a compressor or a branch predictor would
/// learn them; above it they would not fit a cache, which no real sender's buffer leaves either.
pub const BODIES: usize = 64;

/// Room in front of a body, for the gRPC frame's header to be written without a copy.
pub const HEADROOM: usize = 5;

/// How many items share a resource: what one SDK exports in a batch, or a collector merges.
const ITEMS_PER_RESOURCE: usize = 128;

/// The time, in nanoseconds, that templates are built at; sending moves their times to now.
const BASE_TIME: u64 = 1_767_225_600_000_000_000;

/// What is sent: which items, how large, how many in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The signal.
    pub signal: Signal,
    /// Items in a request, at least 1.
    pub items: usize,
    /// The mean size of an encoded item in bytes; single ones are up to a fifth off.
    pub item_bytes: usize,
    /// The seed of all contents.
    pub seed: u64,
}

impl Profile {
    /// `items` of `signal` in a request, of the size that published benchmarks use for it.
    pub const fn new(signal: Signal, items: usize) -> Self {
        let item_bytes = match signal {
            Signal::Logs => 360,
            Signal::Traces => 800,
            Signal::Metrics => 200,
        };
        Self {
            signal,
            items,
            item_bytes,
            seed: 1,
        }
    }
}

/// A profile's bodies, ready to be numbered and sent.
pub struct Generator {
    profile: Profile,
    templates: Vec<Template>,
}

impl Generator {
    /// Builds the bodies of a profile. The same profile gives the same bytes.
    pub fn new(profile: Profile) -> Self {
        let items = profile.items.max(1);
        let profile = Profile { items, ..profile };
        let templates = (0..BODIES)
            .map(|index| {
                let seed = profile.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64;
                Template::new(&profile, &mut StdRng::seed_from_u64(seed))
            })
            .collect();
        Self { profile, templates }
    }

    /// What this generates.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The encoded request whose items are numbered from `first` on, as of `time` (nanoseconds
    /// since 1970), behind [`HEADROOM`] zero bytes. The same arguments give the same bytes.
    pub fn request(&self, first: Number, time: u64) -> Vec<u8> {
        let turn = first.sequence / self.profile.items as u64 + u64::from(first.stream);
        self.templates[(turn % BODIES as u64) as usize].stamp(first, time)
    }
}

/// One record's slots in a template.
struct Slot {
    record: Range<usize>,
    place: Place,
    context: u64,
}

/// An encoded body whose numbers, times and checksums are still to be written.
struct Template {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Where times stand, and how far from the request's time.
    times: Vec<(usize, u64)>,
}

impl Template {
    fn new(profile: &Profile, rng: &mut StdRng) -> Self {
        let mut bytes = vec![0; HEADROOM];
        match profile.signal {
            Signal::Logs => logs::encode(profile, rng, &mut bytes),
            Signal::Traces => spans::encode(profile, rng, &mut bytes),
            Signal::Metrics => points::encode(profile, rng, &mut bytes),
        }
        let body = &bytes[HEADROOM..];
        let (mut slots, mut times) = (Vec::new(), Vec::new());
        let found = skim::skim(profile.signal, body, |item| {
            let place = item
                .place
                .expect("every built item has a place for its number");
            times.extend(find_times(profile.signal, body, item.record.clone()));
            slots.push(Slot {
                record: item.record,
                place,
                context: item.context,
            });
            Ok(())
        });
        found.expect("a message encoded by prost is well formed");
        for slot in &slots {
            let checksum = skim::checksum_slot(slot.place);
            bytes[HEADROOM..][checksum].fill(0);
        }
        Self {
            bytes,
            slots,
            times,
        }
    }

    fn stamp(&self, first: Number, time: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let body = &mut bytes[HEADROOM..];
        for (at, offset) in &self.times {
            body[*at..*at + 8].copy_from_slice(&(time + offset).to_le_bytes());
        }
        for (slot, sequence) in self.slots.iter().zip(first.sequence..) {
            skim::write_number(body, slot.place, Number { sequence, ..first });
            let sum = skim::checksum(&body[slot.record.clone()], slot.context);
            skim::write_checksum(body, slot.place, sum);
        }
        bytes
    }
}

/// The time fields of a record: where each stands and how far it is from the template's base.
fn find_times(signal: Signal, body: &[u8], record: Range<usize>) -> Vec<(usize, u64)> {
    let numbers: &[u32] = match signal {
        Signal::Logs => &[1, 11],
        Signal::Traces => &[7, 8],
        Signal::Metrics => &[3],
    };
    let mut times = Vec::new();
    let mut fields = Cursor::new(body, record);
    while let Ok(Some(field)) = fields.next() {
        if field.kind == Kind::Fixed64 && numbers.contains(&field.number) {
            let mut time = [0; 8];
            time.copy_from_slice(&body[field.payload.clone()]);
            let offset = u64::from_le_bytes(time).saturating_sub(BASE_TIME);
            times.push((field.payload.start, offset));
        }
    }
    times
}

/// A size for the next item, up to a fifth off the profile's mean.
fn item_size(profile: &Profile, rng: &mut StdRng) -> usize {
    let fifth = profile.item_bytes / 5;
    rng.random_range(profile.item_bytes - fifth..=profile.item_bytes + fifth)
}

/// How many items each resource of a request has.
fn shares(profile: &Profile) -> impl Iterator<Item = usize> + use<> {
    let items = profile.items;
    (0..items)
        .step_by(ITEMS_PER_RESOURCE)
        .map(move |at| ITEMS_PER_RESOURCE.min(items - at))
}

fn string(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

fn integer(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

/// The resource of one process among a few hundred.
fn resource(rng: &mut StdRng) -> Resource {
    let service = text::SERVICES[rng.random_range(0..text::SERVICES.len())];
    Resource {
        attributes: vec![
            string("service.name", service),
            string("service.version", format!("1.{}.0", rng.random_range(0..9))),
            string("service.instance.id", text::hex(rng, 16)),
            string("k8s.namespace.name", "production"),
            string("k8s.pod.name", format!("{service}-{}", text::hex(rng, 10))),
            string("host.name", format!("node-{}", rng.random_range(0..64))),
        ],
        ..Default::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "loadtest".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
