//! Imports a module from a web server, and asks again and again whether it is another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use syntax::SourceFile;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Held;
use crate::{
    components::blocks::http_client::{HttpClient, HttpClientArguments, url},
    graph::{self, Module, Site},
};

/// Bytes of an answer that are read: what the parser takes, and some white space around it.
const ANSWER_BYTES_MAX: usize = syntax::FILE_BYTES_MAX + 1024;

/// What is asked, and how.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// The body of the request.
    #[attr(default)]
    body: String,
    /// Headers of the request.
    #[attr(default)]
    headers: BTreeMap<String, String>,
    /// The method of the request.
    #[attr(default = "GET")]
    method: String,
    /// How often the server is asked.
    #[attr(default = "1m")]
    poll_frequency: Duration,
    /// How long it may take to answer.
    #[attr(default = "10s")]
    poll_timeout: Duration,
    /// The address of the module.
    #[attr]
    url: String,
    /// How requests are sent, and in whose name.
    #[block(default)]
    client: HttpClientArguments,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let above_zero = |name, value: Duration| match value.is_zero() {
            true => Err((name, "must be above zero".to_owned())),
            false => Ok(()),
        };
        above_zero("poll_frequency", self.poll_frequency)?;
        above_zero("poll_timeout", self.poll_timeout)?;
        if self.poll_timeout >= self.poll_frequency {
            return Err((
                "poll_timeout",
                "must be less than poll_frequency".to_owned(),
            ));
        }
        self.request().map(drop)
    }

    fn request(&self) -> Result<Request<Bytes>, (&'static str, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong = |why: &str| ("headers", format!("has {name:?}, {why}"));
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| wrong("whose value cannot stand in a header"))?;
            let name = HeaderName::from_bytes(name.as_bytes());
            headers.insert(
                name.map_err(|_| wrong("which is no name of a header"))?,
                value,
            );
        }
        let method = Method::from_bytes(self.method.as_bytes());
        let method = method.map_err(|_| ("method", "is no method of HTTP".to_owned()))?;
        let mut request = Request::new(Bytes::from(self.body.clone()));
        *request.uri_mut() = self.address()?;
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn address(&self) -> Result<Uri, (&'static str, String)> {
        url(&self.url).map_err(|why| ("url", why))
    }
}

/// Asks for the module again and again.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    client: HttpClient,
    held: Held,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Module;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            client: HttpClient::new(&arguments.client)?,
            arguments,
            held: Held::new(site),
        })
    }

    fn exports(&self) -> Module {
        self.held.module()
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let frequency = self.arguments.poll_frequency;
        // It was asked just before.
        let mut poll = tokio::time::interval_at(Instant::now() + frequency, frequency);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = poll.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                fetched = self.ask() => self.held.take(fetched),
            }
        }
    }
}

impl graph::Import for Component {
    fn read(_: &Arguments, _: &str) -> Option<Result<Module, String>> {
        None
    }

    async fn fetch(&self) -> Result<(), String> {
        self.held.replace(self.ask().await?);
        Ok(())
    }
}

impl Component {
    async fn ask(&self) -> Result<Module, String> {
        let request = self.arguments.request();
        let request = request.map_err(|(name, why)| format!("{name} {why}"))?;
        let (url, limit) = (&self.arguments.url, self.arguments.poll_timeout);
        let asked = self.client.send_whole(request, limit, ANSWER_BYTES_MAX);
        let answer = asked.await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{url} answered {}", answer.status()));
        }
        let file = SourceFile::from_bytes(url.clone(), answer.body().trim_ascii());
        Ok(Module {
            files: vec![file],
            path: Some(folder_of(url).to_owned()),
            remote: true,
            secret: false,
        })
    }
}

/// A URL up to its last slash.
fn folder_of(url: &str) -> &str {
    url.rfind('/').map_or("", |at| &url[..=at])
}
