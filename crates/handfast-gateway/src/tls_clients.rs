//! TLS configurations towards backends: one per way of checking and client certificate, shared by all
//! backends that use it. They are made when first used and kept over recompiles while trust and certificate
//! stay the same, so connections and sessions do too.

use handfast_core::Clock;
use handfast_net::tls::{ClientTls, ClientTlsSpec, TrustSet};
use handfast_pki::Credential;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Credentials of requests whose configurations are kept.
const BROUGHT_MAX: usize = 256;

/// How a backend is checked, and the protocol that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsMode {
    pub(crate) check_chain: bool,
    pub(crate) check_name: bool,
    pub(crate) http2: bool,
}

impl Default for TlsMode {
    fn default() -> Self {
        Self { check_chain: true, check_name: true, http2: false }
    }
}

impl TlsMode {
    const COUNT: usize = 8;

    fn index(self) -> usize {
        usize::from(self.check_chain) | usize::from(self.check_name) << 1 | usize::from(self.http2) << 2
    }
}

type Slots = [OnceLock<Option<Arc<ClientTls>>>; TlsMode::COUNT];

/// The configurations of a service.
pub(crate) struct TlsClients {
    trust: Arc<TrustSet>,
    clock: Arc<dyn Clock>,
    anonymous: Arc<Slots>,
    /// Of credentials that requests brought along, by id.
    brought: Arc<Mutex<HashMap<[u8; 32], Arc<Slots>>>>,
    /// By id of the credential.
    by_credential: BTreeMap<[u8; 32], (Arc<Credential>, Arc<Slots>)>,
}

impl TlsClients {
    pub(crate) fn new<'a>(
        trust: Arc<TrustSet>,
        credentials: impl Iterator<Item = &'a Arc<Credential>>,
        clock: &Arc<dyn Clock>,
        previous: Option<&Self>,
    ) -> Self {
        let previous = previous.filter(|previous| previous.trust.id() == trust.id());
        let slots = |id: &[u8; 32]| {
            let kept = previous.and_then(|previous| previous.by_credential.get(id));
            kept.map_or_else(Arc::default, |(_, slots)| slots.clone())
        };
        let by_credential = credentials.map(|one| (*one.id(), (one.clone(), slots(one.id())))).collect();
        let anonymous = previous.map_or_else(Arc::default, |previous| previous.anonymous.clone());
        let brought = previous.map_or_else(Arc::default, |previous| previous.brought.clone());
        Self { trust, clock: clock.clone(), anonymous, brought, by_credential }
    }

    /// What identifies the roots that servers are verified with.
    pub(crate) fn trust_id(&self) -> &[u8; 32] {
        self.trust.id()
    }

    /// The configuration of a mode; `None` when the certificate cannot be used.
    pub(crate) fn get(&self, mode: TlsMode, credential: Option<&Arc<Credential>>) -> Option<Arc<ClientTls>> {
        let get = |slots: &Slots| slots[mode.index()].get_or_init(|| self.build(mode, credential)).clone();
        let Some(credential) = credential else { return get(&self.anonymous) };
        match self.by_credential.get(credential.id()) {
            Some((_, slots)) => get(slots),
            None => get(&self.brought(credential.id())),
        }
    }

    /// The configurations of a credential that is none of the service's. When there are too many, all are made
    /// anew.
    fn brought(&self, id: &[u8; 32]) -> Arc<Slots> {
        let mut brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        if brought.len() >= BROUGHT_MAX && !brought.contains_key(id) {
            brought.clear();
        }
        brought.entry(*id).or_default().clone()
    }

    fn build(&self, mode: TlsMode, credential: Option<&Arc<Credential>>) -> Option<Arc<ClientTls>> {
        let spec = ClientTlsSpec {
            trust: self.trust.clone(),
            check_chain: mode.check_chain,
            check_name: mode.check_name,
            credential: credential.cloned(),
            http2: mode.http2,
        };
        ClientTls::build("backend", spec, &self.clock).ok()
    }
}
