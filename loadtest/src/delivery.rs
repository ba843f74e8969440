//! What one delivered request holds: which numbers, and what is wrong with the rest.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;

use crate::{
    Signal,
    number::Number,
    skim::{intact, read_number, skim},
    wire::Malformed,
};

/// How closely a backend looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Decode the message as a real backend does, and recompute each item's checksum.
    Verify,
    /// Only walk it for the numbers: for benchmarks, where the backend must cost little.
    Skim,
}

/// Consecutive numbers of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first number.
    pub first: Number,
    /// How many.
    pub count: u64,
}

/// The contents of one request, before any backend has judged it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Intact items, in the order of the request.
    pub runs: Vec<Run>,
    /// Items in the request, of any kind.
    pub items: u64,
    /// Items that are not what their checksum says.
    pub corrupted: u64,
    /// Items without a number: nobody here sent them.
    pub strangers: u64,
}

impl Delivery {
    /// Reads an encoded and uncompressed export request of `signal`.
    pub fn read(signal: Signal, body: &[u8], check: Check) -> Result<Self, Malformed> {
        if check == Check::Verify {
            decode(signal, body)?;
        }
        let mut delivery = Self::default();
        let mut scratch = Vec::new();
        skim(signal, body, |item| {
            delivery.items += 1;
            let Some(place) = item.place else {
                delivery.strangers += 1;
                return Ok(());
            };
            let sound = check == Check::Skim || intact(body, &item, place, &mut scratch);
            match read_number(body, place) {
                Some(number) if sound => delivery.push(number),
                _ => delivery.corrupted += 1,
            }
            Ok(())
        })?;
        Ok(delivery)
    }

    /// Takes the last `count` intact items off, as a backend does that rejects some of a request.
    pub(crate) fn split_off(&mut self, count: u64) -> Self {
        let mut rejected = Self::default();
        while let Some(mut run) = self.runs.pop() {
            let taken = run.count.min(count - rejected.items);
            run.count -= taken;
            rejected.items += taken;
            self.items -= taken;
            let sequence = run.first.sequence + run.count;
            if taken > 0 {
                rejected.runs.push(Run {
                    first: Number {
                        sequence,
                        ..run.first
                    },
                    count: taken,
                });
            }
            if run.count > 0 {
                self.runs.push(run);
                break;
            }
        }
        rejected
    }

    fn push(&mut self, number: Number) {
        if let Some(run) = self.runs.last_mut() {
            let next = Number {
                sequence: run.first.sequence.wrapping_add(run.count),
                ..run.first
            };
            if number == next {
                run.count += 1;
                return;
            }
        }
        self.runs.push(Run {
            first: number,
            count: 1,
        });
    }
}

fn decode(signal: Signal, body: &[u8]) -> Result<(), Malformed> {
    let decoded = match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(body).map(drop),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body).map(drop),
        Signal::Traces => ExportTraceServiceRequest::decode(body).map(drop),
    };
    decoded.map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

    use super::*;

    #[test]
    fn an_item_without_a_number_is_a_stranger() {
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![LogRecord::default(), LogRecord::default()],
                    ..Default::default()
                }],
                ..Default::default()
            }],
        };
        let delivery = Delivery::read(Signal::Logs, &request.encode_to_vec(), Check::Verify);
        let expected = Delivery {
            items: 2,
            strangers: 2,
            ..Default::default()
        };
        assert_eq!(delivery, Ok(expected));
    }

    #[test]
    fn the_last_items_are_split_off() {
        let number = |stream, sequence| Number {
            run: 1,
            stream,
            sequence,
        };
        let run = |first, count| Run { first, count };
        let whole = Delivery {
            runs: vec![run(number(1, 10), 5), run(number(2, 0), 3)],
            items: 8,
            ..Delivery::default()
        };
        let cases = [
            (0, 8, 0),
            (2, 6, 2),
            (3, 5, 3),
            (4, 4, 4),
            (8, 0, 8),
            (9, 0, 8),
        ];
        for (count, left, off) in cases {
            let mut kept = whole.clone();
            let rejected = kept.split_off(count);
            let sum = |delivery: &Delivery| delivery.runs.iter().map(|run| run.count).sum::<u64>();
            assert_eq!((kept.items, sum(&kept)), (left, left), "{count}");
            assert_eq!((rejected.items, sum(&rejected)), (off, off), "{count}");
        }
        let mut whole = whole;
        let rejected = whole.split_off(4);
        assert_eq!(rejected.runs, [run(number(2, 0), 3), run(number(1, 14), 1)]);
    }

    #[test]
    fn only_verifying_decodes_as_a_backend_does() {
        // A resource whose attribute key is not UTF-8: well formed on the wire, and still refused.
        let body = [0x0a, 7, 0x0a, 5, 0x0a, 3, 0x0a, 1, 0xff];
        assert_eq!(
            Delivery::read(Signal::Logs, &body, Check::Verify),
            Err(Malformed)
        );
        assert_eq!(
            Delivery::read(Signal::Logs, &body, Check::Skim),
            Ok(Delivery::default())
        );
    }
}
