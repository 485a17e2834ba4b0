//! The verdict on a client's certificate: once per connection, and again when the profile, or the validity
//! of what was judged, has changed (edge specification §1.6).

use crate::plan::{ClientAuthRule, HttpListener};
use handfast_core::UnixTime;
use handfast_net::ConnectionInfo;
use handfast_pki::edge::{EdgeVerdict, judge_edge_client};
use std::rc::Rc;

/// What a connection remembers.
struct Remembered {
    profile: u64,
    valid_until: UnixTime,
    verdict: EdgeVerdict,
}

/// Whether a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Yes.
    Admitted,
    /// 400, no certificate.
    NoCertificate,
    /// 400, a bad one.
    BadCertificate,
}

/// The verdict for this connection under a rule; without a rule nothing is judged.
pub(crate) fn verdict(
    rule: Option<&ClientAuthRule>,
    connection: &ConnectionInfo,
    now: UnixTime,
) -> EdgeVerdict {
    let (Some(rule), Some(tls)) = (rule, &connection.tls) else { return EdgeVerdict::None };
    if tls.client_chain.is_empty() {
        return EdgeVerdict::None;
    }
    let version = rule.profile.version();
    let remembered = connection.memo.borrow().clone().and_then(|memo| memo.downcast::<Remembered>().ok());
    if let Some(remembered) = remembered
        && remembered.profile == version
        && now <= remembered.valid_until
    {
        return remembered.verdict;
    }
    let chain = tls.client_chain.certificates();
    let judgement = judge_edge_client(chain, &rule.profile, now);
    // A leaf that cannot be parsed was sent all the same.
    let verdict = match judgement.verdict {
        EdgeVerdict::None => EdgeVerdict::Failed(handfast_pki::edge::reason::SIGNATURE),
        other => other,
    };
    let remembered = Remembered { profile: version, valid_until: judgement.valid_until, verdict };
    *connection.memo.borrow_mut() = Some(Rc::new(remembered));
    verdict
}

/// The table of §1.6: strict refuses all but success, passthrough nothing.
pub(crate) fn admit(listener: &HttpListener, verdict: EdgeVerdict) -> Admission {
    match (&listener.client_auth, verdict) {
        (Some(rule), EdgeVerdict::None) if rule.strict => Admission::NoCertificate,
        (Some(rule), EdgeVerdict::Failed(_)) if rule.strict => Admission::BadCertificate,
        _ => Admission::Admitted,
    }
}
