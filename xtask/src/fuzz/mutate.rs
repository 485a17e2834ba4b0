//! Mutations of corpus files. Everything follows from the seed, so that a failure repeats.

/// Pieces that parsers of text and of DER find interesting.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"%2e",
    b"%2f",
    b"%00",
    b"..",
    b"/./",
    b"[",
    b"]",
    b"'",
    b"\"",
    b"@(",
    b"@{",
    b"{{",
    b"}}",
    b"<",
    b"/>",
    b"&amp;",
    b"<!--",
    b"]]>",
    b"*",
    b"?",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close, upgrade\r\n",
    b"Host: a\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"\x30\x80",
    b"\x00\x00",
    b"\x30\x84\xff\xff\xff\xff",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xef\xbb\xbf",
];

/// A xorshift generator: enough to spread mutations.
pub(super) struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`; 0 when that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from((self.0 >> 8) % limit).unwrap_or_default()
    }
}

/// A corpus file after one to four changes.
pub(super) fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let Some(original) = corpus.get(random.below(corpus.len())) else { return Vec::new() };
    let mut bytes = original.clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, u8::try_from(random.below(256)).unwrap_or_default()),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 | 5 => {
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            6 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_inputs_and_most_differ_from_the_corpus() {
        let corpus = [b"GET / HTTP/1.1\r\n\r\n".to_vec(), b"abc".to_vec()];
        let inputs = |seed| {
            let mut random = Random::new(seed);
            (0..200).map(|_| mutate(&corpus, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        assert!(inputs(7).iter().filter(|input| !corpus.contains(input)).count() > 150);
    }
}
