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

/// The suites that a client offered, by OpenSSL's names with `:` between them; unknown ones as `0xhhhh`, GREASE
/// values (RFC 8701) included.
pub fn cipher_list(offered: &[u16]) -> String {
    let name = |id: &u16| match OFFERED.binary_search_by_key(id, |(known, _)| *known) {
        Ok(at) => OFFERED[at].1.to_owned(),
        Err(_) => format!("0x{id:04x}"),
    };
    offered.iter().map(name).collect::<Vec<_>>().join(":")
}

/// Suites that clients offer, by id: those that OpenSSL 3.0 can be told to offer, without the exotic ones. Only the
/// ones of [`Suite`] are ever negotiated. 0x00ff is the renegotiation signal (RFC 5746 §3.3).
const OFFERED: &[(u16, &str)] = &[
    (0x002f, "AES128-SHA"),
    (0x0032, "DHE-DSS-AES128-SHA"),
    (0x0033, "DHE-RSA-AES128-SHA"),
    (0x0035, "AES256-SHA"),
    (0x0038, "DHE-DSS-AES256-SHA"),
    (0x0039, "DHE-RSA-AES256-SHA"),
    (0x003c, "AES128-SHA256"),
    (0x003d, "AES256-SHA256"),
    (0x0040, "DHE-DSS-AES128-SHA256"),
    (0x0067, "DHE-RSA-AES128-SHA256"),
    (0x006a, "DHE-DSS-AES256-SHA256"),
    (0x006b, "DHE-RSA-AES256-SHA256"),
    (0x009c, "AES128-GCM-SHA256"),
    (0x009d, "AES256-GCM-SHA384"),
    (0x009e, "DHE-RSA-AES128-GCM-SHA256"),
    (0x009f, "DHE-RSA-AES256-GCM-SHA384"),
    (0x00a2, "DHE-DSS-AES128-GCM-SHA256"),
    (0x00a3, "DHE-DSS-AES256-GCM-SHA384"),
    (0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0xc009, "ECDHE-ECDSA-AES128-SHA"),
    (0xc00a, "ECDHE-ECDSA-AES256-SHA"),
    (0xc013, "ECDHE-RSA-AES128-SHA"),
    (0xc014, "ECDHE-RSA-AES256-SHA"),
    (0xc023, "ECDHE-ECDSA-AES128-SHA256"),
    (0xc024, "ECDHE-ECDSA-AES256-SHA384"),
    (0xc027, "ECDHE-RSA-AES128-SHA256"),
    (0xc028, "ECDHE-RSA-AES256-SHA384"),
    (0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"),
    (0xc030, "ECDHE-RSA-AES256-GCM-SHA384"),
    (0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"),
    (0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (0xccaa, "DHE-RSA-CHACHA20-POLY1305"),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offered_suites_are_named_in_order_and_unknown_ones_numbered() {
        assert!(OFFERED.is_sorted_by_key(|(id, _)| *id));
        let offered = [0x0a0a, 0x1302, 0xc02f, 0x00ff];
        let expected =
            "0x0a0a:TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES128-GCM-SHA256:TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
        assert_eq!(cipher_list(&offered), expected);
    }
}
