//! TLS for servers and clients from PEM files or text, by rustls with ring.
//!
//! Files are read again after the reload interval by the connection that comes next, so nothing
//! has to watch them; a file that has become unreadable costs a warning, and the certificate that
//! was read last stays in use.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedCipherSuite, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, SupportedKxGroup, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::time::Instant;

use super::client_certificates::ClientCertificates;

/// PEM text, or where to find it.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// Read when the configuration is made, and again at each reload.
    File(PathBuf),
    /// Given in the configuration itself.
    Text(String),
}

impl Pem {
    pub(super) fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => std::fs::read(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display())),
            Self::Text(text) => Ok(text.clone().into_bytes()),
        }
    }

    /// Where the text is from, for errors; never the text, which may be a key.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "the PEM text in the configuration".to_owned(),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pem({})", self.origin())
    }
}

/// What servers and clients have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Authorities to trust. On a server only checked: `client_ca` is what its clients need.
    pub ca: Option<Pem>,
    /// Whether the system's authorities are trusted beside `ca`.
    pub system_ca: bool,
    /// The certificate to show, with its chain.
    pub certificate: Option<Pem>,
    /// The key of the certificate.
    pub key: Option<Pem>,
    /// Oldest version to speak; empty is 1.2.
    pub min_version: String,
    /// Newest version to speak; empty is 1.3.
    pub max_version: String,
    /// Names of TLS 1.2 suites to offer; empty is all that are safe. Those of TLS 1.3 are always
    /// offered.
    pub cipher_suites: Vec<String>,
    /// Names of the key exchange groups to offer, best first; empty is all.
    pub curves: Vec<String>,
    /// How often files are read again; zero is never.
    pub reload_interval: Duration,
}

/// What the listeners of a server need.
#[derive(Debug)]
pub struct ServerTls(Reloading<ServerConfig>);

impl ServerTls {
    /// Reads everything that the settings name.
    ///
    /// # Errors
    /// A sentence that names the setting or the file that is at fault.
    pub fn new(
        settings: Settings,
        clients: ClientCertificates,
        protocols: &'static [&'static str],
    ) -> Result<Self, String> {
        let interval = settings.reload_interval;
        let make = move || server_config(&settings, &clients, protocols);
        Reloading::new(interval, make).map(Self)
    }

    /// The configuration for a connection that comes now.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.get()
    }
}

/// How a server encrypts at the moment, if it does; it may change while the server serves, for the
/// connections that come then.
#[derive(Clone, Debug, Default)]
pub struct Encryption(Arc<ArcSwapOption<ServerTls>>);

impl Encryption {
    /// Encrypts so from now on, or no longer.
    pub fn set(&self, tls: Option<Arc<ServerTls>>) {
        self.0.store(tls);
    }

    /// The configuration for a connection that comes now; none if it is not encrypted.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        self.0.load().as_ref().map(|tls| tls.config())
    }
}

impl From<Option<ServerTls>> for Encryption {
    fn from(tls: Option<ServerTls>) -> Self {
        Self(Arc::new(ArcSwapOption::new(tls.map(Arc::new))))
    }
}

/// What the connections of a client need.
#[derive(Debug)]
pub struct ClientTls(Reloading<ClientConfig>);

impl ClientTls {
    /// Reads everything that the settings name. With `skip_verify` the server's certificate is not
    /// checked: anybody on the way can read and change what is sent.
    ///
    /// # Errors
    /// A sentence that names the setting or the file that is at fault.
    pub fn new(
        settings: Settings,
        skip_verify: bool,
        protocols: &'static [&'static str],
    ) -> Result<Self, String> {
        let interval = settings.reload_interval;
        let make = move || client_config(&settings, skip_verify, protocols);
        Reloading::new(interval, make).map(Self)
    }

    /// The configuration for a connection that is made now.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.0.get()
    }
}

// === reloading ===

type Make<T> = dyn Fn() -> Result<T, String> + Send + Sync;

struct Reloading<T> {
    current: ArcSwap<T>,
    make: Box<Make<T>>,
    interval: Duration,
    made: Mutex<Instant>,
}

impl<T> Reloading<T> {
    fn new(
        interval: Duration,
        make: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let current = ArcSwap::from_pointee(make()?);
        let made = Mutex::new(Instant::now());
        Ok(Self {
            current,
            make: Box::new(make),
            interval,
            made,
        })
    }

    fn get(&self) -> Arc<T> {
        if self.is_due() {
            match (self.make)() {
                Ok(fresh) => self.current.store(Arc::new(fresh)),
                Err(error) => {
                    tracing::warn!(%error, "TLS files could not be read again, keeping the old");
                }
            }
        }
        self.current.load_full()
    }

    /// Whether the files must be read now; true for only one of those who ask at once.
    fn is_due(&self) -> bool {
        if self.interval.is_zero() {
            return false;
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let due = made.elapsed() >= self.interval;
        if due {
            *made = Instant::now();
        }
        due
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reloading")
            .field("interval", &self.interval)
            .finish()
    }
}

// === from settings to configurations ===

fn server_config(
    settings: &Settings,
    clients: &ClientCertificates,
    protocols: &[&str],
) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider(settings)?);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| format!("TLS versions and cipher suites do not fit: {error}"))?;
    if let Some(ca) = &settings.ca {
        authorities(ca)?;
    }
    let builder = match clients.verifier(&provider)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let (chain, key) = identity(settings)?
        .ok_or("a TLS server needs a certificate and its key: set cert_file and key_file")?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("cannot use the certificate with its key: {error}"))?;
    config.alpn_protocols = alpn(protocols);
    Ok(config)
}

fn client_config(
    settings: &Settings,
    skip_verify: bool,
    protocols: &[&str],
) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider(settings)?);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| format!("TLS versions and cipher suites do not fit: {error}"))?;
    let builder = if skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
    } else {
        builder.with_root_certificates(trusted(settings)?)
    };
    let mut config = match identity(settings)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("cannot use the certificate with its key: {error}"))?,
    };
    config.alpn_protocols = alpn(protocols);
    Ok(config)
}

fn alpn(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect()
}

fn trusted(settings: &Settings) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &settings.ca {
        add(&mut roots, ca)?;
    }
    if settings.ca.is_none() || settings.system_ca {
        add_system(&mut roots)?;
    }
    Ok(roots)
}

/// Trusts whom the system trusts.
pub(super) fn add_system(roots: &mut RootCertStore) -> Result<(), String> {
    // What cannot be parsed is left out, as everywhere: systems carry odd certificates.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "the system has no certificate authorities: install its ca-certificates \
                    package, or name a file with authorities"
                .to_owned(),
        );
    }
    Ok(())
}

pub(super) fn add(roots: &mut RootCertStore, ca: &Pem) -> Result<(), String> {
    for certificate in authorities(ca)? {
        roots
            .add(certificate)
            .map_err(|error| format!("cannot trust a certificate in {}: {error}", ca.origin()))?;
    }
    Ok(())
}

fn authorities(ca: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&ca.read()?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("cannot read certificates from {}: {error}", ca.origin()))?;
    if certificates.is_empty() {
        return Err(format!("there is no certificate in {}", ca.origin()));
    }
    Ok(certificates)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(settings: &Settings) -> Result<Option<Identity>, String> {
    match (&settings.certificate, &settings.key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("a certificate needs its key: set key_file or key_pem".to_owned()),
        (None, Some(_)) => Err("a key needs its certificate: set cert_file or cert_pem".to_owned()),
        (Some(certificate), Some(key)) => {
            let chain = authorities(certificate)?;
            let key_der = PrivateKeyDer::from_pem_slice(&key.read()?)
                .map_err(|error| format!("cannot read a key from {}: {error}", key.origin()))?;
            Ok(Some((chain, key_der)))
        }
    }
}

// === names ===

fn versions(settings: &Settings) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let min = version("min_version", &settings.min_version, 2)?;
    let max = version("max_version", &settings.max_version, 3)?;
    if min > max {
        return Err("min_version of TLS must not be above max_version".to_owned());
    }
    let all: [(u8, &'static SupportedProtocolVersion); 2] = [(2, &TLS12), (3, &TLS13)];
    let within = all
        .into_iter()
        .filter(|(minor, _)| (min..=max).contains(minor));
    Ok(within.map(|(_, version)| version).collect())
}

/// The minor number of a TLS version.
fn version(argument: &str, name: &str, default: u8) -> Result<u8, String> {
    match name.strip_prefix("TLS ").unwrap_or(name) {
        "" => Ok(default),
        "1.2" => Ok(2),
        "1.3" => Ok(3),
        "1.0" | "1.1" => Err(format!(
            "{argument} = {name:?} is not supported: TLS 1.0 and 1.1 are broken, use \"1.2\" or \
             \"1.3\""
        )),
        _ => Err(format!(
            "{argument} = {name:?} is no TLS version, use \"1.2\" or \"1.3\""
        )),
    }
}

fn provider(settings: &Settings) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        let mut suites = provider.cipher_suites.clone();
        let named = settings
            .cipher_suites
            .iter()
            .map(|name| suite(&suites, name));
        let named: Vec<_> = named.collect::<Result<_, _>>()?;
        // As in Go, only the suites of TLS 1.2 can be chosen.
        suites.retain(|suite| suite.tls13().is_some() || named.contains(&suite.suite()));
        provider.cipher_suites = suites;
    }
    if !settings.curves.is_empty() {
        let groups = settings.curves.iter().map(|name| group(name));
        provider.kx_groups = groups.collect::<Result<_, _>>()?;
    }
    Ok(provider)
}

fn suite(offered: &[SupportedCipherSuite], name: &str) -> Result<rustls::CipherSuite, String> {
    // rustls writes TLS13_AES_128_GCM_SHA256 where the standard and Go write TLS_AES_....
    let matches = |suite: &&SupportedCipherSuite| {
        let own = format!("{:?}", suite.suite());
        own == name || own.replace("TLS13_", "TLS_") == name
    };
    offered
        .iter()
        .find(matches)
        .map(SupportedCipherSuite::suite)
        .ok_or_else(|| {
            format!(
                "cipher suite {name:?} is not supported: suites without forward secrecy or \
             authenticated encryption are not offered, name one of {}",
                offered
                    .iter()
                    .map(|suite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        })
}

fn group(name: &str) -> Result<&'static dyn SupportedKxGroup, String> {
    match name {
        "X25519" => Ok(ring::kx_group::X25519),
        "P256" => Ok(ring::kx_group::SECP256R1),
        "P384" => Ok(ring::kx_group::SECP384R1),
        _ => Err(format!(
            "curve {name:?} is not supported, use \"X25519\", \"P256\" or \"P384\""
        )),
    }
}

// === insecure_skip_verify ===

/// Believes every server; still checks that it holds the key of the certificate it shows.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Settings {
            certificate: Some(Pem::Text(made.cert.pem())),
            key: Some(Pem::Text(made.signing_key.serialize_pem())),
            ..Settings::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = settings();
        change(&mut settings);
        ServerTls::new(settings, ClientCertificates::Unasked, &[])
            .err()
            .unwrap_or_default()
    }

    type Change = fn(&mut Settings);

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let cases: [(Change, &str); 9] = [
            (
                |s| s.min_version = "1.0".into(),
                "min_version = \"1.0\" is not supported",
            ),
            (
                |s| s.max_version = "1.1".into(),
                "max_version = \"1.1\" is not supported",
            ),
            (|s| s.min_version = "SSL3".into(), "is no TLS version"),
            (
                |s| (s.min_version, s.max_version) = ("1.3".into(), "1.2".into()),
                "must not be above max_version",
            ),
            (
                |s| s.cipher_suites = vec!["TLS_RSA_WITH_RC4_128_SHA".into()],
                "RC4_128_SHA",
            ),
            (
                |s| s.curves = vec!["P521".into()],
                "\"P521\" is not supported",
            ),
            (|s| s.key = None, "a certificate needs its key"),
            (|s| s.certificate = None, "a key needs its certificate"),
            (
                |s| s.ca = Some(Pem::File("/nowhere/ca.pem".into())),
                "cannot read /nowhere/ca.pem",
            ),
        ];
        for (change, expected) in cases {
            let refusal = refusal(change);
            assert!(
                refusal.contains(expected),
                "{refusal:?} does not say {expected:?}"
            );
        }
        assert_eq!(refusal(|_| {}), "");
    }

    #[test]
    fn keys_never_show() {
        let shown = format!("{:?}", settings());
        assert!(!shown.contains("BEGIN"), "{shown}");
        let refusal = refusal(|s| s.key = Some(Pem::Text("-----BEGIN SECRET".to_owned())));
        assert!(
            !refusal.contains("SECRET") && !refusal.is_empty(),
            "{refusal}"
        );
    }

    #[test]
    fn suites_and_curves_are_taken_by_their_names() {
        let mut chosen = settings();
        chosen.cipher_suites = vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into()];
        chosen.curves = vec!["P384".into(), "X25519".into()];
        let provider = provider(&chosen).unwrap();
        let of_12 = provider
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_none());
        assert_eq!(of_12.count(), 1);
        let groups: Vec<_> = provider
            .kx_groups
            .iter()
            .map(|group| group.name())
            .collect();
        assert_eq!(
            groups,
            [rustls::NamedGroup::secp384r1, rustls::NamedGroup::X25519]
        );
        chosen.cipher_suites = vec!["TLS_AES_128_GCM_SHA256".into()];
        chosen.min_version = "TLS 1.3".into();
        assert!(ServerTls::new(chosen, ClientCertificates::Unasked, &["h2"]).is_ok());
    }

    #[test]
    fn files_are_read_again_and_the_last_good_ones_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert"), folder.path().join("key"));
        let write = || {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            std::fs::write(&certificate, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        };
        write();
        let settings = Settings {
            certificate: Some(Pem::File(certificate.clone())),
            key: Some(Pem::File(key.clone())),
            reload_interval: Duration::from_secs(3600),
            ..Settings::default()
        };
        let mut tls = ServerTls::new(settings, ClientCertificates::Unasked, &[]).unwrap();
        let first = tls.config();
        write();
        assert!(Arc::ptr_eq(&first, &tls.config()));
        tls.0.interval = Duration::from_nanos(1);
        let second = tls.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::remove_file(&key).unwrap();
        assert!(Arc::ptr_eq(&second, &tls.config()));
    }
}
