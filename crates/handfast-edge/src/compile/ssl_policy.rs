//! `sslPolicy` to versions and suites (edge specification §1.5, Appendix A). Old suites are accepted in a
//! document and never negotiated; what was dropped is a warning.

use handfast_model::View;
use handfast_net::tls::{Suite, TlsVersions};

/// A policy that cannot be used; what is wrong with it was reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unusable;

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

    /// Reads a policy; `Ok(None)` when there is none.
    pub(super) fn read(view: &View<'_>) -> Result<Option<Self>, Unusable> {
        if !view.exists() {
            return Ok(None);
        }
        let versions = [("TLSv1_0", false), ("TLSv1_1", false), ("TLSv1_2", true), ("TLSv1_3", true)];
        for disabled in view.array("disabledSslProtocols") {
            let word = disabled.as_str().unwrap_or_default();
            match versions.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
                Some((_, false)) => {}
                _ => {
                    disabled.error(
                        "InvalidEnumValue",
                        format!("\"{word}\" cannot be disabled; TLSv1_0 and TLSv1_1 are accepted and never negotiated, \"minProtocolVersion\" chooses among the others"),
                    );
                    return Err(Unusable);
                }
            }
        }
        let kinds = [("Predefined", 0), ("Custom", 1), ("CustomV2", 2)];
        if view.has("policyType") && view.one_of("policyType", &kinds).is_none() {
            return Err(Unusable);
        }
        match view.one_of("policyType", &kinds) {
            Some(0) | None if !view.has("policyName") => Ok(None),
            Some(0) | None => view
                .one_of("policyName", PREDEFINED)
                .map(|tls13| Some(Self::predefined(tls13)))
                .ok_or(Unusable),
            Some(kind) => Self::custom(view, kind == 2).map(Some).ok_or(Unusable),
        }
    }

    fn custom(view: &View<'_>, v2: bool) -> Option<Self> {
        let versions = [("TLSv1_0", 0), ("TLSv1_1", 1), ("TLSv1_2", 2), ("TLSv1_3", 3)];
        let minimum = match view.has("minProtocolVersion") {
            true => view.one_of("minProtocolVersion", &versions)?,
            false => 2,
        };
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
