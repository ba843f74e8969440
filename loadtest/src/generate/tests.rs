//! The generator's tests: sizes, entropy, determinism, and that no flipped bit goes unseen.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;

use super::*;
use crate::{
    Encoding, Oracle,
    delivery::{Check, Delivery},
};

const FIRST: Number = Number {
    run: 3,
    stream: 9,
    sequence: 1000,
};

fn round_trip(signal: Signal, body: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(body)
            .unwrap()
            .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body)
            .unwrap()
            .encode_to_vec(),
        Signal::Traces => ExportTraceServiceRequest::decode(body)
            .unwrap()
            .encode_to_vec(),
    }
}

#[test]
fn items_have_the_size_and_the_entropy_of_real_ones() {
    for signal in Signal::ALL {
        let profile = Profile::new(signal, 512);
        let generator = Generator::new(profile);
        let (mut bytes, mut compressed) = (0, 0);
        for turn in 0..8 {
            let first = Number {
                sequence: turn * 512,
                ..FIRST
            };
            let request = generator.request(first, BASE_TIME);
            bytes += request.len() - HEADROOM;
            compressed += Encoding::Gzip.compress(&request[HEADROOM..]).unwrap().len();
        }
        let size = bytes as f64 / (8.0 * 512.0);
        let nominal = profile.item_bytes as f64;
        assert!(
            (0.95 * nominal..1.08 * nominal).contains(&size),
            "{signal}: {size} bytes an item"
        );
        let ratio = bytes as f64 / compressed as f64;
        assert!((3.0..5.0).contains(&ratio), "{signal}: gzip ratio {ratio}");
    }
}

#[test]
fn bodies_are_deterministic_distinct_and_canonical() {
    for signal in Signal::ALL {
        let profile = Profile::new(signal, 10);
        let (one, other) = (Generator::new(profile), Generator::new(profile));
        let mut seen = std::collections::HashSet::new();
        for turn in 0..BODIES as u64 {
            let first = Number {
                sequence: turn * 10,
                ..FIRST
            };
            let request = one.request(first, BASE_TIME + 5);
            assert_eq!(request, other.request(first, BASE_TIME + 5));
            let body = &request[HEADROOM..];
            assert_eq!(
                round_trip(signal, body),
                body,
                "{signal}: not as prost writes it"
            );
            assert!(seen.insert(one.templates[((turn + 9) % 64) as usize].bytes.clone()));
        }
    }
}

#[test]
fn numbers_run_through_a_request_and_check() {
    for signal in Signal::ALL {
        let generator = Generator::new(Profile::new(signal, 300));
        let request = generator.request(FIRST, BASE_TIME);
        let delivery = Delivery::read(signal, &request[HEADROOM..], Check::Verify).unwrap();
        assert_eq!(
            (delivery.items, delivery.corrupted, delivery.strangers),
            (300, 0, 0)
        );
        assert_eq!(delivery.runs.len(), 1, "{signal}: {:?}", delivery.runs);
        assert_eq!(
            (delivery.runs[0].first, delivery.runs[0].count),
            (FIRST, 300)
        );
    }
}

/// Whatever single bit is flipped, the delivery is refused as undecodable or the verdict is not
/// clean: the damage is seen, or the item is missing.
#[test]
fn a_flipped_bit_never_passes() {
    for signal in Signal::ALL {
        let generator = Generator::new(Profile {
            item_bytes: 150,
            ..Profile::new(signal, 2)
        });
        let oracle = Oracle::new(3, &["backend"]);
        let stream = oracle.open_stream(signal, None);
        let first = stream.claim(2);
        let request = generator.request(first, BASE_TIME);
        let body = &request[HEADROOM..];
        let whole = Delivery::read(signal, body, Check::Verify).unwrap();
        assert_eq!((whole.items, whole.corrupted), (2, 0));

        for at in 0..body.len() {
            for bit in 0..8 {
                let mut damaged = body.to_vec();
                damaged[at] ^= 1 << bit;
                let Ok(delivery) = Delivery::read(signal, &damaged, Check::Verify) else {
                    continue;
                };
                let good = delivery.corrupted == 0
                    && delivery.strangers == 0
                    && delivery.items == 2
                    && delivery.runs == whole.runs;
                assert!(!good, "{signal}: byte {at} bit {bit} went unseen");
            }
        }
    }
}
