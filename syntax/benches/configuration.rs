//! What a configuration of 10,000 lines costs: reading it, checking it (references, names that are
//! old, every argument evaluated and decoded), and printing it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use syntax::ast::{Block, File};
use syntax::stdlib::{Library, System};
use syntax::{
    Arguments, BlockEnum, ByteSize, Decoder, Evaluator, Scope, SourceFile, Value, lint, parse,
    print, references,
};

const LINES: usize = 10_000;

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Receiver {
    #[block]
    grpc: Server,
    #[block]
    output: Output,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Server {
    #[attr]
    endpoint: String,
    #[attr(default = "4MiB")]
    max_recv_msg_size: ByteSize,
    #[attr(default = "5s")]
    timeout: Duration,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Output {
    #[attr]
    logs: Vec<Value>,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Process {
    #[attr]
    forward_to: Vec<Value>,
    #[stages(prefix = "stage")]
    stages: Vec<Stage>,
}

#[derive(BlockEnum, Clone, Debug, PartialEq)]
enum Stage {
    Labels(Labels),
    Json(Json),
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Labels {
    #[attr]
    values: BTreeMap<String, String>,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
struct Json {
    #[attr]
    expressions: BTreeMap<String, String>,
}

/// Every name of a component is known, and nothing of what it exports.
struct Exports;

impl Scope for Exports {
    fn lookup(&self, name: &str) -> Option<Value> {
        matches!(name, "otelcol" | "loki").then_some(Value::Unknown)
    }
}

/// Two components, 30 lines.
fn part(number: usize) -> String {
    let port = 4317 + number;
    format!(
        r#"// Team {number} sends here.
otelcol.receiver.otlp "team_{number}" {{
	grpc {{
		endpoint          = string.format("%s:%d", coalesce(sys.env("ADDRESS"), "0.0.0.0"), {port})
		max_recv_msg_size = "16MiB"
		timeout           = "10s" // The default is too short for it.
	}}

	output {{
		logs = [otelcol.exporter.loki.team_{number}.input]
	}}
}}

loki.process "team_{number}" {{
	forward_to = [loki.write.default.receiver]

	stage.json {{
		expressions = {{level = "severity", "trace-id" = "ctx.trace", shard = "{number}"}}
	}}

	stage.labels {{
		values = {{
			level = "",
			shard = string.join(["shard", {number} % 16 + 1], "-"),
			team  = string.to_lower("TEAM-{number}"),
		}}
	}}

	/* Nothing else yet. */
}}
"#
    )
}

fn source() -> SourceFile {
    let mut text = String::new();
    let mut number = 0;
    while text.lines().count() < LINES {
        text += &(0..50)
            .map(|index| part(number + index))
            .collect::<Vec<_>>()
            .join("\n");
        text.push('\n');
        number += 50;
    }
    SourceFile::new("config.alloy", text)
}

/// Everything that can be said about a file without its components.
fn check(file: &File, library: &Library) -> usize {
    let warnings = lint(&file.source, &file.body, |_| false);
    let evaluator = Evaluator::new(&file.source, &Exports, library);
    let errors = file.body.blocks().map(|block| {
        let mut decoder = Decoder::new(block, &evaluator).ignoring_label();
        decode(block, &mut decoder);
        decoder.finish().len()
    });
    warnings.len() + errors.sum::<usize>() + references(&file.body).len()
}

fn decode(block: &Block, decoder: &mut Decoder<'_>) {
    match block.name.dotted().as_str() {
        "loki.process" => drop(Process::decode(&block.body, decoder)),
        _ => drop(Receiver::decode(&block.body, decoder)),
    }
}

fn benchmark(criterion: &mut Criterion) {
    let source = source();
    let library = Library::new(Arc::new(System), "1.0.0");
    let (file, diagnostics) = parse(&source);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let printed = print(&file);
    assert_eq!(printed, source.text(), "the source is in the printed form");

    let mut group = criterion.benchmark_group("configuration of 10,000 lines");
    group.throughput(Throughput::Bytes(source.text().len() as u64));
    group.bench_function("parse", |bencher| bencher.iter(|| parse(&source)));
    group.bench_function("check", |bencher| bencher.iter(|| check(&file, &library)));
    group.bench_function("print", |bencher| bencher.iter(|| print(&file)));
    group.bench_function("parse, check and print", |bencher| {
        bencher.iter(|| {
            let (file, _) = parse(&source);
            (check(&file, &library), print(&file))
        });
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
