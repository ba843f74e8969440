//! The gateway's configuration for the demonstration, in Alloy's language.

use crate::sut::Wiring;

/// The component that sends to the gRPC backend.
pub(super) const GRPC_EXPORTER: &str = "otelcol.exporter.otlp.grpc";

/// The component that sends to the HTTP backend.
pub(super) const HTTP_EXPORTER: &str = "otelcol.exporter.otlphttp.http";

/// The text of `config.alloy`. Retries never end, so that an outage of any length loses nothing;
/// one exporter compresses and the other does not.
pub(super) fn text(wiring: &Wiring) -> String {
    let Wiring {
        grpc,
        http,
        backend_grpc,
        backend_http,
        ..
    } = wiring;
    format!(
        r#"otelcol.receiver.otlp "applications" {{
	grpc {{
		endpoint         = "{grpc}"
		include_metadata = true
	}}

	http {{
		endpoint         = "{http}"
		include_metadata = true
	}}

	output {{
		logs    = [{GRPC_EXPORTER}.input, {HTTP_EXPORTER}.input]
		metrics = [{GRPC_EXPORTER}.input, {HTTP_EXPORTER}.input]
		traces  = [{GRPC_EXPORTER}.input, {HTTP_EXPORTER}.input]
	}}
}}

otelcol.auth.headers "tenant" {{
	header {{
		key          = "X-Scope-OrgID"
		from_context = "X-Scope-OrgID"
	}}
}}

otelcol.exporter.otlp "grpc" {{
	client {{
		endpoint    = "{backend_grpc}"
		compression = "none"
		auth        = otelcol.auth.headers.tenant.handler

		tls {{
			insecure = true
		}}
	}}

	retry_on_failure {{
		initial_interval = "100ms"
		max_interval     = "1s"
		max_elapsed_time = "0s"
	}}

	sending_queue {{
		queue_size = 1000000
	}}
}}

otelcol.exporter.otlphttp "http" {{
	client {{
		endpoint    = "http://{backend_http}"
		compression = "gzip"
		auth        = otelcol.auth.headers.tenant.handler

		tls {{
			insecure = true
		}}
	}}

	retry_on_failure {{
		initial_interval = "100ms"
		max_interval     = "1s"
		max_elapsed_time = "0s"
	}}

	sending_queue {{
		queue_size = 1000000
	}}
}}
"#
    )
}
