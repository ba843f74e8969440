//! What delivery has to know of a family of payloads: how requests become one, and how one is cut.
//!
//! Everything else on the way out is the same for all of them. Items are counted from the front of a
//! request, from 0.

use std::{num::NonZeroU64, ops::Range};

use bytes::Bytes;
use protos::{Grain, Signal};

use crate::batch::QueueKey;

/// The family of a queue's payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OTLP requests of a signal, encoded.
    Otlp(Signal),
}

impl Form {
    /// The form of what a queue holds.
    pub(super) fn of(key: &QueueKey) -> Self {
        Self::Otlp(key.signal)
    }

    /// One request with everything in these, in their order.
    pub(super) fn merge(self, bodies: &[Bytes]) -> Bytes {
        match self {
            Self::Otlp(_) => protos::merge(bodies),
        }
    }

    /// The request with these items of another, and what is around them.
    pub(super) fn cut(self, body: &Bytes, items: &Range<u64>) -> Bytes {
        match self {
            Self::Otlp(signal) => {
                let mut item = 0;
                let parts = protos::split(signal, body, Grain::Item, |_| {
                    item += 1;
                    u64::from(items.contains(&(item - 1)))
                });
                let wanted = parts.into_iter().find(|part| part.bucket == 1);
                wanted.map_or_else(Bytes::new, |part| part.body)
            }
        }
    }

    /// Where to cut a request to find out what is wrong with it: as near to the middle as may be,
    /// between two wrappers if it has several, because the fault may be theirs. None if it cannot be
    /// cut.
    pub(super) fn middle(self, body: &Bytes, items: u64) -> Option<u64> {
        let wrappers: &[Grain] = match self {
            Self::Otlp(_) => &[Grain::Resource, Grain::Scope],
        };
        let middle = items / 2;
        for grain in wrappers {
            let ends = self.ends(body, *grain).into_iter();
            let joint = ends
                .filter(|end| (1..items).contains(end))
                .min_by_key(|end| end.abs_diff(middle));
            if joint.is_some() {
                return joint;
            }
        }
        (items > 1).then_some(middle)
    }

    /// Where to cut a request into pieces of at most so many bytes, as far as that is possible.
    pub(super) fn joints(self, body: &Bytes, bytes_max: NonZeroU64) -> Vec<u64> {
        let bytes_max = usize::try_from(bytes_max.get()).unwrap_or(usize::MAX);
        let parts = match self {
            Self::Otlp(signal) => protos::split_bytes(signal, body, bytes_max),
        };
        let mut ends = sums(parts.iter().map(|part| part.items));
        ends.pop();
        ends
    }

    /// Where each wrapper of this grain ends.
    fn ends(self, body: &Bytes, grain: Grain) -> Vec<u64> {
        let mut wrapper = 0;
        let parts = match self {
            Self::Otlp(signal) => protos::split(signal, body, grain, |_| {
                wrapper += 1;
                wrapper
            }),
        };
        sums(parts.iter().map(|part| part.items))
    }
}

/// The sum up to and including each number.
fn sums(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut sum = 0;
    let add = |number| {
        sum += number;
        sum
    };
    numbers.map(add).collect()
}

#[cfg(test)]
mod tests {
    use protos::otlp::{
        ExportLogsServiceRequest, Message,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    };

    use super::*;

    const FORM: Form = Form::Otlp(Signal::Logs);

    /// Records in scopes in resources: how many in each.
    fn logs(resources: &[&[u64]]) -> Bytes {
        let mut number = 0;
        let mut scope = |records: &u64| ScopeLogs {
            log_records: (0..*records)
                .map(|_| {
                    number += 1;
                    LogRecord {
                        time_unix_nano: number - 1,
                        ..LogRecord::default()
                    }
                })
                .collect(),
            ..ScopeLogs::default()
        };
        let resource_logs = resources
            .iter()
            .map(|scopes| ResourceLogs {
                scope_logs: scopes.iter().map(&mut scope).collect(),
                ..ResourceLogs::default()
            })
            .collect();
        let request = ExportLogsServiceRequest { resource_logs };
        request.encode_to_vec().into()
    }

    fn numbers(body: &Bytes) -> Vec<u64> {
        let request = ExportLogsServiceRequest::decode(body.clone()).unwrap();
        let resources = request.resource_logs.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_logs);
        let records = scopes.flat_map(|scope| scope.log_records);
        records.map(|record| record.time_unix_nano).collect()
    }

    #[test]
    fn a_cut_has_its_items_and_no_others() {
        let body = logs(&[&[3, 1], &[2]]);
        for start in 0..6 {
            for end in start + 1..=6 {
                let cut = FORM.cut(&body, &(start..end));
                assert_eq!(numbers(&cut), (start..end).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn faults_are_looked_for_by_resource_then_scope_then_item() {
        for (resources, expected) in [
            (&[&[8][..], &[1], &[1]][..], Some(8)),
            (&[&[1], &[1], &[8]], Some(2)),
            (&[&[5, 1, 2]], Some(5)),
            (&[&[7]], Some(3)),
            (&[&[0], &[4], &[0]], Some(2)),
            (&[&[1]], None),
            (&[], None),
        ] {
            let items = resources.iter().flat_map(|scopes| scopes.iter()).sum();
            let middle = FORM.middle(&logs(resources), items);
            assert_eq!(middle, expected, "{resources:?}");
        }
    }

    #[test]
    fn pieces_are_cut_by_bytes() {
        let body = logs(&[&[100]]);
        let half = NonZeroU64::new(body.len() as u64 / 2).unwrap();
        let joints = FORM.joints(&body, half);
        assert!(
            matches!(joints[..], [at] | [at, _] if (30..70).contains(&at)),
            "{joints:?}"
        );
        let singly = FORM.joints(&logs(&[&[3]]), NonZeroU64::MIN);
        assert_eq!(singly, [1, 2]);
    }
}
