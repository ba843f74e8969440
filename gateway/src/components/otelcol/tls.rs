//! The `tls` block of servers, and what the one of clients has in common with it.

use std::{path::PathBuf, time::Duration};

use syntax::Secret;

use crate::net::{
    client_certificates::ClientCertificates,
    server::Versions,
    tls::{Pem, ServerTls, Settings},
};

/// How connections are encrypted, and which clients are let in.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct ServerTlsBlock {
    /// Path of a file with certificate authorities. It is checked and has no further effect on a
    /// server, as in Alloy: `client_ca_file` is what asks clients for certificates.
    #[attr(file)]
    pub ca_file: Option<String>,
    /// The authorities of `ca_file` in PEM form.
    #[attr]
    pub ca_pem: Option<String>,
    /// Path of the server's certificate, with its chain.
    #[attr(file)]
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
    #[attr(file)]
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
    #[attr(file)]
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
        let key_pem = self.key_pem.as_ref().map(Secret::expose);
        let settings = Settings {
            ca: pem(pair(&self.ca_file, self.ca_pem.as_deref())),
            system_ca: self.include_system_ca_certs_pool,
            certificate: pem(pair(&self.cert_file, self.cert_pem.as_deref())),
            key: pem(pair(&self.key_file, key_pem)),
            min_version: self.min_version.clone(),
            max_version: self.max_version.clone(),
            cipher_suites: self.cipher_suites.clone(),
            curves: self.curve_preferences.clone(),
            reload_interval: self.reload_interval,
        };
        let clients = match pem(pair(&self.client_ca_file, None)) {
            None => ClientCertificates::Unasked,
            authorities => ClientCertificates::Checked {
                required: true,
                authorities,
            },
        };
        ServerTls::new(settings, clients, versions.alpn())
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let key_pem = self.key_pem.as_ref().map(Secret::expose);
        check(
            [
                ("ca_pem", pair(&self.ca_file, self.ca_pem.as_deref())),
                ("cert_pem", pair(&self.cert_file, self.cert_pem.as_deref())),
                ("key_pem", pair(&self.key_file, key_pem)),
            ],
            self.include_insecure_cipher_suites,
        )
    }
}

/// The path of a file and the text that may stand in its place; empty is not given.
type Pair<'a> = (&'a str, &'a str);

fn pair<'a>(file: &'a Option<String>, text: Option<&'a str>) -> Pair<'a> {
    (
        file.as_deref().unwrap_or_default(),
        text.unwrap_or_default(),
    )
}

/// What holds for the blocks of servers and of clients: each text, called by its argument, is given
/// once, and broken cipher suites are not wished for.
pub(crate) fn check(
    pairs: [(&'static str, Pair<'_>); 3],
    include_insecure_cipher_suites: bool,
) -> Result<(), (&'static str, String)> {
    for (name, (file, text)) in pairs {
        if !file.is_empty() && !text.is_empty() {
            let file = name.replace("_pem", "_file");
            return Err((name, format!("and {file} are both set, keep one of them")));
        }
    }
    if include_insecure_cipher_suites {
        let reason = "must be false: broken cipher suites are not offered at all";
        return Err(("include_insecure_cipher_suites", reason.to_owned()));
    }
    Ok(())
}

/// Where to read certificates or a key, if anything is given.
pub(crate) fn pem((file, text): Pair<'_>) -> Option<Pem> {
    match (file, text) {
        ("", "") => None,
        ("", text) => Some(Pem::Text(text.to_owned())),
        (file, _) => Some(Pem::File(PathBuf::from(file))),
    }
}
