//! The `tls` block of servers.

use std::{path::PathBuf, time::Duration};

use syntax::Secret;

use crate::net::{
    server::Versions,
    tls::{Pem, ServerTls, Settings},
};

/// How connections are encrypted, and which clients are let in.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct ServerTlsBlock {
    /// Path of a file with certificate authorities. It is checked and has no further effect on a
    /// server, as in Alloy: `client_ca_file` is what asks clients for certificates.
    #[attr]
    pub ca_file: Option<String>,
    /// The authorities of `ca_file` in PEM form.
    #[attr]
    pub ca_pem: Option<String>,
    /// Path of the server's certificate, with its chain.
    #[attr]
    pub cert_file: Option<String>,
    /// The certificate itself, in PEM form.
    #[attr]
    pub cert_pem: Option<String>,
    /// Names of TLS 1.2 cipher suites to offer, all safe ones when empty. Suites of TLS 1.3 are
    /// always offered.
    #[attr(default)]
    pub cipher_suites: Vec<String>,
    /// Path of a file with the authorities that may vouch for clients. When it is set, clients
    /// without a certificate are turned away.
    #[attr]
    pub client_ca_file: Option<String>,
    /// Key exchange groups to offer, best first: `X25519`, `P256`, `P384`; all when empty.
    #[attr(default)]
    pub curve_preferences: Vec<String>,
    /// Whether `cipher_suites` may name broken suites. There are none to name, so `true` is refused.
    #[attr(default = false)]
    pub include_insecure_cipher_suites: bool,
    /// Whether the system's authorities belong to those of `ca_file`. Like that, without effect on
    /// a server.
    #[attr(default = false)]
    pub include_system_ca_certs_pool: bool,
    /// Path of the key of the certificate.
    #[attr]
    pub key_file: Option<String>,
    /// The key itself, in PEM form.
    #[attr]
    pub key_pem: Option<Secret>,
    /// Newest TLS version to speak.
    #[attr(default = "TLS 1.3")]
    pub max_version: String,
    /// Oldest TLS version to speak; 1.0 and 1.1 are refused.
    #[attr(default = "TLS 1.2")]
    pub min_version: String,
    /// How often the files are read again; zero is never.
    #[attr(default = "0s")]
    pub reload_interval: Duration,
    /// A trusted platform module that holds the key. Not supported, so `enabled` must stay false.
    #[block]
    pub tpm: Option<Tpm>,
}

/// A trusted platform module.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Tpm {
    /// Authorization of the key.
    #[attr]
    pub auth: Option<Secret>,
    /// Whether the key is in the module; `true` is refused.
    #[attr(default = false)]
    pub enabled: bool,
    /// Authorization of the owner.
    #[attr]
    pub owner_auth: Option<Secret>,
    /// Path of the module's device.
    #[attr]
    pub path: Option<String>,
}

impl Tpm {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.enabled {
            let reason = "must be false: keys in a trusted platform module are not supported, set \
                          key_file or key_pem in the tls block";
            return Err(("enabled", reason.to_owned()));
        }
        Ok(())
    }
}

impl ServerTlsBlock {
    /// Reads what the block names.
    ///
    /// # Errors
    /// A sentence that names the argument or the file at fault.
    pub fn server(&self, versions: Versions) -> Result<ServerTls, String> {
        let settings = Settings {
            ca: pem(self.ca_file.as_deref(), self.ca_pem.as_deref()),
            system_ca: self.include_system_ca_certs_pool,
            certificate: pem(self.cert_file.as_deref(), self.cert_pem.as_deref()),
            key: pem(
                self.key_file.as_deref(),
                self.key_pem.as_ref().map(Secret::expose),
            ),
            min_version: self.min_version.clone(),
            max_version: self.max_version.clone(),
            cipher_suites: self.cipher_suites.clone(),
            curves: self.curve_preferences.clone(),
            reload_interval: self.reload_interval,
        };
        let client_ca = pem(self.client_ca_file.as_deref(), None);
        ServerTls::new(settings, client_ca, versions.alpn())
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let key_pem = self.key_pem.as_ref().map(Secret::expose);
        for (name, file, text) in [
            ("ca_pem", self.ca_file.as_deref(), self.ca_pem.as_deref()),
            (
                "cert_pem",
                self.cert_file.as_deref(),
                self.cert_pem.as_deref(),
            ),
            ("key_pem", self.key_file.as_deref(), key_pem),
        ] {
            if given(file) && given(text) {
                let file = name.replace("_pem", "_file");
                return Err((name, format!("and {file} are both set, keep one of them")));
            }
        }
        if self.include_insecure_cipher_suites {
            let reason = "must be false: broken cipher suites are not offered at all";
            return Err(("include_insecure_cipher_suites", reason.to_owned()));
        }
        Ok(())
    }
}

fn pem(file: Option<&str>, text: Option<&str>) -> Option<Pem> {
    let text = text
        .filter(|text| !text.is_empty())
        .map(|text| Pem::Text(text.to_owned()));
    text.or_else(|| {
        file.filter(|path| !path.is_empty())
            .map(|path| Pem::File(PathBuf::from(path)))
    })
}
