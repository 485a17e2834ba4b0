//! Symmetric encryption of data that the user's own configuration encrypts: AES and 3DES in the modes CBC and
//! ECB, padded as PKCS#7, with zeros, or not at all.
//!
//! Not for anything of our own making: unauthenticated modes exist here because policies of others use them
//! (`Encrypt`, `Decrypt`, `SymmetricAlgorithm`).

use aws_lc_rs::cipher::{
    self, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use des::TdesEde3;
use rc2::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit, consts::U8};

/// The algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// AES; the key's length says which.
    Aes,
    /// Triple DES with two or three keys.
    TripleDes,
}

/// How blocks are chained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each with the one before.
    Cbc,
    /// Not at all.
    Ecb,
}

/// How the last block is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// It must be full.
    None,
    /// With the number of missing bytes, always at least one.
    Pkcs7,
    /// With zeros, which stay when decrypting.
    Zeros,
}

/// Why data cannot be encrypted or decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// No key of this algorithm has that length.
    #[error("the key has a length that the algorithm does not know")]
    Key,
    /// The initialization vector is not one block long.
    #[error("the initialization vector is not one block long")]
    Iv,
    /// Not a whole number of blocks.
    #[error("the input is not a whole number of blocks")]
    Length,
    /// The padding is not what the mode prescribes: wrong key, or damaged data.
    #[error("the padding is invalid")]
    Padding,
}

impl CipherError {
    /// Stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key => "CipherKeyLength",
            Self::Iv => "CipherIvLength",
            Self::Length => "CipherInputLength",
            Self::Padding => "CipherPadding",
        }
    }
}

impl Algorithm {
    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::Aes => 16,
            Self::TripleDes => 8,
        }
    }
}

/// A way to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher {
    /// With what.
    pub algorithm: Algorithm,
    /// In which mode.
    pub mode: Mode,
    /// Filled how.
    pub padding: Padding,
}

impl Cipher {
    /// Encrypts; the initialization vector is unused in ECB.
    pub fn encrypt(&self, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, CipherError> {
        let block = self.algorithm.block_bytes();
        let mut data = input.to_vec();
        let missing = block - input.len() % block;
        match self.padding {
            Padding::Pkcs7 => data.resize(input.len() + missing, missing as u8),
            Padding::Zeros if missing < block => data.resize(input.len() + missing, 0),
            Padding::None if missing < block => return Err(CipherError::Length),
            _ => {}
        }
        self.blocks(true, key, iv, &mut data)?;
        Ok(data)
    }

    /// Decrypts what [`Self::encrypt`] made.
    pub fn decrypt(&self, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, CipherError> {
        let block = self.algorithm.block_bytes();
        if !input.len().is_multiple_of(block) {
            return Err(CipherError::Length);
        }
        let mut data = input.to_vec();
        self.blocks(false, key, iv, &mut data)?;
        if self.padding == Padding::Pkcs7 {
            let count = usize::from(data.last().copied().ok_or(CipherError::Padding)?);
            let keep = data.len().checked_sub(count).ok_or(CipherError::Padding)?;
            let right = (1..=block).contains(&count)
                && data.iter().skip(keep).all(|byte| usize::from(*byte) == count);
            if !right {
                return Err(CipherError::Padding);
            }
            data.truncate(keep);
        }
        Ok(data)
    }

    fn blocks(&self, encrypt: bool, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        if self.mode == Mode::Cbc && iv.len() != self.algorithm.block_bytes() {
            return Err(CipherError::Iv);
        }
        match self.algorithm {
            Algorithm::Aes => self.aes(encrypt, key, iv, data),
            Algorithm::TripleDes => self.triple_des(encrypt, key, iv, data),
        }
    }

    fn aes(&self, encrypt: bool, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let algorithm = match key.len() {
            16 => &cipher::AES_128,
            24 => &cipher::AES_192,
            32 => &cipher::AES_256,
            _ => return Err(CipherError::Key),
        };
        if data.is_empty() {
            return Ok(());
        }
        let key = UnboundCipherKey::new(algorithm, key).map_err(|_| CipherError::Key)?;
        // Unused in ECB, where any vector is accepted.
        let iv = FixedLength::from(<[u8; 16]>::try_from(iv).unwrap_or_default());
        match (self.mode, encrypt) {
            (Mode::Cbc, true) => EncryptingKey::cbc(key)
                .and_then(|key| key.less_safe_encrypt(data, EncryptionContext::Iv128(iv)))
                .map(drop),
            (Mode::Cbc, false) => DecryptingKey::cbc(key)
                .and_then(|key| key.decrypt(data, DecryptionContext::Iv128(iv)).map(drop)),
            (Mode::Ecb, true) => EncryptingKey::ecb(key).and_then(|key| key.encrypt(data)).map(drop),
            (Mode::Ecb, false) => {
                DecryptingKey::ecb(key).and_then(|key| key.decrypt(data, DecryptionContext::None).map(drop))
            }
        }
        .map_err(|_| CipherError::Length)
    }

    fn triple_des(&self, encrypt: bool, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        // Two-key 3DES uses its first key again as the third.
        let full: Vec<u8> = match key.len() {
            16 => key.iter().chain(key.iter().take(8)).copied().collect(),
            24 => key.to_vec(),
            _ => return Err(CipherError::Key),
        };
        let cipher = TdesEde3::new_from_slice(&full).map_err(|_| CipherError::Key)?;
        let mut previous = [0u8; 8];
        if self.mode == Mode::Cbc {
            previous = iv.try_into().map_err(|_| CipherError::Iv)?;
        }
        for chunk in data.chunks_exact_mut(8) {
            let mut block = Array::<u8, U8>::default();
            block.copy_from_slice(chunk);
            if encrypt {
                block.iter_mut().zip(previous).for_each(|(byte, mask)| *byte ^= mask);
                cipher.encrypt_block(&mut block);
                if self.mode == Mode::Cbc {
                    previous.copy_from_slice(&block);
                }
            } else {
                cipher.decrypt_block(&mut block);
                block.iter_mut().zip(previous).for_each(|(byte, mask)| *byte ^= mask);
                if self.mode == Mode::Cbc {
                    previous.copy_from_slice(chunk);
                }
            }
            chunk.copy_from_slice(&block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Cipher, CipherError, Mode, Padding};

    /// NIST SP 800-38A, F.1.1 and F.2.1: the first block under AES-128.
    #[test]
    fn the_first_blocks_of_the_standard_come_out() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
                .collect()
        };
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let iv: Vec<u8> = (0..16).collect();
        let plain = hex("6bc1bee22e409f96e93d7e117393172a");
        for (mode, expected) in
            [(Mode::Ecb, "3ad77bb40d7a3660a89ecaf32466ef97"), (Mode::Cbc, "7649abac8119b246cee98e9b12e9197d")]
        {
            let cipher = Cipher { algorithm: Algorithm::Aes, mode, padding: Padding::None };
            assert_eq!(cipher.encrypt(&key, &iv, &plain), Ok(hex(expected)));
        }
    }

    #[test]
    fn everything_encrypted_is_decrypted_again() {
        for algorithm in [Algorithm::Aes, Algorithm::TripleDes] {
            for mode in [Mode::Cbc, Mode::Ecb] {
                for padding in [Padding::Pkcs7, Padding::Zeros, Padding::None] {
                    let cipher = Cipher { algorithm, mode, padding };
                    let iv = vec![7; algorithm.block_bytes()];
                    for length in [0usize, 16, 32, 48] {
                        let input: Vec<u8> = (1..=length).map(|at| at as u8).collect();
                        let made = cipher.encrypt(&[9; 24], &iv, &input).expect("encrypts");
                        assert_eq!(cipher.decrypt(&[9; 24], &iv, &made), Ok(input), "{cipher:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_keys_vectors_lengths_and_paddings_are_told_apart() {
        let cipher = Cipher { algorithm: Algorithm::Aes, mode: Mode::Cbc, padding: Padding::Pkcs7 };
        assert_eq!(cipher.encrypt(&[0; 5], &[0; 16], b"x"), Err(CipherError::Key));
        assert_eq!(cipher.encrypt(&[0; 16], &[0; 5], b"x"), Err(CipherError::Iv));
        assert_eq!(cipher.decrypt(&[0; 16], &[0; 16], b"x"), Err(CipherError::Length));
        assert_eq!(cipher.decrypt(&[0; 16], &[0; 16], &[1; 16]), Err(CipherError::Padding));
    }
}
