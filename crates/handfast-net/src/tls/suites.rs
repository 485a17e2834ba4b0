//! Which protocol versions and cipher suites a configuration allows, in its order of preference.

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as s};
use std::sync::Arc;

/// Protocol versions. Older ones do not exist here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsVersions {
    /// TLS 1.2 only.
    Tls12,
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12And13,
    /// TLS 1.3 only.
    Tls13,
}

impl TlsVersions {
    pub(super) fn list(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        static TLS12: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        static BOTH: [&rustls::SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        static TLS13: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls12And13 => &BOTH,
            Self::Tls13 => &TLS13,
        }
    }
}

/// A suite that can be negotiated: AEAD with ephemeral key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the IANA names")]
pub enum Suite {
    Tls13Aes128GcmSha256,
    Tls13Aes256GcmSha384,
    Tls13Chacha20Poly1305Sha256,
    EcdheEcdsaAes128GcmSha256,
    EcdheEcdsaAes256GcmSha384,
    EcdheRsaAes128GcmSha256,
    EcdheRsaAes256GcmSha384,
    EcdheEcdsaChacha20Poly1305,
    EcdheRsaChacha20Poly1305,
}

impl Suite {
    /// All suites, strongest first as OpenSSL's default list has them.
    pub const ALL: [Self; 9] = [
        Self::Tls13Aes256GcmSha384,
        Self::Tls13Chacha20Poly1305Sha256,
        Self::Tls13Aes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305,
        Self::EcdheRsaChacha20Poly1305,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheRsaAes128GcmSha256,
    ];

    /// The suite with an IANA name such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    pub fn from_iana(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.iana().eq_ignore_ascii_case(name))
    }

    /// The IANA name.
    pub fn iana(self) -> &'static str {
        match self {
            Self::Tls13Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::Tls13Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Tls13Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheEcdsaAes256GcmSha384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheRsaAes128GcmSha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Self::EcdheRsaAes256GcmSha384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Self::EcdheEcdsaChacha20Poly1305 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::EcdheRsaChacha20Poly1305 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        }
    }

    /// Whether it is a TLS 1.3 suite.
    pub fn is_tls13(self) -> bool {
        matches!(
            self,
            Self::Tls13Aes128GcmSha256 | Self::Tls13Aes256GcmSha384 | Self::Tls13Chacha20Poly1305Sha256
        )
    }

    /// Whether a TLS 1.2 suite authenticates with an ECDSA certificate.
    pub(super) fn is_ecdsa(self) -> bool {
        matches!(
            self,
            Self::EcdheEcdsaAes128GcmSha256
                | Self::EcdheEcdsaAes256GcmSha384
                | Self::EcdheEcdsaChacha20Poly1305
        )
    }

    pub(super) fn rustls(self) -> SupportedCipherSuite {
        match self {
            Self::Tls13Aes128GcmSha256 => s::TLS13_AES_128_GCM_SHA256,
            Self::Tls13Aes256GcmSha384 => s::TLS13_AES_256_GCM_SHA384,
            Self::Tls13Chacha20Poly1305Sha256 => s::TLS13_CHACHA20_POLY1305_SHA256,
            Self::EcdheEcdsaAes128GcmSha256 => s::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Self::EcdheEcdsaAes256GcmSha384 => s::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            Self::EcdheRsaAes128GcmSha256 => s::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            Self::EcdheRsaAes256GcmSha384 => s::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            Self::EcdheEcdsaChacha20Poly1305 => s::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            Self::EcdheRsaChacha20Poly1305 => s::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// The aws-lc-rs provider restricted to these suites, in this order.
pub(super) fn provider(suites: &[Suite]) -> Arc<CryptoProvider> {
    let cipher_suites = suites.iter().map(|suite| suite.rustls()).collect();
    Arc::new(CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() })
}
