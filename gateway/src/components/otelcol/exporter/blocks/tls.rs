//! The `tls` block of clients.

use std::{sync::Arc, time::Duration};

use syntax::Secret;

use crate::{
    components::otelcol::tls::{self, Tpm, pem},
    net::tls::{ClientTls, Settings},
};

/// How the connection to the backend is encrypted, and who is trusted.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct ClientTlsBlock {
    /// Path of a file with the authorities that may vouch for the server.
    #[attr(default, file)]
    pub ca_file: String,
    /// The authorities themselves, in PEM form.
    #[attr(default)]
    pub ca_pem: String,
    /// Path of the certificate shown to the server.
    #[attr(default, file)]
    pub cert_file: String,
    /// The certificate itself, in PEM form.
    #[attr(default)]
    pub cert_pem: String,
    /// Names of TLS 1.2 cipher suites to offer, all safe ones when empty.
    #[attr(default)]
    pub cipher_suites: Vec<String>,
    /// Key exchange groups to offer, best first: `X25519`, `P256`, `P384`.
    #[attr(default)]
    pub curve_preferences: Vec<String>,
    /// Whether `cipher_suites` may name broken suites. There are none to name, so `true` is refused.
    #[attr(default = false)]
    pub include_insecure_cipher_suites: bool,
    /// Whether the system's authorities are trusted beside `ca_file` or `ca_pem`.
    #[attr(default = false)]
    pub include_system_ca_certs_pool: bool,
    /// Whether the connection is not encrypted. Over HTTP the URL's scheme decides instead.
    #[attr(default = false)]
    pub insecure: bool,
    /// Whether any server is believed to be the right one: whoever is on the way can then read and
    /// change what is sent.
    #[attr(default = false)]
    pub insecure_skip_verify: bool,
    /// Path of the key of the certificate.
    #[attr(default, file)]
    pub key_file: String,
    /// The key itself, in PEM form.
    #[attr]
    pub key_pem: Option<Secret>,
    /// Newest TLS version to speak.
    #[attr(default = "TLS 1.3")]
    pub max_version: String,
    /// Oldest TLS version to speak; 1.0 and 1.1 are refused.
    #[attr(default = "TLS 1.2")]
    pub min_version: String,
    /// How often the files are read again; `"0s"` is never.
    #[attr(default = "0s")]
    pub reload_interval: Duration,
    /// The name that the server's certificate must carry, if not the endpoint's host.
    #[attr(default)]
    pub server_name: String,
    /// A trusted platform module that holds the key. Not supported unless disabled.
    #[block]
    pub tpm: Option<Tpm>,
}

impl ClientTlsBlock {
    /// Reads what the block names, for a client that speaks these protocols.
    ///
    /// # Errors
    /// A sentence that names the argument or file at fault.
    pub fn client(&self, protocols: &'static [&'static str]) -> Result<Arc<ClientTls>, String> {
        let key_pem = self.key_pem.as_ref().map_or("", Secret::expose);
        let settings = Settings {
            ca: pem((&self.ca_file, &self.ca_pem)),
            system_ca: self.include_system_ca_certs_pool,
            certificate: pem((&self.cert_file, &self.cert_pem)),
            key: pem((&self.key_file, key_pem)),
            min_version: self.min_version.clone(),
            max_version: self.max_version.clone(),
            cipher_suites: self.cipher_suites.clone(),
            curves: self.curve_preferences.clone(),
            reload_interval: self.reload_interval,
        };
        ClientTls::new(settings, self.insecure_skip_verify, protocols).map(Arc::new)
    }

    /// The name that the certificate must carry, if one is set.
    pub fn server_name(&self) -> Option<String> {
        Some(self.server_name.clone()).filter(|name| !name.is_empty())
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let key_pem = self.key_pem.as_ref().map_or("", Secret::expose);
        tls::check(
            [
                ("ca_pem", (&self.ca_file, &self.ca_pem)),
                ("cert_pem", (&self.cert_file, &self.cert_pem)),
                ("key_pem", (&self.key_file, key_pem)),
            ],
            self.include_insecure_cipher_suites,
        )
    }
}
