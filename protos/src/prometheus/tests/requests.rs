//! Write requests: the writer, the reader and the translator against the decoded forms.

use proptest::prelude::*;

use super::arbitrary;
use crate::otlp::Message;
use crate::prometheus::messages::{Count, Histogram, v1, v2};
use crate::prometheus::{
    Accepted, LabelSet, MetricKind, STALE_NAN, SeriesWriter, Translator, Version, Written, accept,
    check_histogram, check_write, is_stale,
};
use crate::{Budget, Reason};

fn set(labels: &[v1::Label]) -> LabelSet {
    labels
        .iter()
        .map(|label| (&label.name, &label.value))
        .collect()
}

/// Writes a decoded request with the writer.
fn write(request: &v1::WriteRequest) -> (Vec<u8>, Written) {
    let mut writer = SeriesWriter::new();
    for metadata in &request.metadata {
        writer.metadata(&crate::prometheus::Metadata {
            family: &metadata.metric_family_name,
            kind: MetricKind::from_number(metadata.kind as u64),
            help: &metadata.help,
            unit: &metadata.unit,
        });
    }
    let start = |start: i64| (start != 0).then_some(start);
    for series in &request.timeseries {
        let mut labels = Vec::new();
        set(&series.labels).encode(&mut labels).unwrap();
        if let ([sample], [], []) = (
            &series.samples[..],
            &series.exemplars[..],
            &series.histograms[..],
        ) {
            writer.sample(
                &labels,
                sample.value,
                sample.timestamp,
                start(sample.start_timestamp),
            );
            continue;
        }
        let mut parts = writer.begin(&labels);
        for sample in &series.samples {
            parts = parts.sample(
                sample.value,
                sample.timestamp,
                start(sample.start_timestamp),
            );
        }
        for histogram in &series.histograms {
            let bare = Histogram {
                timestamp: 0,
                start_timestamp: 0,
                ..histogram.clone()
            };
            parts = parts.histogram(
                &bare.encode_to_vec(),
                histogram.timestamp,
                start(histogram.start_timestamp),
            );
        }
        for exemplar in &series.exemplars {
            let mut labels = Vec::new();
            set(&exemplar.labels).encode(&mut labels).unwrap();
            parts = parts.exemplar(&labels, exemplar.value, exemplar.timestamp);
        }
        parts.finish();
    }
    writer.take()
}

fn count(request: &v1::WriteRequest) -> Written {
    let sum =
        |of: fn(&v1::TimeSeries) -> usize| request.timeseries.iter().map(of).sum::<usize>() as u64;
    Written {
        samples: sum(|series| series.samples.len()),
        histograms: sum(|series| series.histograms.len()),
        exemplars: sum(|series| series.exemplars.len()),
        metadata: request.metadata.len() as u64,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_decoded_and_accepted(request in arbitrary::request()) {
        let (body, written) = write(&request);
        prop_assert_eq!(written, count(&request));
        prop_assert_eq!(&v1::WriteRequest::decode(&body[..]).unwrap(), &request);
        let accepted = accept(Version::V1, &body, &Budget::default()).unwrap();
        prop_assert_eq!(accepted, Accepted { written, ..Accepted::default() });
        for (view, series) in crate::prometheus::series(&body).zip(&request.timeseries) {
            let labels: Vec<(&str, &str)> = view.labels().iter().collect();
            let expected = series.labels.iter().map(|label| (&*label.name, &*label.value));
            prop_assert_eq!(labels, expected.collect::<Vec<_>>());
            let samples: Vec<(u64, i64, i64)> = view
                .samples()
                .map(|sample| (sample.value.to_bits(), sample.timestamp, sample.start))
                .collect();
            let expected = series.samples.iter().map(|sample| {
                (sample.value.to_bits(), sample.timestamp, sample.start_timestamp)
            });
            prop_assert_eq!(samples, expected.collect::<Vec<_>>());
            for (view, histogram) in view.histograms().zip(&series.histograms) {
                prop_assert_eq!(view.timestamp(), histogram.timestamp);
                prop_assert_eq!(view.sum(), histogram.sum);
                let count = match histogram.count {
                    Some(Count::Int(count)) => count as f64,
                    Some(Count::Float(count)) => count,
                    None => 0.0,
                };
                prop_assert_eq!(view.count(), count);
                prop_assert_eq!(&Histogram::decode(view.encoded()).unwrap(), histogram);
            }
            for (view, exemplar) in view.exemplars().zip(&series.exemplars) {
                prop_assert_eq!(view.timestamp(), exemplar.timestamp);
                prop_assert_eq!(view.value(), exemplar.value);
                prop_assert_eq!(view.labels().count(), exemplar.labels.len());
            }
        }
    }

    #[test]
    fn a_request_of_2_0_says_the_same_and_comes_back_the_same(request in arbitrary::request()) {
        let (body, written) = write(&request);
        let mut translator = Translator::new();
        translator.translate(&body);
        let translated = translator.translate(&body);
        let decoded = v2::Request::decode(&translated[..]).unwrap();
        prop_assert_eq!(&decoded.symbols[0], "");
        let mut symbols = decoded.symbols.clone();
        symbols.sort();
        symbols.dedup();
        prop_assert_eq!(symbols.len(), decoded.symbols.len(), "each symbol once");
        let symbol = |place: &u32| decoded.symbols[*place as usize].clone();
        for (series, old) in decoded.timeseries.iter().zip(&request.timeseries) {
            let labels: Vec<String> = series.labels_refs.iter().map(symbol).collect();
            let expected: Vec<String> = old
                .labels
                .iter()
                .flat_map(|label| [label.name.clone(), label.value.clone()])
                .collect();
            prop_assert_eq!(labels, expected);
            prop_assert_eq!(&series.samples, &old.samples);
            prop_assert_eq!(&series.histograms, &old.histograms);
            let kind = request.metadata.first().map(|metadata| metadata.kind);
            prop_assert_eq!(series.metadata.as_ref().map(|metadata| metadata.kind), kind);
        }
        let accepted = accept(Version::V2, &translated, &Budget::default()).unwrap();
        let back = v1::WriteRequest::decode(&accepted.body.clone().unwrap()[..]).unwrap();
        prop_assert_eq!(&back.timeseries, &request.timeseries);
        let metadata = if request.timeseries.is_empty() { 0 } else { written.metadata };
        prop_assert_eq!(back.metadata.len() as u64, metadata);
        prop_assert_eq!(accepted.written, Written { metadata, ..written });
        prop_assert_eq!(accepted.rejected, 0);
    }

    #[test]
    fn the_check_agrees_with_the_decoders(
        request in arbitrary::request(),
        damage in prop::collection::vec((0.0..1.0, any::<u8>()), 0..3),
    ) {
        let mut translator = Translator::new();
        let (body, _) = write(&request);
        let translated = translator.translate(&body);
        for mut body in [body, translated] {
            for (at, byte) in &damage {
                let at = (body.len() as f64 * at) as usize;
                if let Some(old) = body.get_mut(at) {
                    *old = *byte;
                }
            }
            let checked = [Version::V1, Version::V2]
                .map(|version| check_write(version, &body, &Budget::UNLIMITED).is_ok());
            let decoded = [
                v1::WriteRequest::decode(&body[..]).is_ok(),
                v2::Request::decode(&body[..]).is_ok(),
            ];
            prop_assert_eq!(checked, decoded);
            for (version, is_good) in [Version::V1, Version::V2].into_iter().zip(checked) {
                let accepted = accept(version, &body, &Budget::UNLIMITED);
                prop_assert_eq!(accepted.is_ok(), is_good);
                // Whatever was sent, what is kept is a good request.
                if let Ok(Accepted { body: Some(kept), written, .. }) = accepted {
                    let again = accept(Version::V1, &kept, &Budget::UNLIMITED).unwrap();
                    prop_assert_eq!(again, Accepted { written, ..Accepted::default() });
                }
            }
        }
    }
}

fn label(name: &str, value: &str) -> v1::Label {
    v1::Label {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn series(labels: &[(&str, &str)]) -> v1::TimeSeries {
    v1::TimeSeries {
        labels: labels
            .iter()
            .map(|(name, value)| label(name, value))
            .collect(),
        samples: vec![v1::Sample {
            value: 1.0,
            timestamp: 1,
            start_timestamp: 0,
        }],
        ..v1::TimeSeries::default()
    }
}

#[test]
fn careless_series_are_put_right_and_bad_ones_left_out() {
    let good = series(&[("__name__", "up"), ("job", "a")]);
    let table = [
        (
            series(&[("job", "a"), ("__name__", "up")]),
            Ok(good.clone()),
        ),
        (
            series(&[("__name__", "up"), ("empty", ""), ("job", "a")]),
            Ok(good.clone()),
        ),
        (series(&[("job", "a")]), Err("has no name")),
        (series(&[("__name__", "")]), Err("has no name")),
        (series(&[]), Err("has no name")),
        (
            series(&[("", "a"), ("__name__", "up")]),
            Err("a label has no name"),
        ),
        (
            series(&[("__name__", "up"), ("a", "1"), ("a", "2")]),
            Err("\"a\" is there twice"),
        ),
        (
            series(&[("a", "1"), ("__name__", "up"), ("a", "2")]),
            Err("\"a\" is there twice"),
        ),
        (
            v1::TimeSeries {
                samples: Vec::new(),
                ..good.clone()
            },
            Err("neither samples nor"),
        ),
        (
            v1::TimeSeries {
                samples: Vec::new(),
                histograms: vec![Histogram {
                    schema: 99,
                    ..Histogram::default()
                }],
                ..good.clone()
            },
            Err("no such schema"),
        ),
    ];
    for (case, expected) in table {
        let request = v1::WriteRequest {
            timeseries: vec![good.clone(), case, good.clone()],
            metadata: Vec::new(),
        };
        let accepted = accept(Version::V1, &request.encode_to_vec(), &Budget::default()).unwrap();
        let kept = v1::WriteRequest::decode(&accepted.body.unwrap()[..])
            .unwrap()
            .timeseries;
        match expected {
            Ok(right) => {
                assert_eq!(kept, [good.clone(), right, good.clone()]);
                assert_eq!((accepted.written.samples, accepted.rejected), (3, 0));
            }
            Err(words) => {
                assert_eq!(kept, [good.clone(), good.clone()]);
                let reason = accepted.reason.unwrap();
                assert!(reason.contains(words), "{reason}");
                assert_eq!(accepted.written.samples, 2);
            }
        }
    }
}

#[test]
fn rules_of_2_0_are_kept() {
    let symbols = ["", "__name__", "up", "job", "a"]
        .map(str::to_owned)
        .to_vec();
    let sample = v1::Sample {
        value: 1.0,
        timestamp: 1,
        start_timestamp: 7,
    };
    let one = |labels_refs: &[u32]| v2::TimeSeries {
        labels_refs: labels_refs.to_vec(),
        samples: vec![sample],
        ..v2::TimeSeries::default()
    };
    let histogram = Histogram {
        count: Some(Count::Int(0)),
        ..Histogram::default()
    };
    let good = one(&[1, 2, 3, 4]);
    let table = [
        (one(&[3, 4, 1, 2]), None),
        (one(&[1, 2, 3]), Some("no symbol")),
        (one(&[1, 2, 3, 5]), Some("no symbol")),
        (one(&[3, 4]), Some("has no name")),
        (one(&[1, 2, 3, 4, 3, 2]), Some("twice")),
        (
            v2::TimeSeries {
                histograms: vec![histogram],
                ..good.clone()
            },
            Some("both"),
        ),
        (
            v2::TimeSeries {
                samples: Vec::new(),
                ..good.clone()
            },
            Some("neither"),
        ),
        (
            v2::TimeSeries {
                metadata: Some(v2::Metadata {
                    kind: 1,
                    help_ref: 9,
                    unit_ref: 0,
                }),
                ..good.clone()
            },
            Some("no symbol"),
        ),
        (
            v2::TimeSeries {
                exemplars: vec![v2::Exemplar {
                    labels_refs: vec![3],
                    ..v2::Exemplar::default()
                }],
                ..good.clone()
            },
            Some("no symbol"),
        ),
    ];
    for (case, expected) in table {
        let request = v2::Request {
            symbols: symbols.clone(),
            timeseries: vec![good.clone(), case],
        };
        let accepted = accept(Version::V2, &request.encode_to_vec(), &Budget::default()).unwrap();
        let kept = v1::WriteRequest::decode(&accepted.body.unwrap()[..])
            .unwrap()
            .timeseries;
        let right = v1::TimeSeries {
            samples: vec![sample],
            ..series(&[("__name__", "up"), ("job", "a")])
        };
        match expected {
            None => assert_eq!(kept, [right.clone(), right]),
            Some(words) => {
                assert_eq!(kept, [right]);
                let reason = accepted.reason.unwrap();
                assert!(reason.contains(words), "{reason}");
            }
        }
    }
}

#[test]
fn long_reasons_are_cut() {
    let value = "é".repeat(1000);
    let request = v1::WriteRequest {
        timeseries: vec![series(&[("a", &value)])],
        metadata: Vec::new(),
    };
    let accepted = accept(Version::V1, &request.encode_to_vec(), &Budget::default()).unwrap();
    assert!(accepted.reason.unwrap().len() < 310);
}

#[test]
fn elements_have_a_budget() {
    let bomb = [0x0a, 0x02, 0x0a, 0x00].repeat(1000);
    let budget = Budget {
        elements: 1000,
        ..Budget::default()
    };
    let error = accept(Version::V1, &bomb, &budget).unwrap_err();
    assert_eq!(error.reason(), Reason::Elements(1000));
    assert_eq!(error.field(), "timeseries");
}

#[test]
fn inconsistent_histograms_are_found() {
    use crate::prometheus::HistogramFault as Fault;
    use crate::prometheus::messages::{BucketSpan, ZeroCount};
    let span = |offset, length| BucketSpan { offset, length };
    let good = Histogram {
        count: Some(Count::Int(3)),
        positive_spans: vec![span(-3, 2)],
        positive_deltas: vec![1, 1],
        ..Histogram::default()
    };
    let custom = Histogram {
        schema: -53,
        positive_spans: vec![span(0, 2)],
        custom_values: vec![0.5],
        ..good.clone()
    };
    let table = [
        (good.clone(), None),
        (custom.clone(), None),
        (
            Histogram {
                schema: 9,
                ..good.clone()
            },
            Some(Fault::Schema),
        ),
        (
            Histogram {
                count: Some(Count::Int(4)),
                ..good.clone()
            },
            Some(Fault::Count),
        ),
        (
            Histogram {
                count: Some(Count::Int(4)),
                sum: f64::NAN,
                ..good.clone()
            },
            None,
        ),
        (
            Histogram {
                zero_count: Some(ZeroCount::Int(1)),
                ..good.clone()
            },
            Some(Fault::Count),
        ),
        (
            Histogram {
                positive_deltas: vec![3],
                ..good.clone()
            },
            Some(Fault::Spans),
        ),
        (
            Histogram {
                positive_spans: vec![span(0, 1), span(-1, 1)],
                ..good.clone()
            },
            Some(Fault::Offset),
        ),
        (
            Histogram {
                positive_deltas: vec![1, -2],
                ..good.clone()
            },
            Some(Fault::Negative),
        ),
        (
            Histogram {
                custom_values: vec![1.0],
                ..good.clone()
            },
            Some(Fault::Mixed),
        ),
        (
            Histogram {
                custom_values: vec![],
                ..custom.clone()
            },
            Some(Fault::Bounds),
        ),
        (
            Histogram {
                custom_values: vec![2.0, 1.0],
                ..custom.clone()
            },
            Some(Fault::Bounds),
        ),
        (
            Histogram {
                custom_values: vec![f64::INFINITY],
                ..custom.clone()
            },
            Some(Fault::Bounds),
        ),
        (
            Histogram {
                zero_threshold: 0.1,
                ..custom
            },
            Some(Fault::Mixed),
        ),
        (
            Histogram {
                count: Some(Count::Float(1.0)),
                positive_deltas: vec![],
                positive_counts: vec![0.5, -0.5],
                ..good
            },
            Some(Fault::Negative),
        ),
    ];
    for (histogram, fault) in table {
        assert_eq!(
            check_histogram(&histogram.encode_to_vec()).err(),
            fault,
            "{histogram:?}"
        );
    }
    assert_eq!(check_histogram(&[0xff]), Err(Fault::Malformed));
}

#[test]
fn the_marker_of_an_end_is_kept_bit_by_bit() {
    let mut writer = SeriesWriter::new();
    let mut labels = Vec::new();
    set(&[label("__name__", "up")]).encode(&mut labels).unwrap();
    writer.sample(&labels, f64::from_bits(STALE_NAN), 1, None);
    let translated = Translator::new().translate(&writer.take().0);
    let accepted = accept(Version::V2, &translated, &Budget::default()).unwrap();
    let request = v1::WriteRequest::decode(&accepted.body.unwrap()[..]).unwrap();
    let value = request.timeseries[0].samples[0].value;
    assert!(is_stale(value) && !is_stale(f64::NAN));
}
