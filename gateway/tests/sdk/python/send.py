"""Sends traces, metrics and logs with the official Python SDK and says whether they were taken.

The SDK logs a failed export and drops it, so each exporter is watched: the exit code is 0 only if
every item of every signal was exported with success. Headers, compression and timeouts are set as
in any application, by the SDK's own OTEL_EXPORTER_OTLP_* variables.
"""

import argparse
import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SCOPE = "corten.sdk.python"

# Longer than any run: every export is an explicit flush, so that the outcome is known at the end.
NEVER_MS = 3_600_000


class Outcome:
    """How many items of a signal were taken and how many were not."""

    def __init__(self):
        self.taken = 0
        self.failed = 0

    def watch(self, exporter, size):
        """Counts what `exporter` exports, by the `size` of each batch."""
        export = exporter.export

        def counted(batch, *args, **kwargs):
            result = export(batch, *args, **kwargs)
            if result.name == "SUCCESS":
                self.taken += size(batch)
            else:
                self.failed += size(batch)
            return result

        exporter.export = counted
        return exporter


def points(batch):
    """The number of data points in a batch of metrics."""
    return sum(
        len(metric.data.data_points)
        for resource in batch.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def exporters(protocol, endpoint):
    """The exporters for traces, metrics and logs."""
    if protocol == "grpc":
        kinds = GrpcSpanExporter, GrpcMetricExporter, GrpcLogExporter
        return [kind(endpoint=endpoint) for kind in kinds]
    base = endpoint.rstrip("/")
    return [
        HttpSpanExporter(endpoint=f"{base}/v1/traces"),
        HttpMetricExporter(endpoint=f"{base}/v1/metrics"),
        HttpLogExporter(endpoint=f"{base}/v1/logs"),
    ]


def send_traces(exporter, resource, items):
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(SCOPE)
    for item in range(items):
        with tracer.start_as_current_span("work", attributes={"item": item}):
            pass
    provider.force_flush()
    provider.shutdown()


def send_metrics(exporter, resource, items):
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER_MS)
    provider = MeterProvider(resource=resource, metric_readers=[reader])
    counter = provider.get_meter(SCOPE).create_counter("work.done", unit="{item}")
    for item in range(items):
        counter.add(1, {"item": item})
    # Shutting down collects once more and exports that: flushing before would send points twice.
    provider.shutdown()


def send_logs(exporter, resource, items):
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger(SCOPE)
    for item in range(items):
        logger.emit(
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=f"item {item} done",
            attributes={"item": item},
        )
    provider.force_flush()
    provider.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=["grpc", "http"])
    parser.add_argument("endpoint", help="base URL, such as http://127.0.0.1:4317")
    parser.add_argument("--items", type=int, default=100, help="spans, points and records to send")
    arguments = parser.parse_args()

    resource = Resource.create({"service.name": f"sdk-python-{arguments.protocol}"})
    signals = [
        ("traces", send_traces, len),
        ("metrics", send_metrics, points),
        ("logs", send_logs, len),
    ]
    good = True
    for (signal, send, size), exporter in zip(
        signals, exporters(arguments.protocol, arguments.endpoint)
    ):
        outcome = Outcome()
        send(outcome.watch(exporter, size), resource, arguments.items)
        print(f"{signal}: {outcome.taken} of {arguments.items} taken, {outcome.failed} failed")
        good = good and outcome.taken == arguments.items
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
