//! The `oauth2` block: a token that is fetched with client credentials (RFC 6749, section 4.4) and kept
//! until it expires.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use syntax::Secret;
use tokio::time::Instant;

use super::{
    ProxyArguments, TlsConfig, Wrong,
    credential::{Credential, once},
    settings,
};
use crate::net::client::{Answer, Client, USER_AGENT};

/// How long the server that gives out tokens may take.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A token is not used in its last moments: the request is under way for a while.
const MARGIN: Duration = Duration::from_secs(10);

/// How long a token is kept of which nobody says how long it is good.
const LIFETIME: Duration = Duration::from_secs(60);

/// Longest time that a token is believed to be good; also keeps absurd answers out of arithmetic.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// What stands in a form as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A token that is fetched with client credentials.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct OAuth2 {
    /// Name of the client.
    #[attr(default)]
    pub client_id: String,
    /// Secret of the client.
    #[attr]
    pub client_secret: Option<Secret>,
    /// Path of a file with that secret, read for each token.
    #[attr(file, default)]
    pub client_secret_file: String,
    /// Further parameters for the server that gives out tokens.
    #[attr(default)]
    pub endpoint_params: BTreeMap<String, String>,
    /// Addresses, networks and domains that are asked without the proxy, with commas between them.
    #[attr(default)]
    pub no_proxy: String,
    /// Headers for the proxy when a tunnel is asked for.
    #[attr(default)]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    /// Whether the proxy is the one that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    #[attr(default = false)]
    pub proxy_from_environment: bool,
    /// Proxy for all requests, `http://host:port`.
    #[attr(default)]
    pub proxy_url: String,
    /// What the token is to be good for.
    #[attr(default)]
    pub scopes: Vec<String>,
    /// Where tokens are given out.
    #[attr(default)]
    pub token_url: String,
    /// Whom to trust, and which certificate to show, where tokens are given out.
    #[block]
    pub tls_config: Option<TlsConfig>,
}

impl OAuth2 {
    fn check(&self) -> Result<(), Wrong> {
        let missing = |argument| Err((argument, "is required".to_owned()));
        if self.client_id.is_empty() {
            return missing("client_id");
        }
        if self.client_secret.is_none() && self.client_secret_file.is_empty() {
            return missing("client_secret");
        }
        if self.token_url.is_empty() {
            return missing("token_url");
        }
        url(&self.token_url).map_err(|why| ("token_url", why))?;
        once(
            "client_secret",
            self.client_secret.as_ref(),
            &self.client_secret_file,
        )?;
        self.proxy().check()
    }

    fn proxy(&self) -> ProxyArguments<'_> {
        ProxyArguments {
            url: &self.proxy_url,
            no_proxy: &self.no_proxy,
            from_environment: self.proxy_from_environment,
            headers: &self.proxy_connect_header,
        }
    }
}

/// A URL to which requests can be sent.
pub fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text
        .parse()
        .map_err(|_| "is no URL: write http://host:port/path".to_owned())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("must begin with http:// or https://".to_owned());
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    match (uri.host(), authority.contains('@')) {
        (None | Some(""), _) => Err("lacks the host".to_owned()),
        (_, true) => Err("holds a user's name, which belongs into basic_auth".to_owned()),
        _ => Ok(uri),
    }
}

/// The token of a client.
pub(super) struct Token {
    client: Client,
    url: Uri,
    id: String,
    secret: Credential,
    /// What is asked for, as a form.
    form: String,
    /// Whether the server wants name and secret in the form instead of a header.
    in_form: AtomicBool,
    kept: Mutex<Option<(Secret, Instant)>>,
    /// One request at a time asks for a token; the others wait for what it gets.
    asking: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token({})", self.url)
    }
}

/// An answer with a token.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    /// Seconds. Some servers write it in quotes.
    expires_in: Option<serde_json::Value>,
}

impl Token {
    pub(super) fn new(block: &OAuth2) -> Result<Self, String> {
        let settings = settings(block.proxy(), block.tls_config.as_ref(), true)
            .map_err(|error| format!("oauth2: {error}"))?;
        let mut form = "grant_type=client_credentials".to_owned();
        if !block.scopes.is_empty() {
            add(&mut form, "scope", &block.scopes.join(" "));
        }
        for (name, value) in &block.endpoint_params {
            add(&mut form, name, value);
        }
        Ok(Self {
            client: Client::new(settings),
            url: url(&block.token_url).map_err(|why| format!("oauth2: token_url {why}"))?,
            id: block.client_id.clone(),
            secret: Credential::new(block.client_secret.as_ref(), &block.client_secret_file),
            form,
            in_form: AtomicBool::new(false),
            kept: Mutex::new(None),
            asking: tokio::sync::Mutex::new(()),
        })
    }

    /// A token that is good now.
    ///
    /// # Errors
    /// If none is given out.
    pub(super) async fn get(&self) -> Result<Secret, String> {
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        let _turn = self.asking.lock().await;
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        let failed = |why: String| format!("no token from {}: {why}", self.url);
        let answer = self.ask().await.map_err(failed)?;
        if answer.status != StatusCode::OK {
            return Err(failed(format!("it answered {}", answer.status)));
        }
        let given: Given = serde_json::from_slice(&answer.body)
            .map_err(|_| failed("its answer is not JSON with an access_token".to_owned()))?;
        let token = Secret::new(given.access_token);
        let seconds = given.expires_in.and_then(|value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        });
        let lifetime = match seconds {
            Some(seconds) if seconds > 0.0 => {
                Duration::from_secs_f64(seconds.min(LIFETIME_MAX.as_secs_f64()))
            }
            _ => LIFETIME,
        };
        let until = Instant::now() + lifetime.saturating_sub(MARGIN);
        *self.lock() = Some((token.clone(), until));
        Ok(token)
    }

    /// Forgets the token: it was refused.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn kept(&self) -> Option<Secret> {
        let kept = self.lock();
        let (token, until) = kept.as_ref()?;
        (Instant::now() < *until).then(|| token.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Secret, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a token, in the way that the server takes: the header is the one that all must know,
    /// and some know only the form.
    async fn ask(&self) -> Result<Answer, String> {
        let secret = self.secret.read().await?;
        let in_form = self.in_form.load(Ordering::Relaxed);
        let answer = self.post(&secret, in_form).await?;
        let is_refused = matches!(
            answer.status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED
        );
        if !is_refused || in_form {
            return Ok(answer);
        }
        let second = self.post(&secret, true).await?;
        self.in_form
            .store(second.status == StatusCode::OK, Ordering::Relaxed);
        Ok(second)
    }

    async fn post(&self, secret: &Secret, in_form: bool) -> Result<Answer, String> {
        let mut form = self.form.clone();
        let mut request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        if in_form {
            add(&mut form, "client_id", &self.id);
            add(&mut form, "client_secret", secret.expose());
        } else {
            let (name, word) = (encode(&self.id), encode(secret.expose()));
            let text = format!("Basic {}", STANDARD.encode(format!("{name}:{word}")));
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| "the client's secret cannot stand in a header".to_owned())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| error.to_string())?;
        let answer = self.client.send(request, TOKEN_TIMEOUT).await;
        answer.map_err(|error| error.to_string())
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

fn add(form: &mut String, name: &str, value: &str) {
    form.push('&');
    form.push_str(&encode(name));
    form.push('=');
    form.push_str(&encode(value));
}
