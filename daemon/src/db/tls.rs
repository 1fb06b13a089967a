//! TLS as libpq's `sslmode` means it: from no encryption to a server whose name is verified.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::password::only_ours;
use crate::config::target::{Identity, SslMode, Target};
use crate::error::{Error, Result};

/// A TLS connector for this target.
///
/// # Errors
///
/// [`Error::Usage`] if a certificate or key cannot be used.
pub fn connector(target: &Target) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Usage(format!("TLS is not available: {error}")))?;
    let mode = match target.sslmode {
        // As libpq: a named authority is verified even with `require`.
        SslMode::Require if target.sslrootcert.is_some() => SslMode::VerifyCa,
        mode => mode,
    };
    let config = match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => {
            let verifier = Arc::new(Verifier { provider, authority: None });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        SslMode::VerifyCa => {
            let authority = WebPkiServerVerifier::builder_with_provider(roots(target)?, provider.clone());
            let authority = authority
                .build()
                .map_err(|error| Error::Usage(format!("the trusted certificates cannot be used: {error}")))?;
            let verifier = Arc::new(Verifier { provider, authority: Some(authority) });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        SslMode::VerifyFull => builder.with_root_certificates(roots(target)?),
    };
    let config = match &target.identity {
        Some(identity) => with_identity(config, identity)?,
        None => config.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Adds the certificate for a server that asks for one.
fn with_identity(
    config: ConfigBuilder<ClientConfig, WantsClientCert>,
    Identity { certificate, key }: &Identity,
) -> Result<ClientConfig> {
    let bad = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
        Error::Usage(format!("{what} {}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| bad("sslcert", certificate, &error))?;
    only_ours(key)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad("sslkey", key, &error))?;
    config.with_client_auth_cert(chain, private).map_err(|error| bad("sslcert", certificate, &error))
}

/// The trusted authorities: the named file's, or the system's.
fn roots(target: &Target) -> Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    if let Some(path) = &target.sslrootcert {
        let bad =
            |error: &dyn std::fmt::Display| Error::Usage(format!("sslrootcert {}: {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
            let certificate = certificate.map_err(|error| bad(&error))?;
            store.add(certificate).map_err(|error| bad(&error))?;
        }
    } else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if store.is_empty() {
        return Err(Error::Usage(
            "no trusted certificates: install the system's (ca-certificates), \
             or name your authority's with sslrootcert=FILE in the database URL"
                .to_owned(),
        ));
    }
    Ok(Arc::new(store))
}

/// Verifies less than rustls would: the chain without the name, or nothing at all. That the server holds the
/// key of its certificate is always verified.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        // This error comes only after the chain was verified.
        match authority.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
