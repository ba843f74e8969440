//! Sets how the admin server encrypts and whom it lets in.

use std::{path::PathBuf, sync::Arc, time::Duration};

use syntax::Secret;
use tokio_util::sync::CancellationToken;

use crate::{
    graph::{self, Site},
    net::{
        client_certificates::ClientCertificates,
        gate::{Hold, Lock},
        server::Versions,
        tls::{Pem, ServerTls, Settings},
    },
};

/// How old a certificate may be that a connection is shown: who has renewed it looks at once
/// whether it is there, and reading two small files each second costs nothing.
const CERTIFICATE_AGE: Duration = Duration::from_secs(1);

/// The `http` block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// Who may use the admin server.
    #[block]
    auth: Option<Auth>,
    /// How its connections are encrypted. Those that are open already stay as they are.
    #[block]
    tls: Option<Tls>,
}

/// Who may use the admin server.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Auth {
    /// A user who is asked for; without it, everybody is let in.
    #[block]
    basic: Option<Basic>,
    /// For which paths the user is asked for; for all without it.
    #[block]
    filter: Option<Filter>,
}

/// The one user.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Basic {
    /// The user's name.
    #[attr]
    username: String,
    /// The user's password.
    #[attr]
    password: Secret,
}

/// The paths for which the user is asked for.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Filter {
    /// How the paths begin.
    #[attr(default)]
    paths: Vec<String>,
    /// Whether the user is asked for at these paths, or at all others.
    #[attr(default = true)]
    authenticate_matching_paths: bool,
}

/// How the admin server encrypts.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Tls {
    /// The server's certificate with its chain, in PEM form.
    #[attr]
    cert_pem: Option<String>,
    /// Path of the server's certificate. It is read again when it changes.
    #[attr(file)]
    cert_file: Option<String>,
    /// The key of the certificate, in PEM form.
    #[attr]
    key_pem: Option<Secret>,
    /// Path of the key of the certificate. It is read again when it changes.
    #[attr(file)]
    key_file: Option<String>,
    /// The authorities that may vouch for clients, in PEM form.
    #[attr]
    client_ca_pem: Option<String>,
    /// Path of a file with the authorities that may vouch for clients.
    #[attr(file)]
    client_ca_file: Option<String>,
    /// Whether clients are asked for a certificate, and what is made of it.
    #[attr(default = "NoClientCert")]
    client_auth_type: ClientAuthType,
    /// Names of TLS 1.2 cipher suites to offer, all safe ones when empty. Suites of TLS 1.3 are
    /// always offered.
    #[attr(default)]
    cipher_suites: Vec<String>,
    /// Key exchange groups to offer, best first: `X25519`, `CurveP256`, `CurveP384`; all when empty.
    #[attr(default)]
    curve_preferences: Vec<String>,
    /// Oldest version to speak: `TLS12` or `TLS13`.
    #[attr(default = "TLS12")]
    min_version: String,
    /// Newest version to speak: `TLS12` or `TLS13`.
    #[attr(default = "TLS13")]
    max_version: String,
    /// Certificates from the store of Windows; refused, for Corten does not run there.
    #[block]
    windows_certificate_filter: Option<WindowsCertificateFilter>,
}

/// What is made of clients' certificates.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthType {
    /// They are not asked for.
    #[keyword("NoClientCert")]
    NoClientCert,
    /// They are asked for; whatever is shown is believed.
    #[keyword("RequestClientCert")]
    RequestClientCert,
    /// Clients without one are turned away; whatever is shown is believed.
    #[keyword("RequireAnyClientCert")]
    RequireAnyClientCert,
    /// They are asked for, and one that is shown must be vouched for.
    #[keyword("VerifyClientCertIfGiven")]
    VerifyClientCertIfGiven,
    /// Clients without one that is vouched for are turned away.
    #[keyword("RequireAndVerifyClientCert")]
    RequireAndVerifyClientCert,
}

/// What is looked for in the certificate store of Windows.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct WindowsCertificateFilter {
    /// The server's certificate.
    #[block]
    pub server: Option<WindowsServerFilter>,
    /// Clients' certificates.
    #[block]
    pub client: Option<WindowsClientFilter>,
}

/// The server's certificate in the store of Windows.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct WindowsServerFilter {
    /// The store.
    #[attr(default)]
    pub store: String,
    /// The system's store.
    #[attr(default)]
    pub system_store: String,
    /// Common names of the issuer.
    #[attr(default)]
    pub issuer_common_names: Vec<String>,
    /// The template's identifier.
    #[attr(default)]
    pub template_id: String,
    /// How often to look for a new certificate.
    #[attr(default = "5m")]
    pub refresh_interval: Duration,
}

/// Clients' certificates in the store of Windows.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct WindowsClientFilter {
    /// Common names of the issuer.
    #[attr(default)]
    pub issuer_common_names: Vec<String>,
    /// What the subject must look like.
    #[attr(default)]
    pub subject_regex: String,
    /// The template's identifier.
    #[attr(default)]
    pub template_id: String,
}

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The settings, applied when it runs.
#[derive(Debug)]
pub struct Component {
    hold: Hold,
    tls: Option<Arc<ServerTls>>,
    lock: Option<Arc<Lock>>,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let tls = arguments.tls.as_ref().map(Tls::server).transpose();
        let tls = tls.map_err(|error| format!("tls: {error}"))?;
        Ok(Self {
            hold: site.services().gate().hold(),
            tls: tls.map(Arc::new),
            lock: arguments.auth.and_then(Auth::lock).map(Arc::new),
        })
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        self.hold.apply(self.tls.clone(), self.lock.clone());
        // The gate is let go when the component is gone, not when it stops: whoever comes next
        // holds it by then.
        stop.cancelled().await;
        Ok(())
    }
}

impl Auth {
    fn lock(self) -> Option<Lock> {
        let Basic { username, password } = self.basic?;
        let (paths, covers_paths) = match self.filter {
            Some(filter) => (filter.paths, filter.authenticate_matching_paths),
            None => (Vec::new(), false),
        };
        if covers_paths && paths.is_empty() {
            tracing::warn!(
                "the http block has a filter without paths, so nobody is asked for the user; set \
                 paths, or authenticate_matching_paths = false"
            );
        }
        Some(Lock::new(&username, password.expose(), paths, covers_paths))
    }
}

impl Tls {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.windows_certificate_filter.is_some() {
            let reason = "is not supported: Corten does not run on Windows, use cert_file and \
                          key_file";
            return Err(("windows_certificate_filter", reason.to_owned()));
        }
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let has_key = self
            .key_pem
            .as_ref()
            .is_some_and(|key| !key.expose().is_empty());
        let (has_client_ca, has_client_ca_file) =
            (has(&self.client_ca_pem), has(&self.client_ca_file));
        for (name, text, file) in [
            ("client_ca_pem", has_client_ca, has_client_ca_file),
            ("cert_pem", has(&self.cert_pem), has(&self.cert_file)),
            ("key_pem", has_key, has(&self.key_file)),
        ] {
            let other = name.replace("_pem", "_file");
            match (text, file) {
                (true, true) => return Err((name, format!("and {other} are both set, keep one"))),
                (false, false) if name != "client_ca_pem" => {
                    return Err((name, format!("or {other} must be set")));
                }
                _ => {}
            }
        }
        if (has_client_ca || has_client_ca_file)
            && self.client_auth_type == ClientAuthType::NoClientCert
        {
            let reason =
                "must not be \"NoClientCert\" where client_ca_pem or client_ca_file is set";
            return Err(("client_auth_type", reason.to_owned()));
        }
        version(&self.min_version).map_err(|error| ("min_version", error))?;
        version(&self.max_version).map_err(|error| ("max_version", error))?;
        let curves = self.curve_preferences.iter().map(|name| curve(name));
        curves
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ("curve_preferences", error))?;
        Ok(())
    }

    fn server(&self) -> Result<ServerTls, String> {
        let key_pem = self.key_pem.as_ref().map(Secret::expose);
        let curves = self.curve_preferences.iter().map(|name| curve(name));
        let settings = Settings {
            certificate: pem(self.cert_pem.as_deref(), &self.cert_file),
            key: pem(key_pem, &self.key_file),
            min_version: version(&self.min_version)?.to_owned(),
            max_version: version(&self.max_version)?.to_owned(),
            cipher_suites: self.cipher_suites.clone(),
            curves: curves.collect::<Result<_, _>>()?,
            reload_interval: CERTIFICATE_AGE,
            ..Settings::default()
        };
        ServerTls::new(settings, self.clients(), Versions::All.alpn())
    }

    fn clients(&self) -> ClientCertificates {
        let authorities = pem(self.client_ca_pem.as_deref(), &self.client_ca_file);
        let unchecked = |required, hints| ClientCertificates::Unchecked { required, hints };
        let checked = |required, authorities| ClientCertificates::Checked {
            required,
            authorities,
        };
        match self.client_auth_type {
            ClientAuthType::NoClientCert => ClientCertificates::Unasked,
            ClientAuthType::RequestClientCert => unchecked(false, authorities),
            ClientAuthType::RequireAnyClientCert => unchecked(true, authorities),
            ClientAuthType::VerifyClientCertIfGiven => checked(false, authorities),
            ClientAuthType::RequireAndVerifyClientCert => checked(true, authorities),
        }
    }
}

fn pem(text: Option<&str>, file: &Option<String>) -> Option<Pem> {
    match (
        text.unwrap_or_default(),
        file.as_deref().unwrap_or_default(),
    ) {
        ("", "") => None,
        ("", file) => Some(Pem::File(PathBuf::from(file))),
        (text, _) => Some(Pem::Text(text.to_owned())),
    }
}

/// A version in this block's words in those of all others.
fn version(name: &str) -> Result<&'static str, String> {
    match name {
        "TLS12" => Ok("1.2"),
        "TLS13" => Ok("1.3"),
        "TLS10" | "TLS11" => Err(format!(
            "{name:?} is not supported: TLS 1.0 and 1.1 are broken, use \"TLS12\" or \"TLS13\""
        )),
        _ => Err(format!(
            "{name:?} is no TLS version, use \"TLS12\" or \"TLS13\""
        )),
    }
}

/// A key exchange group in this block's words in those of all others.
fn curve(name: &str) -> Result<String, String> {
    match name {
        "X25519" | "CurveP256" | "CurveP384" => Ok(name.replace("Curve", "")),
        "CurveP521" => Err(format!(
            "{name:?} is not supported by the cryptography in use, name \"X25519\", \"CurveP256\" \
             or \"CurveP384\""
        )),
        _ => Err(format!(
            "{name:?} is no curve, name \"X25519\", \"CurveP256\" or \"CurveP384\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use syntax::SourceFile;

    use crate::graph::{Engine, Stability, standard_library};

    fn refusal(text: &str) -> String {
        let files = [SourceFile::new("test.alloy", text)];
        let (table, library) = (crate::components::TABLE, standard_library());
        Engine::check(table, Stability::Experimental, &library, &files).render()
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let pair = "cert_file = \"c\"\nkey_file = \"k\"\n";
        for (arguments, expected) in [
            ("windows_certificate_filter { }", "does not run on Windows"),
            (
                "windows_certificate_filter {\nserver {\nstore = \"My\"\n}\n}",
                "windows_certificate_filter is not supported",
            ),
            ("min_version = \"TLS10\"", "TLS 1.0 and 1.1 are broken"),
            ("max_version = \"TLS 1.3\"", "is no TLS version"),
            ("curve_preferences = [\"CurveP521\"]", "CurveP521"),
            ("client_auth_type = \"Maybe\"", "Maybe"),
            ("client_ca_file = \"ca\"", "must not be \"NoClientCert\""),
            ("key_pem = \"x\"", "key_pem and key_file are both set"),
            ("reload = true", "reload"),
        ] {
            let found = refusal(&format!("http {{\ntls {{\n{pair}{arguments}\n}}\n}}"));
            assert!(found.contains(expected), "{arguments}: {found}");
        }
        let found = refusal("http {\ntls { }\n}");
        assert!(
            found.contains("cert_pem or cert_file must be set"),
            "{found}"
        );
        let found = refusal("http {\nauth {\nbasic { }\n}\n}");
        assert!(
            found.contains("username") && found.contains("password"),
            "{found}"
        );
        let good = "client_auth_type = \"VerifyClientCertIfGiven\"\nclient_ca_pem = \"x\"";
        let found = refusal(&format!("http {{\ntls {{\n{pair}{good}\n}}\n}}"));
        assert!(
            !found.contains("error:") && found.contains("cannot read k on this machine"),
            "{found}"
        );
    }
}
