//! `sslPolicy` to versions and suites (edge specification §1.5, Appendix A). Old suites are accepted in a
//! document and never negotiated; what was dropped is a warning.

use handfast_model::View;
use handfast_net::tls::{Suite, TlsVersions};

/// What a policy comes to.
#[derive(Clone, Debug)]
pub(crate) struct SslPolicy {
    pub(crate) versions: TlsVersions,
    pub(crate) suites: Vec<Suite>,
    /// 2022 or CustomV2, which may not be mixed with older kinds.
    pub(super) modern: bool,
}

const TLS12: [Suite; 4] = [
    Suite::EcdheRsaAes256GcmSha384,
    Suite::EcdheRsaAes128GcmSha256,
    Suite::EcdheEcdsaAes256GcmSha384,
    Suite::EcdheEcdsaAes128GcmSha256,
];
const TLS13: [Suite; 2] = [Suite::Tls13Aes128GcmSha256, Suite::Tls13Aes256GcmSha384];

/// Predefined policies: name, whether TLS 1.3 is on.
const PREDEFINED: &[(&str, bool)] = &[
    ("AppGwSslPolicy20150501", false),
    ("AppGwSslPolicy20170401", false),
    ("AppGwSslPolicy20170401S", false),
    ("AppGwSslPolicy20220101", true),
    ("AppGwSslPolicy20220101S", true),
];

impl SslPolicy {
    fn predefined(tls13: bool) -> Self {
        let versions = if tls13 { TlsVersions::Tls12And13 } else { TlsVersions::Tls12 };
        let suites = if tls13 { TLS13.into_iter().chain(TLS12).collect() } else { TLS12.to_vec() };
        Self { versions, suites, modern: tls13 }
    }

    /// The policy of a gateway without one: by api-version.
    pub(super) fn default_for(api_version: &str) -> Self {
        Self::predefined(api_version >= "2023-02-01")
    }

    /// Reads a policy; `None` when there is none or it is unusable (then reported).
    pub(super) fn read(view: &View<'_>) -> Option<Self> {
        if !view.exists() {
            return None;
        }
        let kinds = [("Predefined", 0), ("Custom", 1), ("CustomV2", 2)];
        match view.one_of("policyType", &kinds) {
            Some(0) | None => {
                let names: Vec<(&str, bool)> = PREDEFINED.to_vec();
                if !view.has("policyName") {
                    return None;
                }
                view.one_of("policyName", &names).map(Self::predefined)
            }
            Some(kind) => Self::custom(view, kind == 2),
        }
    }

    fn custom(view: &View<'_>, v2: bool) -> Option<Self> {
        let versions = [("TLSv1_0", 0), ("TLSv1_1", 1), ("TLSv1_2", 2), ("TLSv1_3", 3)];
        let minimum = view.one_of("minProtocolVersion", &versions).unwrap_or(2);
        if minimum < 2 {
            view.any("minProtocolVersion")
                .warning("LegacyTlsRefused", "TLS 1.0 and 1.1 are never negotiated; 1.2 is the lowest");
        }
        let named = view.strings("cipherSuites");
        let mut dropped = Vec::new();
        let mut suites: Vec<Suite> = Vec::new();
        for name in &named {
            match Suite::from_iana(name).filter(|suite| !suites.contains(suite)) {
                Some(suite) => suites.push(suite),
                None => dropped.push(*name),
            }
        }
        if !dropped.is_empty() {
            let list = dropped.join(", ");
            view.any("cipherSuites")
                .warning("CipherSuitesNotNegotiated", format!("never negotiated: {list}"));
        }
        let versions = match (v2, minimum) {
            (true, 3) => TlsVersions::Tls13,
            (true, _) => TlsVersions::Tls12And13,
            (false, _) => TlsVersions::Tls12,
        };
        if versions != TlsVersions::Tls12 {
            let missing: Vec<Suite> = TLS13.into_iter().filter(|suite| !suites.contains(suite)).collect();
            suites.splice(0..0, missing);
        }
        if !suites.iter().any(|suite| versions != TlsVersions::Tls12 || !suite.is_tls13()) {
            let accepted: Vec<&str> = TLS12.iter().map(|suite| suite.iana()).collect();
            view.any("cipherSuites").error(
                "ApplicationGatewaySslPolicyNoUsableCipherSuite",
                format!("no suite of the policy can be negotiated; add one of {}", accepted.join(", ")),
            );
            return None;
        }
        Some(Self { versions, suites, modern: v2 })
    }
}
