//! The `tls_config` block of Prometheus's clients.

use std::{sync::Arc, time::Duration};

use syntax::Secret;

use super::Wrong;
use crate::{
    components::otelcol::tls::{check, pem},
    net::tls::{ClientTls, Settings},
};

/// How often certificates are read again. Alloy looks at each connection; connections live longer.
const RELOAD_INTERVAL: Duration = Duration::from_secs(60);

/// Whom to trust, and which certificate to show.
#[derive(syntax::Arguments, Clone, Debug, Default, PartialEq)]
#[arguments(validate = Self::check)]
pub struct TlsConfig {
    /// Path of a file with the authorities that may vouch for the server; the system's if none is set.
    #[attr(file, default)]
    pub ca_file: String,
    /// The authorities themselves, in PEM form.
    #[attr(default)]
    pub ca_pem: String,
    /// Path of the certificate shown to the server.
    #[attr(file, default)]
    pub cert_file: String,
    /// The certificate itself, in PEM form.
    #[attr(default)]
    pub cert_pem: String,
    /// Whether any server is believed to be the right one: whoever is on the way can then read and
    /// change what is sent.
    #[attr(default = false)]
    pub insecure_skip_verify: bool,
    /// Path of the key of the certificate.
    #[attr(file, default)]
    pub key_file: String,
    /// The key itself, in PEM form.
    #[attr]
    pub key_pem: Option<Secret>,
    /// Oldest TLS version to speak, `TLS12` or `TLS13`; older ones are refused.
    #[attr(default)]
    pub min_version: String,
    /// The name that the server's certificate must carry, if not the host that is asked.
    #[attr(default)]
    pub server_name: String,
}

impl TlsConfig {
    /// Reads what the block names, for a client that speaks these protocols.
    ///
    /// # Errors
    /// A sentence that names the argument or file at fault.
    pub(super) fn client(
        &self,
        protocols: &'static [&'static str],
    ) -> Result<Arc<ClientTls>, String> {
        let settings = Settings {
            ca: pem((&self.ca_file, &self.ca_pem)),
            certificate: pem((&self.cert_file, &self.cert_pem)),
            key: pem((&self.key_file, self.key())),
            min_version: match self.min_version.as_str() {
                "TLS13" => "1.3".to_owned(),
                _ => "1.2".to_owned(),
            },
            reload_interval: RELOAD_INTERVAL,
            ..Settings::default()
        };
        ClientTls::new(settings, self.insecure_skip_verify, protocols)
            .map(Arc::new)
            .map_err(|error| format!("tls_config: {error}"))
    }

    /// The name that the certificate must carry, if one is set.
    pub(super) fn server_name(&self) -> Option<String> {
        Some(self.server_name.clone()).filter(|name| !name.is_empty())
    }

    fn key(&self) -> &str {
        self.key_pem.as_ref().map_or("", Secret::expose)
    }

    fn check(&self) -> Result<(), Wrong> {
        let pairs = [
            ("ca_pem", (self.ca_file.as_str(), self.ca_pem.as_str())),
            (
                "cert_pem",
                (self.cert_file.as_str(), self.cert_pem.as_str()),
            ),
            ("key_pem", (self.key_file.as_str(), self.key())),
        ];
        check(pairs, false)?;
        let has = |index: usize| {
            let (_, (file, text)) = pairs[index];
            !file.is_empty() || !text.is_empty()
        };
        match (has(1), has(2)) {
            (true, false) => return Err(("cert_file", "needs key_file or key_pem".to_owned())),
            (false, true) => return Err(("key_file", "needs cert_file or cert_pem".to_owned())),
            _ => {}
        }
        match self.min_version.as_str() {
            "" | "TLS12" | "TLS13" => Ok(()),
            "TLS10" | "TLS11" => Err((
                "min_version",
                "is a version that is not safe and not supported: write TLS12".to_owned(),
            )),
            _ => Err(("min_version", "must be TLS12 or TLS13".to_owned())),
        }
    }
}
