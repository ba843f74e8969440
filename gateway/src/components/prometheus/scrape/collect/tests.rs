//! What becomes of answers that follow one another.

use protos::{
    otlp::Message,
    prometheus::{
        exposition::{Format, Options, Parser},
        is_stale,
        messages::v1::WriteRequest,
    },
};

use super::super::limits::Validation;
use super::*;

fn settings() -> Settings {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Settings {
        target: Arc::from([label("instance", "h:1"), label("job", "test")]),
        honor_labels: false,
        honor_timestamps: true,
        track_timestamps: false,
        limits: Limits {
            samples: 0,
            labels: 0,
            name_bytes: 0,
            value_bytes: 0,
            validation: Validation::Legacy,
        },
    }
}

/// Reads an answer; what came of it, series by series, sorted.
fn scrape(
    collector: &mut Collector,
    time: i64,
    text: &str,
) -> (Result<(), String>, Counts, Vec<String>) {
    collector.begin(time);
    let mut parser = Parser::new(Format::OpenMetrics, Options::default());
    parser.feed(text.as_bytes());
    parser.feed(b"# EOF\n");
    parser.finish();
    let result = (|| {
        loop {
            let entry = parser.next_expecting(collector.expected());
            let Some(entry) = entry.map_err(|error| error.to_string())? else {
                return Ok(());
            };
            collector.take(&entry)?;
        }
    })();
    let counts = match result.is_ok() {
        true => collector.succeed(),
        false => collector.fail(),
    };
    (result, counts, lines(&collector.written().0))
}

fn lines(body: &[u8]) -> Vec<String> {
    let request = WriteRequest::decode(body).unwrap();
    let mut lines = Vec::new();
    for series in request.timeseries {
        let labels: Vec<String> = series
            .labels
            .iter()
            .filter(|label| !matches!(label.name.as_str(), "instance" | "job"))
            .map(|label| match label.name.as_str() {
                NAME => label.value.clone(),
                name => format!("{name}={}", label.value),
            })
            .collect();
        let mut line = labels.join(",");
        for sample in &series.samples {
            let value = match is_stale(sample.value) {
                true => "stale".to_owned(),
                false => sample.value.to_string(),
            };
            line.push_str(&format!(" {value}@{}", sample.timestamp));
        }
        for exemplar in &series.exemplars {
            line.push_str(&format!(" # {}@{}", exemplar.value, exemplar.timestamp));
        }
        lines.push(line);
    }
    lines.sort();
    lines
}

#[test]
fn series_that_vanish_end_and_come_back() {
    let mut collector = Collector::new(settings());
    let (_, counts, lines) = scrape(&mut collector, 1000, "a 1\nb 2\n");
    assert_eq!(lines, ["a 1@1000", "b 2@1000"]);
    assert_eq!((counts.scraped, counts.kept, counts.added), (2, 2, 2));
    let (_, counts, lines) = scrape(&mut collector, 2000, "b 3\n");
    assert_eq!(lines, ["a stale@2000", "b 3@2000"]);
    assert_eq!((counts.scraped, counts.added), (1, 0));
    let (_, _, lines) = scrape(&mut collector, 3000, "b 3\n");
    assert_eq!(lines, ["b 3@3000"], "an end is said once");
    let (_, counts, lines) = scrape(&mut collector, 4000, "c 1\nb 3\na 5\n");
    assert_eq!(lines, ["a 5@4000", "b 3@4000", "c 1@4000"]);
    assert_eq!(counts.added, 2);
}

#[test]
fn a_failed_scrape_ends_everything_and_hands_nothing_on() {
    let mut collector = Collector::new(settings());
    let _ = scrape(&mut collector, 1000, "a 1\nb 2\n");
    let (result, counts, lines) = scrape(&mut collector, 2000, "a 5\nb x\n");
    assert!(result.unwrap_err().contains("line 2, column 3"));
    assert_eq!(lines, ["a stale@2000", "b stale@2000"]);
    assert_eq!((counts.scraped, counts.kept), (1, 0));
    let (_, _, lines) = scrape(&mut collector, 3000, "b x\n");
    assert_eq!(lines, [""; 0], "they have ended already");
    let (_, counts, lines) = scrape(&mut collector, 4000, "a 7\n");
    assert_eq!(lines, ["a 7@4000"]);
    assert_eq!(counts.added, 1);
}

#[test]
fn times_of_the_target_count_if_they_are_honoured() {
    let with = |honor_timestamps, track_timestamps| {
        let mut collector = Collector::new(Settings {
            honor_timestamps,
            track_timestamps,
            ..settings()
        });
        let (_, _, first) = scrape(&mut collector, 10_000, "a 1 5\n");
        let (_, _, second) = scrape(&mut collector, 20_000, "");
        (first, second)
    };
    let stamped = vec!["a 1@5000".to_owned()];
    assert_eq!(with(true, false), (stamped.clone(), vec![]));
    assert_eq!(
        with(true, true),
        (stamped, vec!["a stale@20000".to_owned()])
    );
    let (first, second) = with(false, false);
    assert_eq!(
        (first, second),
        (
            vec!["a 1@10000".to_owned()],
            vec!["a stale@20000".to_owned()]
        )
    );
    let mut collector = Collector::new(settings());
    let (_, counts, lines) = scrape(&mut collector, 1000, "a 1 602\na 2\na 3\n");
    assert_eq!(lines, ["a 2@1000"], "too far ahead, and there twice");
    assert_eq!((counts.scraped, counts.kept, counts.refused), (3, 1, 2));
}

#[test]
fn labels_of_the_target_win_or_not() {
    let text = "a{job=\"own\",exported_job=\"x\",b=\"\"} 1\n";
    let labels = |honor_labels| {
        let mut collector = Collector::new(Settings {
            honor_labels,
            ..settings()
        });
        collector.begin(1);
        let mut parser = Parser::new(Format::Text, Options::default());
        parser.feed(text.as_bytes());
        let entry = parser.next().unwrap().unwrap();
        collector.take(&entry).unwrap();
        collector.succeed();
        let request = WriteRequest::decode(&collector.written().0[..]).unwrap();
        let labels = request.timeseries[0].labels.iter();
        labels
            .map(|label| format!("{}={}", label.name, label.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        labels(false),
        [
            "__name__=a",
            "exported_exported_job=own",
            "exported_job=x",
            "instance=h:1",
            "job=test"
        ]
    );
    assert_eq!(
        labels(true),
        ["__name__=a", "exported_job=x", "instance=h:1", "job=own"]
    );
}

#[test]
fn limits_refuse_the_whole_answer() {
    let with = |change: fn(&mut Limits), text: &str| {
        let mut settings = settings();
        change(&mut settings.limits);
        let mut collector = Collector::new(settings);
        scrape(&mut collector, 1000, text).0.unwrap_err()
    };
    assert!(with(|limits| limits.samples = 1, "a 1\nb 1\n").contains("sample_limit = 1"));
    assert!(with(|limits| limits.labels = 3, "a{b=\"c\"} 1\n").contains("label_limit is 3"));
    assert!(with(|_| {}, "{\"a.b\"} 1\n").contains("metric_name_validation_scheme"));
    assert!(with(|_| {}, "a{b=\"1\",b=\"2\"} 1\n").contains("there twice"));
}

#[test]
fn exemplars_are_handed_on_once() {
    let mut collector = Collector::new(settings());
    let text = "a_total 1 # {t=\"x\"} 0.5 1\n";
    let (_, _, lines) = scrape(&mut collector, 1000, text);
    assert_eq!(lines, ["a_total 1@1000 # 0.5@1000"]);
    let (_, _, lines) = scrape(&mut collector, 2000, text);
    assert_eq!(lines, ["a_total 1@2000"]);
    let (_, _, lines) = scrape(&mut collector, 3000, "a_total 1 # {t=\"y\"} 0.7 2.5\n");
    assert_eq!(lines, ["a_total 1@3000 # 0.7@2500"]);
    let (_, _, lines) = scrape(&mut collector, 4000, "a_total 1 # {t=\"z\"} 0.7\n");
    assert_eq!(lines, ["a_total 1@4000 # 0.7@4000"]);
    let (_, _, lines) = scrape(&mut collector, 5000, "a_total 1 # {t=\"z\"} 0.7\n");
    assert_eq!(lines, ["a_total 1@5000"]);
}

#[test]
fn the_report_and_the_end_of_a_target() {
    let mut collector = Collector::new(settings());
    let (_, counts, _) = scrape(&mut collector, 1000, "a 1\n");
    let report = Report {
        is_up: true,
        seconds: 0.25,
        extra: Some(Extra {
            timeout_seconds: 10.0,
            sample_limit: 5,
            body_bytes: 4.0,
        }),
    };
    collector.report(&report, &counts);
    assert_eq!(
        lines(&collector.written().0),
        [
            "scrape_body_size_bytes 4@1000",
            "scrape_duration_seconds 0.25@1000",
            "scrape_sample_limit 5@1000",
            "scrape_samples_post_metric_relabeling 1@1000",
            "scrape_samples_scraped 1@1000",
            "scrape_series_added 1@1000",
            "scrape_timeout_seconds 10@1000",
            "up 1@1000",
        ]
    );
    let ends = lines(&collector.leave(2000).0);
    assert_eq!(ends.len(), 9);
    assert!(
        ends.iter().all(|line| line.ends_with(" stale@2000")),
        "{ends:?}"
    );
}

#[test]
fn a_native_histogram_ends_as_one() {
    protos::prometheus::check_histogram(&STALE_HISTOGRAM).unwrap();
    let histogram = protos::prometheus::messages::Histogram::decode(&STALE_HISTOGRAM[..]).unwrap();
    assert!(is_stale(histogram.sum));
}
