//! The client certificate of a connection, judged for policies (vault specification §3.9): once per
//! connection, and again when the service's trust or the validity of a certificate on the path changes.

use handfast_core::UnixTime;
use handfast_net::ConnectionInfo;
use handfast_net::tls::{Identity, TrustSet};
use handfast_pki::Certificate;
use handfast_pki::path::{Profile, judge};
use handfast_policy::{ClientCertificate, Revocation, Trust};
use std::rc::Rc;
use std::sync::Arc;

/// What a connection remembers.
struct Remembered {
    trust: Identity,
    valid_until: UnixTime,
    certificate: Arc<ClientCertificate>,
}

/// The certificate that the client proved to have; `None` when it sent none that can be read.
pub(crate) fn of(
    connection: &ConnectionInfo,
    trust: &TrustSet,
    now: UnixTime,
) -> Option<Arc<ClientCertificate>> {
    let chain = &connection.tls.as_ref()?.client_chain;
    let leaf = chain.leaf()?;
    let remembered = connection.memo.borrow().clone().and_then(|memo| memo.downcast::<Remembered>().ok());
    if let Some(remembered) = remembered
        && remembered.trust == *trust.id()
        && now <= remembered.valid_until
    {
        return Some(remembered.certificate.clone());
    }
    let (certificate, valid_until) = judged(leaf, chain.certificates(), trust, now);
    let certificate = Arc::new(certificate);
    let remembered = Remembered { trust: *trust.id(), valid_until, certificate: certificate.clone() };
    *connection.memo.borrow_mut() = Some(Rc::new(remembered));
    Some(certificate)
}

/// The facts, and the last second at which they hold.
fn judged(
    leaf: &Certificate,
    presented: &[Certificate],
    trust: &TrustSet,
    now: UnixTime,
) -> (ClientCertificate, UnixTime) {
    let verdict = judge(leaf, presented, trust.trust(), Profile::ClientPolicy, now);
    let path = verdict.path.as_deref().unwrap_or_default();
    // The policy looks at the leaf's own dates; those of its issuers are a matter of trust.
    let issuers_valid = path.iter().skip(1).all(|issuer| issuer.is_valid_at(now));
    let trusted = verdict.trust.is_ok() && issuers_valid;
    let issuer = path.get(1).or_else(|| presented.iter().find(|other| leaf.is_signed_by(other)));
    let dates = path.iter().flat_map(|one| [one.not_before().0 - 1, one.not_after().0]);
    let valid_until = dates.filter(|date| *date >= now.0).min().map_or(UnixTime(i64::MAX), UnixTime);
    let certificate = ClientCertificate {
        thumbprint: leaf.thumbprint(),
        subject: leaf.subject().dotnet(),
        issuer: leaf.issuer().dotnet(),
        serial: leaf.serial_hex(),
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        common_name: leaf.common_name(),
        dns_names: leaf.dns_names().to_vec(),
        issuer_thumbprint: issuer.map(Certificate::thumbprint),
        trust: if trusted { Trust::Trusted } else { Trust::Untrusted },
        chain: std::iter::once(leaf).chain(presented.iter().filter(|one| *one != leaf)).cloned().collect(),
        revocation: if leaf.has_revocation_pointer() { Revocation::Unknown } else { Revocation::NoPointer },
    };
    (certificate, valid_until)
}
