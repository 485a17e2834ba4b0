//! Client certificates that requests bring along as PFX files (`authentication-certificate body`, specification
//! 5.2). Opening one derives keys for milliseconds on purpose, so it is done away from the core that serves
//! requests, and what came of it is kept for a while, failures too. What is kept is bounded.

use handfast_core::Secret;
use handfast_net::{Core, off_core};
use handfast_pki::{Credential, hex};
use handfast_policy::{ForwardFailure, PfxBody};
use handfast_state::{Cache, Weigh};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// All certificates that are kept.
const BYTES_MAX: usize = 4 << 20;
/// The largest file that is opened.
const FILE_BYTES_MAX: usize = 256 << 10;
/// How long a certificate is kept.
const LIFE_MS: u64 = 60 * 60_000;
/// How long a file that cannot be opened is refused without trying.
const FAILURE_LIFE_MS: u64 = 60_000;

/// What came of a file.
#[derive(Clone)]
struct Opened {
    credential: Result<Arc<Credential>, Arc<str>>,
    /// Of the file, which is about what the certificates in it hold on to.
    bytes: usize,
}

impl Weigh for Opened {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The opened files of all services.
pub(crate) struct BroughtCertificates(Cache<Opened>);

impl Default for BroughtCertificates {
    fn default() -> Self {
        Self(Cache::new(BYTES_MAX))
    }
}

impl BroughtCertificates {
    /// The credential in a file.
    pub(crate) async fn get(&self, core: &Core, pfx: &PfxBody) -> Result<Arc<Credential>, ForwardFailure> {
        let bytes = pfx.bytes.expose().len();
        if bytes > FILE_BYTES_MAX {
            return Err(refused(&format!("{bytes} bytes, at most {FILE_BYTES_MAX} are read")));
        }
        let (key, now_ms) = (key(pfx), core.clock().now_ms());
        let opened = match self.0.get(&key, now_ms) {
            Some((opened, _)) => opened,
            None => {
                let (file, password) =
                    (Secret::new(pfx.bytes.expose().clone()), Secret::new(pfx.password.expose().clone()));
                let credential = off_core(move || open(&file, &password))
                    .await
                    .map_err(|_| refused("opening it was broken off"))?;
                let life_ms = if credential.is_ok() { LIFE_MS } else { FAILURE_LIFE_MS };
                let opened = Opened { credential, bytes };
                self.0.put(key, opened.clone(), life_ms, now_ms);
                opened
            }
        };
        opened.credential.map_err(|reason| refused(&reason))
    }
}

fn open(file: &Secret<Vec<u8>>, password: &Secret<String>) -> Result<Arc<Credential>, Arc<str>> {
    let credential =
        Credential::from_pfx(file.expose(), password.expose()).map_err(|error| error.to_string())?;
    match credential.usable_for_tls() {
        true => Ok(Arc::new(credential)),
        false => Err("its key cannot be used for TLS".into()),
    }
}

fn refused(reason: &str) -> ForwardFailure {
    ForwardFailure::Connection(format!("the client certificate of the request cannot be used: {reason}"))
}

/// SHA-256 over both parts; the length keeps them apart.
fn key(pfx: &PfxBody) -> String {
    let (file, password) = (pfx.bytes.expose(), pfx.password.expose());
    let digest = Sha256::new()
        .chain_update((file.len() as u64).to_be_bytes())
        .chain_update(file)
        .chain_update(password)
        .finalize();
    hex::lower(&digest)
}
