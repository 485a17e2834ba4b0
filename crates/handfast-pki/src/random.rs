//! Randomness fit for keys, from the operating system through the crypto provider.

use aws_lc_rs::rand;

/// The system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

impl NoRandomness {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "NoRandomness"
    }
}

/// Fills the bytes.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    rand::fill(bytes).map_err(|_| NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fills_are_the_same() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        fill_random(&mut one).expect("randomness");
        fill_random(&mut other).expect("randomness");
        assert_ne!(one, other);
    }
}
