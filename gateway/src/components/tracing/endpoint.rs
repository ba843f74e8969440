//! The endpoint outside that gets Corten's own spans, as the environment names it for every program
//! that speaks OpenTelemetry: `OTEL_EXPORTER_OTLP_*`.

use std::{env, fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::{
    net::{
        client::{Client, Settings},
        dial,
        proxy::Proxy,
        tls::{self, ClientTls, Pem},
    },
    telemetry::{quietly, resource},
};

/// How long one request may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise; the standard's
/// number.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection stays open between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// An exporter for that endpoint.
pub(super) struct Endpoint {
    exporter: SpanExporter,
}

impl Endpoint {
    /// The endpoint that the environment names, if it does.
    ///
    /// # Errors
    /// Which variable asks for what is not there.
    pub(super) fn from_environment() -> Result<Option<Self>, String> {
        if variable("ENDPOINT").is_none() {
            return Ok(None);
        }
        match variable("PROTOCOL") {
            None => {}
            Some((_, protocol)) if protocol == "http/protobuf" => {}
            Some((name, protocol)) => {
                return Err(format!(
                    "{name}={protocol} is not supported for Corten's own spans: use http/protobuf, \
                     or write_to with an otelcol.exporter.otlp"
                ));
            }
        }
        let client = Outside {
            client: client()?,
            timeout: timeout()?,
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build();
        let mut exporter =
            exporter.map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"))?;
        exporter.set_resource(&resource());
        Ok(Some(Self { exporter }))
    }

    /// Sends spans once; false if they did not arrive.
    pub(super) async fn send(&self, spans: Vec<SpanData>) -> bool {
        let sent = quietly(self.exporter.export(spans)).await;
        if let Err(error) = &sent {
            quietly(async { tracing::warn!(block = "tracing", "cannot send spans: {error}") })
                .await;
        }
        sent.is_ok()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Endpoint")
    }
}

/// A variable for traces alone, or the one for all signals, by its name and value.
fn variable(what: &str) -> Option<(String, String)> {
    let names = [
        format!("OTEL_EXPORTER_OTLP_TRACES_{what}"),
        format!("OTEL_EXPORTER_OTLP_{what}"),
    ];
    names.into_iter().find_map(|name| {
        let value = env::var(&name).ok().filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}

fn timeout() -> Result<Duration, String> {
    let Some((name, value)) = variable("TIMEOUT") else {
        return Ok(TIMEOUT);
    };
    let milliseconds = value
        .parse()
        .map_err(|_| format!("{name}={value} is not a number of milliseconds"))?;
    Ok(Duration::from_millis(milliseconds))
}

fn client() -> Result<Client, String> {
    let pem = |what: &str| variable(what).map(|(_, path)| Pem::File(PathBuf::from(path)));
    let settings = tls::Settings {
        ca: pem("CERTIFICATE"),
        certificate: pem("CLIENT_CERTIFICATE"),
        key: pem("CLIENT_KEY"),
        ..tls::Settings::default()
    };
    let is_encrypted =
        variable("ENDPOINT").is_some_and(|(_, endpoint)| endpoint.starts_with("https:"));
    let tls = is_encrypted.then(|| ClientTls::new(settings, false, &["h2", "http/1.1"]));
    let dial = dial::Settings {
        tls: tls.transpose()?.map(Arc::new),
        proxy: Some(Proxy::from_environment()),
        ..dial::Settings::default()
    };
    Ok(Client::new(Settings {
        dial,
        idle_per_host: 1,
        idle_timeout: Some(IDLE_TIMEOUT),
        ping_interval: None,
        ping_timeout: TIMEOUT,
        cookies: false,
    }))
}

/// The exporter's requests through the client that everything else goes through.
struct Outside {
    client: Client,
    timeout: Duration,
}

impl fmt::Debug for Outside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outside")
    }
}

impl HttpClient for Outside {
    fn send_bytes<'client, 'answer>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            let request = request.map(Full::new);
            let answer = self.client.send(request, self.timeout).await?;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
