//! Fingerprints.

use aws_lc_rs::digest;

/// SHA-256 of the concatenation of `parts`.
pub(crate) fn sha256<T: AsRef<[u8]>>(parts: &[T]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part.as_ref());
    }
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// SHA-1, which is what Azure and Windows call the thumbprint. Never used to decide trust.
pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().try_into().unwrap_or_default()
}
