//! The key derivation of PKCS#12 (RFC 7292 appendix B.2). Only for reading and writing PFX files.

use super::Hash;
use aws_lc_rs::digest;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// What the derived bytes are for; the number is the standard's ID byte.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// Derives `length` bytes from a password that is already encoded as UTF-16BE with its terminator.
pub(crate) fn derive(
    hash: Hash,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let algorithm = hash.digest();
    let block = algorithm.block_len();
    let mut input = Zeroizing::new(repeated(salt, block));
    input.extend_from_slice(&Zeroizing::new(repeated(password, block)));
    let diversifier = vec![purpose as u8; block];

    let mut out = Zeroizing::new(Vec::with_capacity(length + algorithm.output_len()));
    while out.len() < length {
        let mut context = digest::Context::new(algorithm);
        context.update(&diversifier);
        context.update(&input);
        let mut sum = context.finish();
        for _ in 1..iterations.get() {
            sum = digest::digest(algorithm, sum.as_ref());
        }
        out.extend_from_slice(sum.as_ref());
        for chunk in input.chunks_mut(block) {
            add_with_one(chunk, sum.as_ref());
        }
    }
    out.truncate(length);
    out
}

/// `bytes` over and over until a multiple of `block` is full; nothing for nothing.
fn repeated(bytes: &[u8], block: usize) -> Vec<u8> {
    let total = bytes.len().div_ceil(block) * block;
    bytes.iter().cycle().take(total).copied().collect()
}

/// Adds the repeated `sum` and one to a big-endian number, dropping what overflows.
fn add_with_one(number: &mut [u8], sum: &[u8]) {
    let length = number.len();
    let mut carry = 1u16;
    let addends: Vec<u8> = sum.iter().cycle().take(length).copied().collect();
    for (digit, addend) in number.iter_mut().zip(addends).rev() {
        let total = u16::from(*digit) + u16::from(addend) + carry;
        *digit = (total & 0xff) as u8;
        carry = total >> 8;
    }
}
