//! Which certificates a server asks its clients for, and what it makes of them.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::tls::{Pem, add, add_system};

/// A server's wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Clients are not asked.
    Unasked,
    /// Clients are asked, and whatever they show is believed.
    Unchecked {
        /// Whether those without any are turned away.
        required: bool,
        /// The authorities that are named to clients, so that they can choose.
        hints: Option<Pem>,
    },
    /// Clients are asked, and what they show must be vouched for.
    Checked {
        /// Whether those without any are turned away.
        required: bool,
        /// Who may vouch; the system's authorities where none are given.
        authorities: Option<Pem>,
    },
}

impl ClientCertificates {
    /// What rustls asks during a handshake; none if clients are not asked.
    pub(super) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Unasked => Ok(None),
            Self::Unchecked { required, hints } => {
                if let Some(hints) = hints {
                    add(&mut roots, hints)?;
                }
                Ok(Some(Arc::new(AnyClient {
                    provider: provider.clone(),
                    required: *required,
                    hints: roots.subjects(),
                })))
            }
            Self::Checked {
                required,
                authorities,
            } => {
                match authorities {
                    Some(authorities) => add(&mut roots, authorities)?,
                    None => add_system(&mut roots)?,
                }
                let builder =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
                let builder = if *required {
                    builder
                } else {
                    builder.allow_unauthenticated()
                };
                let verifier = builder.build().map_err(|error| {
                    let origin = authorities.as_ref().map(Pem::origin);
                    let origin = origin.unwrap_or_else(|| "the system's authorities".to_owned());
                    format!("cannot check clients by {origin}: {error}")
                })?;
                Ok(Some(verifier))
            }
        }
    }
}

/// Believes every client; still checks that it holds the key of the certificate it shows.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    required: bool,
    hints: Vec<DistinguishedName>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
