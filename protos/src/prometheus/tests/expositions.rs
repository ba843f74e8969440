//! What each format accepts, and what comes out of it.

use proptest::prelude::*;

use super::arbitrary;
use crate::otlp::Message;
use crate::prometheus::LabelSet;
use crate::prometheus::exposition::{Entry, Format, Options, Parser, Place, Problem};
use crate::prometheus::messages::{Count, Histogram as Native, client};

/// Every entry as a line, or the error. `chunk` bytes are fed at once.
fn read(
    format: Format,
    body: &[u8],
    chunk: usize,
    options: Options,
) -> Result<Vec<String>, String> {
    let mut parser = Parser::new(format, options);
    let mut lines = Vec::new();
    let mut set = LabelSet::new();
    let mut last = Vec::new();
    for piece in body.chunks(chunk).map(Some).chain([None]) {
        match piece {
            Some(piece) => parser.feed(piece),
            None => parser.finish(),
        }
        loop {
            // The guess that the last series comes again is mostly wrong, and must not matter.
            let expected = std::mem::take(&mut last);
            match parser
                .next_expecting(&expected)
                .map_err(|error| error.to_string())?
            {
                Some(entry) => {
                    if let Entry::Sample(sample) = &entry {
                        last = sample.series.raw().to_vec();
                    }
                    lines.push(show(&entry, &mut set)?);
                }
                None => break,
            }
        }
    }
    Ok(lines)
}

fn labels(set: &LabelSet) -> String {
    let labels: Vec<String> = set
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    labels.join(",")
}

fn show(entry: &Entry<'_>, set: &mut LabelSet) -> Result<String, String> {
    let time = |time: Option<i64>| time.map(|time| format!(" @{time}")).unwrap_or_default();
    Ok(match entry {
        Entry::Help { family, help } => format!("help {}: {}", family.plain(), help.plain()),
        Entry::Kind { family, kind } => format!("kind {}: {kind}", family.plain()),
        Entry::Unit { family, unit } => format!("unit {}: {}", family.plain(), unit.plain()),
        Entry::Sample(sample) => {
            sample
                .series
                .labels(set)
                .map_err(|problem| problem.to_string())?;
            let mut line = format!("{} {}{}", labels(set), sample.value, time(sample.timestamp));
            if let Some(start) = sample.start {
                line.push_str(&format!(" since {start}"));
            }
            if let Some(exemplar) = sample.exemplar {
                exemplar
                    .labels(set)
                    .map_err(|problem| problem.to_string())?;
                line.push_str(&format!(
                    " # {} {}{}",
                    labels(set),
                    exemplar.value,
                    time(exemplar.timestamp)
                ));
            }
            if sample.is_created {
                line.push_str(" created");
            }
            line
        }
        Entry::Histogram(histogram) => {
            histogram
                .series
                .labels(set)
                .map_err(|problem| problem.to_string())?;
            let native = Native::decode(histogram.encoded).map_err(|error| error.to_string())?;
            let mut line = format!("{} {native:?}{}", labels(set), time(histogram.timestamp));
            for exemplar in histogram.exemplars.clone() {
                line.push_str(&format!(
                    " # {}{}",
                    exemplar.value,
                    time(exemplar.timestamp)
                ));
            }
            line
        }
    })
}

fn good(format: Format, body: &str) -> Vec<String> {
    let whole = read(format, body.as_bytes(), usize::MAX, Options::default());
    for chunk in [1, 2, 3, 7] {
        assert_eq!(
            read(format, body.as_bytes(), chunk, Options::default()),
            whole,
            "{body}"
        );
    }
    whole.unwrap_or_else(|error| panic!("{error} in {body}"))
}

#[test]
fn text_is_read() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        ("a 1", &["__name__=a 1"]),
        ("a 1\n\n  \n\tb 2\n", &["__name__=a 1", "__name__=b 2"]),
        ("a\t1 \t 123 \n", &["__name__=a 1 @123"]),
        ("a{} 1\n", &["__name__=a 1"]),
        ("a{b=\"c\"}1\n", &["__name__=a,b=c 1"]),
        (
            "a { z = \"1\" , b = \"2\" , } -Inf 5\n",
            &["__name__=a,b=2,z=1 -inf @5"],
        ),
        ("a{b=\"1\" c=\"2\"} 1\n", &["__name__=a,b=1,c=2 1"]),
        ("a:b_c9{d_1=\"x\"} NaN\n", &["__name__=a:b_c9,d_1=x NaN"]),
        (
            r#"a{b="q\"uo\\te\nd \t }, ="} 1"#,
            &["__name__=a,b=q\"uo\\te\nd \\t }, = 1"],
        ),
        (
            "{\"my.metric\",\"a.b\"=\"c\"} 1\n{d=\"e\",\"ünï\"} 2\n",
            &["__name__=my.metric,a.b=c 1", "__name__=ünï,d=e 2"],
        ),
        ("{\"q\\\"\\\\\"} 1\n", &["__name__=q\"\\ 1"]),
        (
            "a{b=\"two\nlines\",c=\"\n\"} 1\nd 2\n",
            &["__name__=a,b=two\nlines,c=\n 1", "__name__=d 2"],
        ),
        (
            "# HELP a Some \\\\ text\\n\\\"x\n# TYPE a counter\n#TYPE a b\n# a comment\n#\n",
            &["help a: Some \\ text\n\\\"x", "kind a: counter"],
        ),
        (
            "# HELP a\n# HELP\tb c\n# HELPX\n# TYPE \"my.m\" untyped\n",
            &["help a: ", "help b: c", "kind my.m: unknown"],
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"x\"} 2\n",
            &[
                "kind h: histogram",
                "__name__=h_bucket,le=1.0 1",
                "__name__=h_bucket,le=+Inf 2",
                "__name__=h_bucket,le=x 2",
            ],
        ),
        (
            "# TYPE s summary\ns{quantile=\"0.50\"} 1\ns{le=\"1\"} 1\n",
            &[
                "kind s: summary",
                "__name__=s,quantile=0.5 1",
                "__name__=s,le=1 1",
            ],
        ),
    ];
    for (body, expected) in table {
        assert_eq!(good(Format::Text, body), *expected, "{body}");
    }
}

#[test]
fn open_metrics_is_read() {
    let table: &[(&str, &[&str])] = &[
        ("# EOF", &[]),
        ("# EOF\n", &[]),
        ("a 1\n# EOF\n", &["__name__=a 1"]),
        ("a{b=\"c\",} 1 1.5\n# EOF\n", &["__name__=a,b=c 1 @1500"]),
        (
            "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds \\\"x\\\"\\n\n# EOF\n",
            &[
                "kind a_seconds: counter",
                "unit a_seconds: seconds",
                "help a_seconds: \"x\"\n",
            ],
        ),
        (
            "# TYPE a counter\na_total{b=\"c\"} 1 # {trace_id=\"x\"} 2\na_created{b=\"c\"} 12.5\n# EOF\n",
            &[
                "kind a: counter",
                "__name__=a_total,b=c 1 # trace_id=x 2",
                "__name__=a_created,b=c 12.5 created",
            ],
        ),
        (
            "# TYPE a gauge\na_created 1\n# TYPE \"b.c\" counter\n{\"b.c_created\"} 3\n# EOF",
            &[
                "kind a: gauge",
                "__name__=a_created 1",
                "kind b.c: counter",
                "__name__=b.c_created 3 created",
            ],
        ),
        (
            "a 1 2 # {} 3 4.5\na 1 # {a=\"}\",\"b.c\"=\"\\\"\",} 3\n# EOF\n",
            &[
                "__name__=a 1 @2000 #  3 @4500",
                "__name__=a 1 # a=},b.c=\" 3",
            ],
        ),
    ];
    for (body, expected) in table {
        assert_eq!(good(Format::OpenMetrics, body), *expected, "{body}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    use Format::{OpenMetrics, Text};
    let table = [
        (Text, "a 1\nb{c=\"d\"", Problem::LabelName, 2, 8),
        (Text, "a 1\n  {c=\"d\"} 1\n", Problem::MetricName, 2, 9),
        (Text, "a{b} 1\n", Problem::Equal, 1, 4),
        (Text, "a{b=c} 1\n", Problem::LabelValue, 1, 5),
        (Text, "a{,} 1\n", Problem::LabelName, 1, 3),
        (Text, "a{b=\"c\",,} 1\n", Problem::LabelName, 1, 9),
        (Text, "a{\"b\",\"c\"} 1\n", Problem::TwoNames, 1, 3),
        (Text, "{\"\"} 1\n", Problem::EmptyName, 1, 2),
        (Text, "a{b=\"c} 1\n", Problem::Quote, 1, 5),
        (Text, "a{b=\"c\n} 1\nd 2", Problem::Quote, 1, 5),
        (Text, "a{b=\"x\ny\",c=\"d\"} e\n", Problem::Value, 2, 11),
        (Text, "a x\n", Problem::Value, 1, 3),
        (Text, "a\n", Problem::Value, 1, 2),
        (Text, "a 1\r\n", Problem::Value, 1, 3),
        (Text, "a 1 -5\n", Problem::Timestamp, 1, 5),
        (Text, "a 1 5 6\n", Problem::EndOfLine, 1, 7),
        (Text, "a 1 99999999999999999999\n", Problem::Timestamp, 1, 5),
        (Text, "9a 1\n", Problem::MetricName, 1, 1),
        (Text, "# TYPE a unknown\n", Problem::Kind, 1, 10),
        (Text, "# TYPE a  counter\n", Problem::Kind, 1, 10),
        (Text, "# HELP 9 x\n", Problem::MetricName, 1, 8),
        (OpenMetrics, "a 1\n", Problem::Unfinished, 2, 1),
        (OpenMetrics, "", Problem::Unfinished, 1, 1),
        (OpenMetrics, "a 1\n# EOF\n\n", Problem::BehindEnd, 3, 1),
        (OpenMetrics, "\n# EOF\n", Problem::BlankLine, 1, 1),
        (OpenMetrics, " a 1\n# EOF\n", Problem::MetricName, 1, 1),
        (OpenMetrics, "a  1\n# EOF\n", Problem::Value, 1, 3),
        (
            OpenMetrics,
            "a{b=\"c\" d=\"e\"} 1\n# EOF\n",
            Problem::CommaOrBrace,
            1,
            8,
        ),
        (
            OpenMetrics,
            "a{b=\"c\nd\"} 1\n# EOF\n",
            Problem::Quote,
            1,
            5,
        ),
        (
            OpenMetrics,
            "# UNIT a seconds\n# EOF\n",
            Problem::Unit,
            1,
            10,
        ),
        (
            OpenMetrics,
            "# UNIT aseconds seconds\n# EOF\n",
            Problem::Unit,
            1,
            17,
        ),
        (
            OpenMetrics,
            "# TYPE a untyped\n# EOF\n",
            Problem::Kind,
            1,
            10,
        ),
        (OpenMetrics, "# a comment\n# EOF\n", Problem::Start, 1, 1),
        (OpenMetrics, "a 1 NaN\n# EOF\n", Problem::Timestamp, 1, 4),
        (
            OpenMetrics,
            "a 1 # {\"b\"} 1\n# EOF\n",
            Problem::Equal,
            1,
            11,
        ),
        (OpenMetrics, "a 1 # {} \n# EOF\n", Problem::Value, 1, 10),
    ];
    for (format, body, problem, line, column) in table {
        for chunk in [usize::MAX, 1] {
            let mut parser = Parser::new(format, Options::default());
            let error = (|| {
                for piece in body.as_bytes().chunks(chunk) {
                    parser.feed(piece);
                    while parser.next()?.is_some() {}
                }
                parser.finish();
                while parser.next()?.is_some() {}
                Ok::<_, crate::prometheus::exposition::ParseError>(())
            })()
            .expect_err(body);
            assert_eq!(error.problem(), problem, "{body}: {error}");
            assert_eq!(
                error.place(),
                Place::Line { line, column },
                "{body}: {error}"
            );
        }
    }
    let invalid = [
        b"a{b=\"\xff\"} 1\n".as_slice(),
        b"a{b=\"\\\xff\"} 1\n",
        b"# HELP a \xc3(\n",
    ];
    for body in invalid {
        let error = read(Format::Text, body, 100, Options::default()).unwrap_err();
        assert!(error.contains("not UTF-8"), "{error}");
    }
    let error = read(
        Format::Text,
        b"a{b=\"1\",b=\"2\"} 1\n",
        100,
        Options::default(),
    );
    assert_eq!(error, Err(Problem::TwoLabels.to_string()));
}

#[test]
fn a_line_has_a_limit_and_a_body_has_none() {
    let options = Options {
        line_bytes: 64,
        ..Options::default()
    };
    let body = "a{b=\"0123456789\"} 1\n".repeat(1000);
    assert_eq!(
        read(Format::Text, body.as_bytes(), 10, options).map(|lines| lines.len()),
        Ok(1000)
    );
    let long = format!("a 1\nb{{c=\"{}\"}} 1\n", "x".repeat(100));
    // Also while the line, or the quote in it, does not end.
    let endless = format!("a 1\nb{{c=\"{}", "x\n".repeat(100));
    for body in [long, endless] {
        for chunk in [1, 1000] {
            let error = read(Format::Text, body.as_bytes(), chunk, options).unwrap_err();
            assert!(
                error.contains("line 2") && error.contains("more than 64 bytes"),
                "{error}"
            );
        }
    }
    let family = client::MetricFamily {
        name: "a".to_owned(),
        help: "x".repeat(100),
        ..client::MetricFamily::default()
    };
    let body = family.encode_length_delimited_to_vec();
    let error = read(Format::Protobuf, &body, 1, options).unwrap_err();
    assert!(error.contains("more than 64 bytes"), "{error}");
}

#[test]
fn a_wrong_guess_does_no_harm() {
    let guesses = [
        ("a", "a{b=\"1\"} 2\n", "__name__=a,b=1 2"),
        ("a", "a {b=\"1\"} 2\n", "__name__=a,b=1 2"),
        ("a", "ab 2\n", "__name__=ab 2"),
        ("a{b=\"1\"}", "a{b=\"1\"} 2\n", "__name__=a,b=1 2"),
        ("a{b=\"1\"}", "a{b=\"2\"} 2\n", "__name__=a,b=2 2"),
        ("", "a 2\n", "__name__=a 2"),
    ];
    for (guess, line, expected) in guesses {
        let mut parser = Parser::new(Format::Text, Options::default());
        parser.feed(line.as_bytes());
        let entry = parser.next_expecting(guess.as_bytes()).unwrap().unwrap();
        assert_eq!(show(&entry, &mut LabelSet::new()).unwrap(), expected);
    }
}

fn counter(value: f64) -> client::Metric {
    client::Metric {
        label: vec![label("b", "2"), label("a", "1")],
        counter: Some(client::Counter {
            value,
            exemplar: Some(client::Exemplar {
                label: vec![label("trace_id", "x")],
                value: 7.0,
                timestamp: Some(time(3)),
            }),
            start_timestamp: Some(time(2)),
        }),
        timestamp_ms: 5,
        ..client::Metric::default()
    }
}

fn label(name: &str, value: &str) -> client::LabelPair {
    client::LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn time(seconds: i64) -> client::Timestamp {
    client::Timestamp {
        seconds,
        nanos: 5_900_000,
    }
}

fn native() -> client::Histogram {
    client::Histogram {
        sample_count: 6,
        sample_sum: 3.5,
        schema: -1,
        zero_threshold: 0.1,
        zero_count: 1,
        positive_span: vec![client::BucketSpan {
            offset: -2,
            length: 2,
        }],
        positive_delta: vec![2, 1],
        bucket: vec![
            client::Bucket {
                cumulative_count: 2,
                upper_bound: 0.5,
                exemplar: Some(client::Exemplar {
                    value: 0.25,
                    timestamp: Some(time(9)),
                    ..client::Exemplar::default()
                }),
                ..client::Bucket::default()
            },
            client::Bucket {
                cumulative_count: 6,
                upper_bound: 2.0,
                ..client::Bucket::default()
            },
        ],
        ..client::Histogram::default()
    }
}

fn family(name: &str, kind: i32, metric: client::Metric) -> client::MetricFamily {
    client::MetricFamily {
        name: name.to_owned(),
        help: format!("About {name}"),
        kind: Some(kind),
        metric: vec![metric],
        unit: "s".to_owned(),
    }
}

fn protobuf(families: &[client::MetricFamily], options: Options) -> Vec<String> {
    let body: Vec<u8> = families
        .iter()
        .flat_map(client::MetricFamily::encode_length_delimited_to_vec)
        .collect();
    let whole = read(Format::Protobuf, &body, usize::MAX, options);
    for chunk in [1, 2, 3, 7, 50] {
        assert_eq!(read(Format::Protobuf, &body, chunk, options), whole);
    }
    whole.unwrap()
}

#[test]
fn protobuf_gives_the_series_of_the_text_formats() {
    let summary = client::Metric {
        summary: Some(client::Summary {
            sample_count: 3,
            sample_sum: 1.5,
            quantile: vec![client::Quantile {
                quantile: 0.5,
                value: 0.25,
            }],
            start_timestamp: None,
        }),
        ..client::Metric::default()
    };
    let histogram = client::Metric {
        histogram: Some(native()),
        ..client::Metric::default()
    };
    let families = [
        family("c", 0, counter(4.0)),
        client::MetricFamily::default(),
        family("s", 2, summary),
        family("h", 4, histogram.clone()),
    ];
    let expected = [
        "help c: About c",
        "kind c: counter",
        "__name__=c,a=1,b=2 4 @5 since 2005 # trace_id=x 7 @3005",
        "unit c: s",
        "help s: About s",
        "kind s: summary",
        "__name__=s_count 3",
        "__name__=s_sum 1.5",
        "__name__=s,quantile=0.5 0.25",
        "unit s: s",
        "help h: About h",
        "kind h: histogram",
        "__name__=h_count 6",
        "__name__=h_sum 3.5",
        "__name__=h_bucket,le=0.5 2 #  0.25 @9005",
        "__name__=h_bucket,le=2.0 6",
        "__name__=h_bucket,le=+Inf 6",
        "unit h: s",
    ];
    let classic = Options {
        native_histograms: false,
        ..Options::default()
    };
    assert_eq!(protobuf(&families, classic), expected);

    let lines = protobuf(
        &[family("h", 5, histogram)],
        Options {
            classic_histograms: true,
            ..Options::default()
        },
    );
    let encoded = Native {
        count: Some(Count::Int(6)),
        sum: 3.5,
        schema: -1,
        zero_threshold: 0.1,
        zero_count: Some(crate::prometheus::messages::ZeroCount::Int(1)),
        positive_spans: vec![client::BucketSpan {
            offset: -2,
            length: 2,
        }],
        positive_deltas: vec![2, 1],
        reset_hint: 3,
        ..Native::default()
    };
    assert_eq!(lines[2], format!("__name__=h {encoded:?} # 0.25 @9005"));
    assert_eq!(lines.len(), 2 + 1 + 5 + 1, "{lines:?}");
}

#[test]
fn protobuf_without_a_type_is_a_counter() {
    let mut first = family("c", 0, counter(1.0));
    first.kind = None;
    first.unit.clear();
    let mut lines = protobuf(&[first], Options::default());
    assert_eq!(lines.remove(1), "kind c: counter");
    assert!(lines[1].starts_with("__name__=c"), "{lines:?}");
}

#[test]
fn broken_protobuf_is_named() {
    let whole = family("c", 0, counter(4.0)).encode_length_delimited_to_vec();
    let cut = read(
        Format::Protobuf,
        &whole[..whole.len() - 1],
        1000,
        Options::default(),
    );
    assert!(cut.unwrap_err().contains("stops before its end"));
    let mut bad = native();
    bad.positive_delta.push(1);
    let metric = client::Metric {
        histogram: Some(bad),
        ..client::Metric::default()
    };
    let body = family("h", 4, metric).encode_length_delimited_to_vec();
    let error = read(Format::Protobuf, &body, 1000, Options::default()).unwrap_err();
    assert!(error.contains("native histogram"), "{error}");
    let table: &[(&[u8], &str)] = &[
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "broken"),
        (b"\x02\x22\x00", "must come before"),
        (b"\x05\x0a\x01a\x18\x09", "no such metric type"),
        (b"\x03\x0a\x05abcde", "broken"),
        (b"\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x07\x0a\x01a\x22\x00\x18\x01", "must come before"),
        (b"\x08\x0a\x01a\x22\x03\x0a\x01\x0a", "broken"),
    ];
    for (body, expected) in table {
        for chunk in [1, 1000] {
            let error = read(Format::Protobuf, body, chunk, Options::default()).unwrap_err();
            assert!(error.contains(expected), "{error}, not {expected}");
        }
    }
}

proptest! {
    #[test]
    fn anything_is_read_the_same_in_pieces(
        body in arbitrary::exposition(),
        format in prop_oneof![Just(Format::Text), Just(Format::OpenMetrics)],
        chunk in 1usize..40,
    ) {
        let whole = read(format, &body, usize::MAX, Options::default());
        prop_assert_eq!(read(format, &body, chunk, Options::default()), whole);
    }

    #[test]
    fn any_protobuf_is_read_the_same_in_pieces(
        families in prop::collection::vec(arbitrary::family(), 0..4),
        damage in prop::option::of((0.0..1.0, any::<u8>())),
        chunk in 1usize..40,
    ) {
        let mut body: Vec<u8> = families
            .iter()
            .flat_map(client::MetricFamily::encode_length_delimited_to_vec)
            .collect();
        let is_whole = damage.is_none();
        if let Some((at, byte)) = damage {
            let at = (body.len() as f64 * at) as usize;
            if let Some(old) = body.get_mut(at) {
                *old = byte;
            }
        }
        let whole = read(Format::Protobuf, &body, usize::MAX, Options::default());
        prop_assert!(!is_whole || whole.is_ok(), "{:?}", whole);
        prop_assert_eq!(read(Format::Protobuf, &body, chunk, Options::default()), whole);
    }
}
