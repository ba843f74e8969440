// Sends traces, metrics and logs with the official Node SDK and says whether they were taken.
//
// The SDK reports a failed export and drops it, so each exporter is watched: the exit code is 0
// only if every item of every signal was exported with success. Headers, compression and timeouts
// are set as in any application, by the SDK's own OTEL_EXPORTER_OTLP_* variables.

import { parseArgs } from "node:util";

import { DiagConsoleLogger, DiagLogLevel, diag } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as GrpcLogExporter } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as HttpLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as GrpcMetricExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as HttpMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as GrpcTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const SCOPE = "corten.sdk.node";

// Longer than any run: every export is an explicit flush, so that the outcome is known at the end.
const NEVER_MS = 3_600_000;

// What the SDK's result code is for an export that was taken.
const SUCCESS = 0;

// Counts what an exporter exports, by the size of each batch.
function watch(exporter, size) {
  const outcome = { taken: 0, failed: 0 };
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      outcome[result.code === SUCCESS ? "taken" : "failed"] += size(batch);
      done(result);
    });
  return outcome;
}

const records = (batch) => batch.length;

const points = (batch) =>
  batch.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .reduce((sum, metric) => sum + metric.dataPoints.length, 0);

async function sendTraces(exporter, resource, items) {
  const spanProcessors = [new BatchSpanProcessor(exporter)];
  const provider = new BasicTracerProvider({ resource, spanProcessors });
  const tracer = provider.getTracer(SCOPE);
  for (let item = 0; item < items; item++) {
    tracer.startSpan("work", { attributes: { item } }).end();
  }
  await provider.shutdown();
}

async function sendMetrics(exporter, resource, items) {
  const readers = [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: NEVER_MS })];
  const provider = new MeterProvider({ resource, readers });
  const counter = provider.getMeter(SCOPE).createCounter("work.done", { unit: "{item}" });
  for (let item = 0; item < items; item++) {
    counter.add(1, { item });
  }
  await provider.shutdown();
}

async function sendLogs(exporter, resource, items) {
  const processors = [new BatchLogRecordProcessor({ exporter })];
  const provider = new LoggerProvider({ resource, processors });
  const logger = provider.getLogger(SCOPE);
  for (let item = 0; item < items; item++) {
    logger.emit({
      severityNumber: SeverityNumber.INFO,
      severityText: "INFO",
      body: `item ${item} done`,
      attributes: { item },
    });
  }
  await provider.shutdown();
}

function exporters(protocol, endpoint) {
  if (protocol === "grpc") {
    const options = { url: endpoint };
    return {
      traces: new GrpcTraceExporter(options),
      metrics: new GrpcMetricExporter(options),
      logs: new GrpcLogExporter(options),
    };
  }
  const base = endpoint.replace(/\/+$/, "");
  return {
    traces: new HttpTraceExporter({ url: `${base}/v1/traces` }),
    metrics: new HttpMetricExporter({ url: `${base}/v1/metrics` }),
    logs: new HttpLogExporter({ url: `${base}/v1/logs` }),
  };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { items: { type: "string", default: "100" } },
  });
  const [protocol, endpoint] = positionals;
  const items = Number.parseInt(values.items, 10);
  if (!["grpc", "http"].includes(protocol) || !endpoint || !(items > 0)) {
    console.error("usage: send.mjs grpc|http <base URL> [--items <number>]");
    return 2;
  }

  diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
  const resource = resourceFromAttributes({ "service.name": `sdk-node-${protocol}` });
  const { traces, metrics, logs } = exporters(protocol, endpoint);
  const signals = [
    ["traces", sendTraces, traces, records],
    ["metrics", sendMetrics, metrics, points],
    ["logs", sendLogs, logs, records],
  ];
  let good = true;
  for (const [signal, send, exporter, size] of signals) {
    const outcome = watch(exporter, size);
    await send(exporter, resource, items).catch((error) => console.error(`${signal}: ${error}`));
    console.log(`${signal}: ${outcome.taken} of ${items} taken, ${outcome.failed} failed`);
    good &&= outcome.taken === items;
  }
  return good ? 0 : 1;
}

process.exitCode = await main();
