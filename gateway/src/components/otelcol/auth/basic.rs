//! Authenticates by user name and password: adds them to requests, or demands them of clients.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use syntax::Secret;
use tokio::time::Instant;

use super::super::{
    DebugMetrics,
    handler::{ClientAuth, Handler, HandlerExports, Identity, ServerAuth, attribute_key},
};
use crate::{
    batch::{Metadata, Refusal},
    graph::{self, Site},
};

/// How long the content of a credentials file is used before the file is looked at again: soon
/// enough for a rotation, seldom enough to cost nothing.
const FILE_AGE: Duration = Duration::from_secs(5);

/// The credentials of exporters and those that receivers demand.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Deprecated: the password of `username`.
    #[attr]
    password: Option<Secret>,
    /// Deprecated: a user for both sides. Use `client_auth` and `htpasswd` instead.
    #[attr]
    username: Option<String>,
    /// What exporters send.
    #[block]
    client_auth: Option<ClientBlock>,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
    /// Whom receivers let in.
    #[block]
    htpasswd: Option<Htpasswd>,
}

/// The credentials that exporters send. Files are read again when they change, and win over values.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct ClientBlock {
    /// The password.
    #[attr]
    password: Option<Secret>,
    /// Path of a file with the password.
    #[attr(file)]
    password_file: Option<String>,
    /// The user's name.
    #[attr]
    username: Option<String>,
    /// Path of a file with the user's name.
    #[attr(file)]
    username_file: Option<String>,
}

/// Users and passwords in the format of `htpasswd`, one `name:password` a line. Passwords in plain
/// text are understood; hashed ones are refused by the name of their hash.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Htpasswd {
    /// Path of a file, which is read when the component is built.
    #[attr(file)]
    file: Option<String>,
    /// The lines themselves, which win over those of the file.
    #[attr]
    inline: Option<String>,
}

impl Htpasswd {
    /// Why nobody would be let in.
    fn nobody(&self) -> String {
        match self.file.as_ref().filter(|path| !path.is_empty()) {
            Some(path) => format!("htpasswd: {path} names no user, it needs a line name:password"),
            None => "htpasswd names no user: set file, or inline to lines name:password".to_owned(),
        }
    }
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let Self {
            username,
            password,
            client_auth,
            htpasswd,
            ..
        } = self;
        if username.is_some() && password.is_none() {
            return Err(("username", "needs a password".to_owned()));
        }
        if username.is_none() && client_auth.is_none() && htpasswd.is_none() {
            let reason = "nobody is named: set a client_auth or htpasswd block";
            return Err(("username", reason.to_owned()));
        }
        Ok(())
    }
}

/// Holds the handler.
#[derive(Debug)]
pub struct Component {
    handler: Handler,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = HandlerExports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let client = Client::new(&arguments)?.map(|client| Arc::new(client) as Arc<dyn ClientAuth>);
        let server = Users::new(&arguments)?.map(|users| Arc::new(users) as Arc<dyn ServerAuth>);
        Ok(Self {
            handler: Handler::auth(site.id(), client, server),
        })
    }

    fn exports(&self) -> HandlerExports {
        HandlerExports {
            handler: self.handler.clone(),
        }
    }
}

// === the client's side ===

struct Client {
    username: Text,
    password: Text,
}

impl Client {
    fn new(arguments: &Arguments) -> Result<Option<Self>, String> {
        let (username, password) = match &arguments.client_auth {
            Some(block) => (
                Text::new(block.username_file.as_ref(), block.username.as_deref()),
                Text::new(
                    block.password_file.as_ref(),
                    expose(block.password.as_ref()),
                ),
            ),
            None => (
                Text::new(None, arguments.username.as_deref()),
                Text::new(None, expose(arguments.password.as_ref())),
            ),
        };
        match (username, password) {
            (Some(username), Some(password)) => Ok(Some(Self { username, password })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err("client_auth has a password and no username".to_owned()),
            (Some(_), None) => Err("client_auth has a username and no password".to_owned()),
        }
    }
}

fn expose(secret: Option<&Secret>) -> Option<&str> {
    secret.map(Secret::expose)
}

impl ClientAuth for Client {
    fn apply(&self, _metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), String> {
        let pair = format!("{}:{}", self.username.get()?, self.password.get()?);
        let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            .map_err(|_| "the credentials are too long for a header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// A text that is given, or that stands in a file and may change there.
enum Text {
    Given(String),
    File(PathBuf, Mutex<Option<(Instant, String)>>),
}

impl Text {
    fn new(file: Option<&String>, text: Option<&str>) -> Option<Self> {
        let file = file.filter(|path| !path.is_empty());
        match file {
            Some(path) => Some(Self::File(path.into(), Mutex::default())),
            None => text
                .filter(|text| !text.is_empty())
                .map(|text| Self::Given(text.to_owned())),
        }
    }

    fn get(&self) -> Result<String, String> {
        let (path, cell) = match self {
            Self::Given(text) => return Ok(text.clone()),
            Self::File(path, cell) => (path, cell),
        };
        let mut known = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, text)) = &*known
            && read.elapsed() < FILE_AGE
        {
            return Ok(text.clone());
        }
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = text.trim().to_owned();
                *known = Some((Instant::now(), text.clone()));
                Ok(text)
            }
            // A file that is just being replaced must not cost a request.
            Err(error) => known
                .as_ref()
                .map(|(_, text)| text.clone())
                .ok_or_else(|| format!("cannot read {}: {error}", path.display())),
        }
    }
}

// === the server's side ===

struct Users(HashMap<String, Secret>);

impl Users {
    fn new(arguments: &Arguments) -> Result<Option<Self>, String> {
        let mut users = Self(HashMap::new());
        if let Some(Htpasswd { file, inline }) = &arguments.htpasswd {
            if let Some(path) = file.as_ref().filter(|path| !path.is_empty()) {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read {path}: {error}"))?;
                users.add(&text)?;
            }
            users.add(inline.as_deref().unwrap_or_default())?;
        }
        if let (Some(username), Some(password)) = (&arguments.username, &arguments.password) {
            users.0.insert(username.clone(), password.clone());
        }
        if let Some(htpasswd) = &arguments.htpasswd
            && users.0.is_empty()
        {
            return Err(htpasswd.nobody());
        }
        Ok(Some(users).filter(|users| !users.0.is_empty()))
    }

    fn add(&mut self, lines: &str) -> Result<(), String> {
        let lines = lines.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((name, password)) = line.split_once(':') else {
                return Err("htpasswd has a line that is not name:password".to_owned());
            };
            if let Some(hash) = hash_of(password) {
                return Err(format!(
                    "htpasswd has a password of user {name:?} that is hashed by {hash}, which is \
                     not supported; give it in plain text through a secret, or use \
                     otelcol.auth.bearer"
                ));
            }
            self.0.insert(name.to_owned(), Secret::new(password));
        }
        Ok(())
    }
}

/// The hash that a password of an htpasswd file is written in.
fn hash_of(password: &str) -> Option<&'static str> {
    let hashes = [
        ("$2a$", "bcrypt"),
        ("$2b$", "bcrypt"),
        ("$2y$", "bcrypt"),
        ("$apr1$", "MD5"),
        ("$1$", "MD5"),
        ("$5$", "SHA-256"),
        ("$6$", "SHA-512"),
        ("{SHA}", "SHA-1"),
        ("{SSHA}", "salted SHA-1"),
    ];
    hashes
        .iter()
        .find(|(prefix, _)| password.starts_with(prefix))
        .map(|(_, hash)| *hash)
}

impl ServerAuth for Users {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let sent = super::credentials(headers, &AUTHORIZATION, "Basic");
        let decoded = sent.and_then(|sent| BASE64_STANDARD.decode(sent.trim()).ok());
        let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(super::unauthenticated());
        };
        match self.0.get(name) {
            Some(known) if super::equal(known.expose().as_bytes(), password.as_bytes()) => {
                Ok(vec![(attribute_key("username"), name.to_owned())])
            }
            _ => Err(super::unauthenticated()),
        }
    }

    fn challenge(&self) -> &str {
        "Basic realm=\"corten\", charset=\"UTF-8\""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(username: Option<&str>, inline: Option<&str>) -> Arguments {
        Arguments {
            username: username.map(str::to_owned),
            password: username.map(|_| Secret::new("sesame")),
            client_auth: None,
            debug_metrics: None,
            htpasswd: inline.map(|text| Htpasswd {
                file: None,
                inline: Some(text.to_owned()),
            }),
        }
    }

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn what_a_client_adds_a_server_knows() {
        let arguments = arguments(Some("bob"), None);
        let mut headers = HeaderMap::new();
        let client = Client::new(&arguments).unwrap().unwrap();
        client.apply(&Metadata::default(), &mut headers).unwrap();
        assert_eq!(headers[AUTHORIZATION], "Basic Ym9iOnNlc2FtZQ==");
        assert!(headers[AUTHORIZATION].is_sensitive());
        let users = Users::new(&arguments).unwrap().unwrap();
        let identity = vec![(":auth.username".to_owned(), "bob".to_owned())];
        assert_eq!(users.authenticate(&headers), Ok(identity));
    }

    #[test]
    fn everybody_else_is_refused() {
        let users = Users::new(&arguments(None, Some("bob:a:b\n# no one\n\n eve:x "))).unwrap();
        let users = users.unwrap();
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for (value, known) in [
            (basic("bob:a:b"), true),
            (basic("eve:x"), true),
            (basic("bob:a"), false),
            (basic("bob"), false),
            (basic(":"), false),
            (basic("# no one:"), false),
            (basic("mallory:x"), false),
            ("Basic !!!".to_owned(), false),
            ("Bearer x".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(
                users.authenticate(&headers(&value)).is_ok(),
                known,
                "{value}"
            );
        }
        assert!(users.authenticate(&HeaderMap::new()).is_err());
    }

    #[test]
    fn hashes_are_refused_by_name() {
        for (line, hash) in [
            ("a:$2y$05$x", "bcrypt"),
            ("a:{SHA}x", "SHA-1"),
            ("a:$6$x", "SHA-512"),
        ] {
            let refusal = Users::new(&arguments(None, Some(line))).err().unwrap();
            assert!(refusal.contains(hash), "{refusal}");
        }
        assert!(Users::new(&arguments(None, Some("nonsense"))).is_err());
    }

    #[test]
    fn an_htpasswd_without_users_is_refused() {
        let empty = |text| Users::new(&arguments(None, Some(text))).err().unwrap();
        assert!(empty("").contains("set file, or inline"));
        assert!(empty("\n# bob:sesame\n").contains("names no user"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        std::fs::write(&path, "\n").unwrap();
        let mut arguments = arguments(None, Some(""));
        let file = Some(path.display().to_string());
        arguments.htpasswd = Some(Htpasswd { file, inline: None });
        let refusal = Users::new(&arguments).err().unwrap();
        assert!(refusal.contains(path.to_str().unwrap()), "{refusal}");
        // The deprecated pair is somebody.
        arguments.username = Some("bob".to_owned());
        arguments.password = Some(Secret::new("sesame"));
        assert!(Users::new(&arguments).unwrap().is_some());
    }

    #[test]
    fn somebody_must_be_named() {
        assert_eq!(arguments(Some("bob"), None).check(), Ok(()));
        assert!(arguments(None, None).check().is_err());
        let lonely = Arguments {
            password: None,
            ..arguments(Some("bob"), None)
        };
        assert_eq!(lonely.check().unwrap_err().0, "username");
        let half = ClientBlock {
            password: Some(Secret::new("x")),
            password_file: None,
            username: None,
            username_file: None,
        };
        let half = Arguments {
            client_auth: Some(half),
            ..arguments(None, None)
        };
        assert!(Client::new(&half).is_err());
    }

    #[test]
    fn files_are_read_when_they_are_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let text = Text::new(Some(&path.display().to_string()), Some("given")).unwrap();
        assert!(text.get().unwrap_err().contains("cannot read"));
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(text.get().as_deref(), Ok("first"));
        if let Text::File(_, cell) = &text {
            let old = Instant::now() - FILE_AGE;
            *cell.lock().unwrap() = Some((old, "first".to_owned()));
        }
        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(text.get().as_deref(), Ok("second"));
    }
}
