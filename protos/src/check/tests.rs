//! The walk and the generated decoder must agree about every body.

use std::mem::size_of_val;

use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};

/// Whether the generated decoder takes it.
fn decodes(signal: Signal, body: &[u8]) -> bool {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(body).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body).is_ok(),
        Signal::Traces => ExportTraceServiceRequest::decode(body).is_ok(),
    }
}

fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    for signal in Signal::ALL {
        let checked = check(signal, body, &Budget::UNLIMITED);
        prop_assert_eq!(
            checked.is_ok(),
            decodes(signal, body),
            "{}: {:?}",
            signal,
            checked
        );
        if let Err(error) = checked {
            prop_assert!(error.offset() <= body.len());
            prop_assert!(error.to_string().len() < 300, "{}", error);
        }
    }
    Ok(())
}

/// A change that a body may suffer: at a place in it, which is given as a fraction.
#[derive(Clone, Debug)]
enum Damage {
    Cut(f64),
    Set(f64, u8),
    Insert(f64, Vec<u8>),
    Remove(f64, usize),
    Repeat(f64, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0.0..1.0;
    prop_oneof![
        place.clone().prop_map(Damage::Cut),
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (place.clone(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place.clone(), 1usize..12).prop_map(|(at, len)| Damage::Remove(at, len)),
        (place, 1usize..200).prop_map(|(at, len)| Damage::Repeat(at, len)),
    ]
}

fn suffer(mut body: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for one in damage {
        let place = |fraction: f64| (body.len() as f64 * fraction) as usize;
        match one {
            Damage::Cut(at) => body.truncate(place(*at)),
            Damage::Set(at, byte) => {
                let at = place(*at);
                if let Some(old) = body.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Insert(at, bytes) => {
                let at = place(*at);
                body.splice(at..at, bytes.iter().copied());
            }
            Damage::Remove(at, len) => {
                let at = place(*at);
                body.drain(at..body.len().min(at + len));
            }
            Damage::Repeat(at, len) => {
                let at = place(*at);
                let copy = body[at..body.len().min(at + len)].to_vec();
                body.splice(at..at, copy);
            }
        }
    }
    body
}

/// Bytes that are likely to be fields of some message: what random bytes seldom are.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let leaf = (
        1u8..18,
        prop::sample::select(vec![0u8, 1, 2, 3, 4, 5, 6, 7]),
        any::<[u8; 8]>(),
    )
        .prop_map(|(number, wire_type, value)| {
            let mut field = Vec::new();
            varint::write(&mut field, u64::from(number) << 3 | u64::from(wire_type));
            match wire_type {
                0 => varint::write(&mut field, u64::from_le_bytes(value)),
                1 => field.extend(value),
                2 => field.extend([2, value[0] & 0x7f, value[1] & 0x7f]),
                3 => field.extend([0x08, 1, number << 3 | 4]),
                5 => field.extend(&value[..4]),
                _ => {}
            }
            field
        });
    leaf.prop_recursive(12, 64, 6, |inner| {
        (1u8..13, prop::collection::vec(inner, 0..6)).prop_map(|(number, content)| {
            let content = content.concat();
            let mut field = vec![number << 3 | 2];
            varint::write(&mut field, content.len() as u64);
            field.extend(content);
            field
        })
    })
}

proptest! {
    #[test]
    fn what_encoders_write_is_accepted_and_counted(request in arbitrary::traces()) {
        let counts = check(Signal::Traces, &request.encode_to_vec(), &Budget::UNLIMITED).unwrap();
        let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len() as u64);
        prop_assert_eq!(counts.items, spans.sum::<u64>());
        prop_assert_eq!(counts.resources as usize, request.resource_spans.len());
        prop_assert_eq!(counts.items, crate::count_items(Signal::Traces, &request.encode_to_vec()));
        let floor = request.resource_spans.iter()
            .map(|resource| size_of_val(resource) + size_of_val(&resource.scope_spans[..])).sum::<usize>();
        prop_assert!(counts.heap_estimate >= floor as u64);
    }

    #[test]
    fn points_of_every_kind_are_counted(request in arbitrary::metrics()) {
        let body = request.encode_to_vec();
        let counts = check(Signal::Metrics, &body, &Budget::UNLIMITED).unwrap();
        prop_assert_eq!(counts.items, arbitrary::count_points(&request));
        prop_assert_eq!(counts.items, crate::count_items(Signal::Metrics, &body));
    }

    #[test]
    fn damaged_logs(request in arbitrary::logs(), damage in prop::collection::vec(damage(), 0..4)) {
        agree(&suffer(request.encode_to_vec(), &damage))?;
    }

    #[test]
    fn damaged_metrics(request in arbitrary::metrics(), damage in prop::collection::vec(damage(), 0..4)) {
        agree(&suffer(request.encode_to_vec(), &damage))?;
    }

    #[test]
    fn damaged_traces(request in arbitrary::traces(), damage in prop::collection::vec(damage(), 0..4)) {
        agree(&suffer(request.encode_to_vec(), &damage))?;
    }

    #[test]
    fn random_bytes(body in prop::collection::vec(any::<u8>(), 0..64)) {
        agree(&body)?;
    }

    #[test]
    fn random_fields(fields in prop::collection::vec(fields(), 0..4)) {
        agree(&fields.concat())?;
    }
}

/// `content` as field `number` of an outer message.
fn wrap(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    varint::write(&mut field, content.len() as u64);
    field.extend_from_slice(content);
    field
}

/// A request with one log record of these bytes.
fn record(content: &[u8]) -> Vec<u8> {
    wrap(1, &wrap(2, &wrap(2, content)))
}

/// A log record whose body is `levels` values in each other, around `core`.
fn nested(levels: usize, core: &[u8]) -> Vec<u8> {
    let value = (0..levels).fold(core.to_vec(), |value, _| wrap(5, &wrap(1, &value)));
    record(&wrap(5, &value))
}

#[test]
fn nesting_ends_where_the_decoder_ends() {
    // The innermost value is at level 4 + 2 * levels.
    for core in [
        &b""[..],
        b"\x10\x01",
        b"\x0a\x01a",
        b"\x78\x01",
        b"\x7b\x7c",
        b"\x7b\x08\x01\x7c",
    ] {
        for levels in 44..52 {
            let body = nested(levels, core);
            agree(&body).unwrap();
        }
    }
    let error = check(Signal::Logs, &nested(49, b""), &Budget::default()).unwrap_err();
    assert_eq!(error.reason(), Reason::Depth(100));
    assert_eq!(
        error.to_string(),
        "more than 100 levels of nesting in resource_logs.scope_logs.log_records.body.array_value.\
         values.... at byte 238"
    );
}

#[test]
fn a_smaller_depth_is_kept_on_every_path() {
    let attribute = wrap(6, b"\x0a\x01k\x12\x03\x0a\x01v");
    let body = record(&attribute);
    for (depth, accepted) in [(5, true), (4, false), (3, false), (0, false)] {
        let budget = Budget {
            depth,
            ..Budget::default()
        };
        let checked = check(Signal::Logs, &body, &budget);
        assert_eq!(checked.is_ok(), accepted, "{depth}");
        if let Err(error) = checked {
            assert_eq!(error.reason(), Reason::Depth(depth));
        }
    }
}

#[test]
fn elements_over_the_budget_are_refused_early() {
    let spans = [0x12, 0].repeat(1000);
    let body = wrap(1, &wrap(2, &spans));
    let counts = check(Signal::Traces, &body, &Budget::default()).unwrap();
    assert_eq!(
        (counts.items, counts.elements, counts.resources),
        (1000, 1002, 1)
    );
    assert!(counts.heap_estimate > 1000 * 264 && counts.heap_estimate < 3 * 1000 * 264);

    let budget = Budget {
        elements: 100,
        ..Budget::default()
    };
    let error = check(Signal::Traces, &body, &budget).unwrap_err();
    assert!(error.reason().is_limit());
    assert_eq!(
        error.to_string(),
        "more than 100 elements in resource_spans.scope_spans.spans at byte 202"
    );

    let budget = Budget {
        heap: 100_000,
        ..Budget::default()
    };
    let error = check(Signal::Traces, &body, &budget).unwrap_err();
    assert_eq!(error.reason(), Reason::Heap(100_000));
    assert!(error.reason().is_limit());
}

/// The attribute that is recognised at once, and the same one in forms that are not.
#[test]
fn attributes_weigh_the_same_on_every_path() {
    let plain = record(&wrap(6, b"\x0a\x01k\x12\x03\x0a\x01v"));
    let plain = check(Signal::Logs, &plain, &Budget::default()).unwrap();
    assert_eq!((plain.items, plain.elements), (1, 5));
    for other in [
        &b"\x12\x03\x0a\x01v\x0a\x01k"[..],
        b"\x0a\x81\x00k\x12\x03\x0a\x01v",
        b"\x0a\x01k\x12\x83\x00\x0a\x01v",
        b"\x0a\x01k\x12\x04\x0a\x81\x00v",
        b"\x0a\x01k\x12\x03\x0a\x01v\x18\x00",
        b"\x0a\x01k\x12\x05\x0a\x01v\x10\x01",
    ] {
        let body = record(&wrap(6, other));
        let counts = check(Signal::Logs, &body, &Budget::default()).unwrap();
        let heap = plain.heap_estimate + (other.len() - 8) as u64;
        assert_eq!(
            counts,
            Counts {
                heap_estimate: heap,
                ..plain
            },
            "{other:x?}"
        );
    }
}

#[test]
fn repeated_texts_and_numbers_weigh() {
    let keys = [0x1a, 0].repeat(1000);
    let resource = wrap(1, &wrap(1, &wrap(3, &keys)));
    let counts = check(Signal::Logs, &resource, &Budget::default()).unwrap();
    assert_eq!(counts.elements, 1003);
    assert!(counts.heap_estimate > 24_000);

    let buckets = wrap(8, &wrap(2, &[0; 1000]));
    let points = wrap(1, &wrap(2, &wrap(2, &wrap(10, &wrap(1, &buckets)))));
    let counts = check(Signal::Metrics, &points, &Budget::default()).unwrap();
    assert_eq!(counts.elements, 6);
    assert!(counts.heap_estimate > 8000);
}

#[test]
fn errors_say_what_and_where() {
    let name = record(&wrap(12, b"ab\xff"));
    for (body, message) in [
        (
            &name[..],
            "invalid utf-8 in resource_logs.scope_logs.log_records.event_name at byte 10",
        ),
        (
            &record(b"\x0a\x01a"),
            "wrong wire type in resource_logs.scope_logs.log_records.time_unix_nano at byte 6",
        ),
        (
            &record(b"\x09\x01"),
            "truncated value in resource_logs.scope_logs.log_records.time_unix_nano at byte 6",
        ),
        (b"\x0a\x05", "truncated value in resource_logs at byte 0"),
        (
            b"\x0a\x01\x0a",
            "unfinished or oversized number in resource_logs.resource at byte 2",
        ),
        (b"\x00", "invalid field key at byte 0"),
        (b"\x0c", "misplaced end of group in resource_logs at byte 0"),
        (b"\x13\x1c", "misplaced end of group at byte 1"),
    ] {
        let error = check(Signal::Logs, body, &Budget::default()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.reason().is_limit());
    }
}

#[test]
fn the_empty_request_is_a_request() {
    for signal in Signal::ALL {
        assert_eq!(
            check(signal, b"", &Budget::default()),
            Ok(Counts::default())
        );
    }
}
