//! One HTTP GET, for probes and metrics.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{Error, error::Context};

/// The most that is read of an answer: more than any metrics page of a tier under test.
const BODY_BYTES_MAX: usize = 64 << 20;

/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The status and the text at `http://{address}{path}`.
pub async fn get(address: &str, path: &str) -> Result<(u16, String), Error> {
    let doing = || format!("get http://{address}{path}");
    timeout(TIMEOUT, exchange(address, path))
        .await
        .context(doing)?
        .context(doing)
}

async fn exchange(
    address: &str,
    path: &str,
) -> Result<(u16, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(header::HOST, address)
        .body(Empty::<Bytes>::new())?;
    let task = tokio::spawn(connection);
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await?
            .to_bytes();
        Ok((
            head.status.as_u16(),
            String::from_utf8_lossy(&body).into_owned(),
        ))
    };
    let answer = answer.await;
    task.abort();
    answer
}
