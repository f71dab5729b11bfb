use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate authority of this run, whose certificate functions find in `SSL_CERT_FILE`.
///
/// Chain and keys have the form of Amazon's: elliptic, one certificate below its root.
pub struct Authority {
    file: PathBuf,
    pem: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes authority and server certificate and writes the former into the folder.
    pub fn make(folder: &Path) -> io::Result<Authority> {
        let (pem, certificate, key) = make().map_err(io::Error::other)?;
        let file = folder.join("authority.pem");
        std::fs::write(&file, &pem)?;
        Ok(Authority { file, pem, certificate, key })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The authority's certificate as a text, for clients of the test.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn server(&self, protocols: &[&[u8]]) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .expect("the certificate was made for this key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }
}

type Made = (String, CertificateDer<'static>, PrivateKeyDer<'static>);

fn make() -> Result<Made, rcgen::Error> {
    let mut root = CertificateParams::new(Vec::new())?;
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    root.distinguished_name.push(DnType::CommonName, "Citipen emulator");
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let server = server.signed_by(&key, &root)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok((root.pem(), server.der().clone(), key))
}
