//! Protocol and cipher names as OpenSSL prints them, which is what nginx and Application Gateway log.

use super::suites::Suite;
use rustls::{CipherSuite, ProtocolVersion};

/// `TLSv1.2`, `TLSv1.3`.
pub fn protocol_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "",
    }
}

/// `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES256-GCM-SHA384`.
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    Suite::ALL.into_iter().find(|known| known.rustls().suite() == suite).map_or("", openssl_name)
}

pub(super) fn openssl_name(suite: Suite) -> &'static str {
    match suite {
        Suite::Tls13Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
        Suite::Tls13Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
        Suite::Tls13Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::EcdheEcdsaAes128GcmSha256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::EcdheEcdsaAes256GcmSha384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::EcdheRsaAes128GcmSha256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::EcdheRsaAes256GcmSha384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::EcdheEcdsaChacha20Poly1305 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::EcdheRsaChacha20Poly1305 => "ECDHE-RSA-CHACHA20-POLY1305",
    }
}
