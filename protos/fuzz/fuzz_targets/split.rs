//! However a valid body is split, the parts are valid, hold every item once, and keep their limits.

#![no_main]

use std::num::NonZeroU64;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protos::{Budget, Grain, Part, Signal, check, merge, split, split_bytes, split_items};

fn verify(signal: Signal, items: u64, parts: &[Part]) {
    for part in parts {
        let counts = check(signal, &part.body, &Budget::UNLIMITED).expect("a part is valid");
        assert_eq!(counts.items, part.items);
    }
    assert_eq!(parts.iter().map(|part| part.items).sum::<u64>(), items);
    let merged = merge(parts.iter().map(|part| &part.body));
    let counts = check(signal, &merged, &Budget::UNLIMITED).expect("merged parts are valid");
    assert_eq!(counts.items, items);
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (items_max, bytes_max, body) = input;
    let body = Bytes::copy_from_slice(body);
    for signal in Signal::ALL {
        let Ok(counts) = check(signal, &body, &Budget::UNLIMITED) else {
            continue;
        };
        for grain in [Grain::Resource, Grain::Entry, Grain::Item] {
            let key = |leaf: &[u8]| leaf.iter().map(|&byte| u64::from(byte)).sum::<u64>() % 3;
            verify(signal, counts.items, &split(signal, &body, grain, key));
        }
        let items_max = NonZeroU64::new(u64::from(items_max)).unwrap_or(NonZeroU64::MIN);
        let parts = split_items(signal, &body, items_max);
        assert!(parts.iter().all(|part| part.items <= items_max.get()));
        verify(signal, counts.items, &parts);
        let bytes_max = usize::from(bytes_max);
        let parts = split_bytes(signal, &body, bytes_max);
        assert!(
            parts
                .iter()
                .all(|part| part.items == 1 || part.body.len() <= bytes_max)
        );
        verify(signal, counts.items, &parts);
    }
});
