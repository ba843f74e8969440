//! One request to a target: its answer is read as it comes, and never held as a whole.

use std::io::Write;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use protos::prometheus::exposition::{Options, Parser};

use super::{
    collect::Collector,
    protocol::{Protocol, format},
    target::Resolved,
};
use crate::components::blocks::http_client::HttpClient;

/// Tells the target how long it may take.
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// Compressed bytes that are inflated at once, before what came out is counted and read: at most a
/// thousand times as many.
const INFLATE_BYTES: usize = 4096;

/// Bytes of a request that one scrape may become, whatever its arguments allow: an answer without end
/// would become one until the time is up.
const WRITTEN_BYTES_MAX: usize = 512 << 20;

/// What is the same for every request to the targets of a component.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) client: HttpClient,
    pub(super) headers: HeaderMap,
    pub(super) fallback: Protocol,
    pub(super) options: Options,
    /// Bytes that an answer may have; 0 is no bound.
    pub(super) body_bytes_max: u64,
}

/// Why an answer counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// A sentence.
    pub(super) message: String,
    /// Whether the answer was too large.
    pub(super) is_too_large: bool,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self {
            message,
            is_too_large: false,
        }
    }
}

impl Exchange {
    /// Asks a target; its bytes go to the collector. How many there were.
    ///
    /// # Errors
    /// If the target does not answer, or with something that cannot be taken.
    pub(super) async fn ask(
        &self,
        target: &Resolved,
        collector: &mut Collector,
    ) -> Result<u64, Failure> {
        let mut headers = self.headers.clone();
        // Exporters that ask others themselves give up before they are given up.
        let seconds = target.timeout.as_secs_f64().to_string();
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            headers.insert(TIMEOUT_HEADER, value);
        }
        let response = self.client.get(&target.url, &headers).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()).into());
        }
        let text = |name| {
            let value = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let format = format(text(header::CONTENT_TYPE), self.fallback);
        let mut reader = Reader {
            parser: Parser::new(format, self.options),
            bytes: 0,
            bytes_max: self.body_bytes_max,
        };
        let mut inflater = match text(header::CONTENT_ENCODING) {
            "" | "identity" => None,
            "gzip" => Some(MultiGzDecoder::new(Vec::new())),
            other => return Err(format!("it answered in {other:?}, which nobody asked for").into()),
        };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
            if let Ok(data) = frame.into_data() {
                match &mut inflater {
                    None => reader.take(&data, collector)?,
                    Some(inflater) => inflate(inflater, &data, &mut reader, collector)?,
                }
            }
        }
        if let Some(mut inflater) = inflater {
            inflater.try_finish().map_err(broken)?;
            reader.take(inflater.get_ref(), collector)?;
        }
        reader.parser.finish();
        reader.drain(collector)?;
        Ok(reader.bytes)
    }
}

fn broken(error: std::io::Error) -> Failure {
    format!("its gzip is broken: {error}").into()
}

fn inflate(
    inflater: &mut MultiGzDecoder<Vec<u8>>,
    data: &Bytes,
    reader: &mut Reader,
    collector: &mut Collector,
) -> Result<(), Failure> {
    for piece in data.chunks(INFLATE_BYTES) {
        inflater.write_all(piece).map_err(broken)?;
        inflater.flush().map_err(broken)?;
        reader.take(inflater.get_ref(), collector)?;
        inflater.get_mut().clear();
    }
    Ok(())
}

/// An answer that is being read.
struct Reader {
    parser: Parser,
    bytes: u64,
    bytes_max: u64,
}

impl Reader {
    fn take(&mut self, plain: &[u8], collector: &mut Collector) -> Result<(), Failure> {
        self.bytes += plain.len() as u64;
        if self.bytes_max > 0 && self.bytes > self.bytes_max {
            return Err(Failure {
                message: format!(
                    "its answer is larger than body_size_limit = {}",
                    self.bytes_max
                ),
                is_too_large: true,
            });
        }
        self.parser.feed(plain);
        self.drain(collector)
    }

    fn drain(&mut self, collector: &mut Collector) -> Result<(), Failure> {
        loop {
            let next = self.parser.next_expecting(collector.expected());
            let Some(entry) = next.map_err(|error| error.to_string())? else {
                break;
            };
            collector.take(&entry)?;
        }
        if collector.written_bytes() > WRITTEN_BYTES_MAX {
            return Err(Failure {
                message: format!(
                    "its series take more than {WRITTEN_BYTES_MAX} bytes: set sample_limit or \
                     body_size_limit"
                ),
                is_too_large: true,
            });
        }
        Ok(())
    }
}
