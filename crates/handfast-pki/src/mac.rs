//! Authentication codes: HMAC-SHA256 (RFC 2104), for what this process hands out and takes back, and for shared access
//! signatures. *Not* for tokens of others; those are [`crate::jose`].

use aws_lc_rs::hmac;
use std::fmt;

/// A key that signs and checks.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Of 32 random bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Of a secret that this process shares with another.
    pub fn shared(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The code of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut code = [0; 32];
        code.iter_mut().zip(hmac::sign(&self.0, message).as_ref()).for_each(|(to, from)| *to = *from);
        code
    }

    /// Whether a code is the message's, in a time that tells nothing about it.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, message, code).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_belongs_to_key_and_message() {
        let key = MacKey::new(&[7; 32]);
        let code = key.sign(b"message");
        assert!(key.verify(b"message", &code));
        assert!(!key.verify(b"messagf", &code) && !key.verify(b"message", &code[..31]));
        assert!(!MacKey::new(&[8; 32]).verify(b"message", &code));
    }

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let code = MacKey::new(&secret).sign(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(MacKey::shared(b"Jefe").sign(b"what do ya want for nothing?"), code);
        assert_eq!(
            code.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            expected,
            "trailing zeros of a key change nothing"
        );
    }
}
