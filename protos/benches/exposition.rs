//! What reading an exposition costs: finding each series and its value, with and without the guess of
//! a series cache, in all three formats.
//!
//! The body is 20,000 series of about 150 bytes in 200 families: counters, gauges and histograms with
//! the labels that services have. `EXPOSITION=path` reads another one in the text format.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protos::otlp::Message;
use protos::prometheus::exposition::{Entry, Format, Options, Parser};
use protos::prometheus::messages::client::{
    Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily,
};
use protos::prometheus::{LabelSet, SeriesWriter};

/// Bytes that are fed at once, as they come from a socket.
const CHUNK: usize = 64 * 1024;

fn text() -> String {
    let mut body = String::new();
    for family in 0..100 {
        let _ = writeln!(
            body,
            "# HELP http_requests_{family}_total Requests that were served, by route"
        );
        let _ = writeln!(body, "# TYPE http_requests_{family}_total counter");
        for series in 0..100 {
            let _ = writeln!(
                body,
                "http_requests_{family}_total{{method=\"POST\",route=\"/api/v1/orders/{series}\",\
                 status=\"{}\",service=\"checkout\",zone=\"eu-central-1a\"}} {}",
                200 + series % 5,
                series * 7919 + family
            );
        }
        let _ = writeln!(body, "# TYPE latency_{family}_seconds histogram");
        for series in 0..8 {
            let labels = format!("route=\"/api/v1/orders/{series}\",service=\"checkout\"");
            for bound in [
                "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf",
            ] {
                let _ = writeln!(
                    body,
                    "latency_{family}_seconds_bucket{{{labels},le=\"{bound}\"}} {}",
                    812 + series
                );
            }
            let _ = writeln!(
                body,
                "latency_{family}_seconds_sum{{{labels}}} {}.{}",
                41 + series,
                8173
            );
            let _ = writeln!(
                body,
                "latency_{family}_seconds_count{{{labels}}} {}",
                812 + series
            );
        }
    }
    body
}

fn protobuf() -> Vec<u8> {
    let label = |name: &str, value: String| LabelPair {
        name: name.to_owned(),
        value,
    };
    let mut body = Vec::new();
    for family in 0..100 {
        let metric = |series: usize| Metric {
            label: vec![
                label("method", "POST".to_owned()),
                label("route", format!("/api/v1/orders/{series}")),
                label("status", (200 + series % 5).to_string()),
                label("service", "checkout".to_owned()),
                label("zone", "eu-central-1a".to_owned()),
            ],
            counter: Some(Counter {
                value: (series * 7919) as f64,
                ..Counter::default()
            }),
            ..Metric::default()
        };
        let counters = MetricFamily {
            name: format!("http_requests_{family}_total"),
            help: "Requests that were served, by route".to_owned(),
            kind: Some(0),
            metric: (0..100).map(metric).collect(),
            ..MetricFamily::default()
        };
        let bounds = [
            0.005,
            0.01,
            0.025,
            0.05,
            0.1,
            0.25,
            0.5,
            1.0,
            2.5,
            f64::INFINITY,
        ];
        let metric = |series: usize| Metric {
            label: vec![
                label("route", format!("/api/v1/orders/{series}")),
                label("service", "checkout".to_owned()),
            ],
            histogram: Some(Histogram {
                sample_count: 812,
                sample_sum: 41.8173,
                bucket: bounds
                    .map(|upper_bound| Bucket {
                        cumulative_count: 812,
                        upper_bound,
                        ..Bucket::default()
                    })
                    .into(),
                ..Histogram::default()
            }),
            ..Metric::default()
        };
        let histograms = MetricFamily {
            name: format!("latency_{family}_seconds"),
            kind: Some(4),
            metric: (0..8).map(metric).collect(),
            ..MetricFamily::default()
        };
        for family in [counters, histograms] {
            body.extend(family.encode_length_delimited_to_vec());
        }
    }
    body
}

/// Reads everything; the sum of all values, so that nothing is left out.
fn read(format: Format, body: &[u8]) -> (u64, f64) {
    let mut parser = Parser::new(format, Options::default());
    let (mut samples, mut sum) = (0, 0.0);
    let mut take = |parser: &mut Parser| {
        while let Some(entry) = parser.next().expect("a good exposition") {
            if let Entry::Sample(sample) = entry {
                samples += 1;
                sum += sample.value;
            }
        }
    };
    for chunk in body.chunks(CHUNK) {
        parser.feed(chunk);
        take(&mut parser);
    }
    parser.finish();
    take(&mut parser);
    (samples, sum)
}

/// Reads with the guess that the series are those of the scrape before, and writes a request.
fn read_again(
    format: Format,
    body: &[u8],
    cache: &[(Vec<u8>, Vec<u8>)],
    writer: &mut SeriesWriter,
) {
    let mut parser = Parser::new(format, Options::default());
    let mut next = 0;
    for chunk in body.chunks(CHUNK) {
        parser.feed(chunk);
        loop {
            let expected = cache.get(next).map_or(&[][..], |(raw, _)| raw);
            let Some(entry) = parser.next_expecting(expected).expect("a good exposition") else {
                break;
            };
            if let Entry::Sample(sample) = entry {
                let (raw, labels) = &cache[next];
                assert!(sample.series.raw() == &raw[..]);
                writer.sample(labels, sample.value, 1_767_225_600_000, None);
                next += 1;
            }
        }
    }
}

/// Reads and makes labels of every series, as the first scrape does.
fn cache(format: Format, body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut parser = Parser::new(format, Options::default());
    let mut set = LabelSet::new();
    let mut cache = Vec::new();
    parser.feed(body);
    parser.finish();
    while let Some(entry) = parser.next().expect("a good exposition") {
        if let Entry::Sample(sample) = entry {
            let mut labels = Vec::new();
            sample.series.labels(&mut set).expect("no duplicates");
            set.encode(&mut labels).expect("no duplicates");
            cache.push((sample.series.raw().to_vec(), labels));
        }
    }
    cache
}

fn expositions(criterion: &mut Criterion) {
    let given = std::env::var("EXPOSITION").ok();
    let text = given.map_or_else(text, |path| {
        std::fs::read_to_string(path).expect("the exposition")
    });
    if let Ok(path) = std::env::var("EXPOSITION_OUT") {
        std::fs::write(path, &text).expect("the exposition is written");
    }
    let open_metrics = format!("{text}# EOF\n");
    for (name, format, body) in [
        ("text", Format::Text, text.into_bytes()),
        (
            "openmetrics",
            Format::OpenMetrics,
            open_metrics.into_bytes(),
        ),
        ("protobuf", Format::Protobuf, protobuf()),
    ] {
        let (samples, _) = read(format, &body);
        let mut group = criterion.benchmark_group(format!("{name}, {samples} series"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("parse", |bench| {
            bench.iter(|| read(format, black_box(&body)))
        });
        group.bench_function("parse with labels", |bench| {
            bench.iter(|| cache(format, black_box(&body)).len());
        });
        let known = cache(format, &body);
        let mut writer = SeriesWriter::new();
        group.bench_function("parse as expected and write", |bench| {
            bench.iter(|| {
                read_again(format, black_box(&body), &known, &mut writer);
                writer.take()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = expositions
}
criterion_main!(benches);
