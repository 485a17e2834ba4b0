//! From raw input to labelled blocks of DER.
//!
//! Markers may stand anywhere in a line, since environment variables and JSON lose line ends; white space
//! inside a body never matters. Text between blocks ("Bag Attributes", comments) is passed over.

use super::{INPUT_BYTES_MAX, PemError};
use crate::ber;
use crate::der::{Reader, tag};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Most blocks in one input.
const BLOCKS_MAX: usize = 400;
const BEGIN: &str = "-----BEGIN ";
const BEGIN_ENCODED: &str = "-----BEGIN%20";
const DASHES: &str = "-----";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One block: its label, its bytes, and where it began. Cannot be printed; zeroed on drop.
pub struct Block {
    label: String,
    line: usize,
    der: Zeroizing<Vec<u8>>,
    encryption: Option<(String, Vec<u8>)>,
}

impl Block {
    /// The words between `BEGIN` and the dashes.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// 1-based line of the BEGIN marker; 1 for input without markers.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The decoded bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the block is a private key of any kind.
    pub fn is_private_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }

    /// Cipher name and IV of the traditional encryption (`DEK-Info`).
    pub(super) fn traditional_encryption(&self) -> Option<(&str, &[u8])> {
        self.encryption.as_ref().map(|(name, iv)| (name.as_str(), iv.as_slice()))
    }
}

/// Splits the input into blocks. Input without markers that is (base64 of) the DER of a certificate, a P7B
/// or a private key becomes one block with the fitting label.
pub fn blocks(input: &[u8]) -> Result<Vec<Block>, PemError> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(PemError::TooLarge(input.len()));
    }
    if input.first() == Some(&tag::SEQUENCE)
        && let Some(block) = from_der(input)
    {
        return Ok(vec![block]);
    }
    let text = normalise(input)?;
    if text.contains(BEGIN) {
        return split(&text);
    }
    let der = decode_base64(&text).ok_or(PemError::NothingFound("PEM block"))?;
    if der.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes()) {
        return split(&normalise(&der)?);
    }
    from_der(&der).map(|block| vec![block]).ok_or(PemError::NothingFound("PEM block"))
}

/// Brings the input to plain text with real line ends.
fn normalise(input: &[u8]) -> Result<Zeroizing<String>, PemError> {
    let text = match input {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [first, 0, ..] if *first != 0 => utf16(input, u16::from_le_bytes)?,
        [0, second, ..] if *second != 0 => utf16(input, u16::from_be_bytes)?,
        _ => utf8(input)?,
    };
    let text = if text.contains(BEGIN_ENCODED) { percent_decoded(&text) } else { text };
    // A literal `\n` never occurs in PEM itself; the longer escapes come first.
    let escaped = text.contains("\\n") || text.contains("\\r");
    if !escaped {
        return Ok(text);
    }
    let once = Zeroizing::new(text.replace("\\r\\n", "\n"));
    let twice = Zeroizing::new(once.replace("\\n", "\n"));
    Ok(Zeroizing::new(twice.replace("\\r", "\n")))
}

/// Undoes `%HH`; a `+` stays what it is, since base64 needs it.
fn percent_decoded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let decoded =
            after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        match decoded {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn utf8(input: &[u8]) -> Result<Zeroizing<String>, PemError> {
    // Text between blocks may be in any code page; markers and bodies are ASCII.
    let text = Zeroizing::new(String::from_utf8_lossy(input).into_owned());
    if text.contains('\0') { Err(PemError::NotText) } else { Ok(text) }
}

fn utf16(input: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, PemError> {
    let units = input.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.map(Zeroizing::new).map_err(|_| PemError::NotText)
}

fn split(text: &str) -> Result<Vec<Block>, PemError> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        line += line_ends(before);
        let Some((label, body)) = after.split_once(DASHES) else { break };
        if label.len() > 64 || label.contains(['\n', '\r']) {
            rest = after;
            continue;
        }
        let end = format!("-----END {label}-----");
        // The body ends at its END marker, and never beyond the next BEGIN.
        let reach = body.find(BEGIN).unwrap_or(body.len());
        let (body, next) = body
            .split_once(&end)
            .filter(|(inside, _)| inside.len() <= reach)
            .ok_or_else(|| PemError::Unclosed { label: shown(label), line })?;
        if found.len() >= BLOCKS_MAX {
            return Err(PemError::TooMany(BLOCKS_MAX, "blocks"));
        }
        found.push(block(label, body, line)?);
        line += line_ends(body);
        rest = next;
    }
    Ok(found)
}

fn line_ends(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// A label as it may be shown: upper-case words only, so that no body can hide in it.
fn shown(label: &str) -> String {
    let plain = label.len() <= 32
        && label.bytes().all(|byte| byte.is_ascii_uppercase() || b" 0123456789".contains(&byte));
    if plain { label.to_owned() } else { "?".to_owned() }
}

fn block(label: &str, body: &str, line: usize) -> Result<Block, PemError> {
    let malformed = || PemError::NotBase64 { label: shown(label), line };
    let (encryption, body) = match body.find("DEK-Info:") {
        Some(at) => {
            let (info, body) = dek_info(body.get(at..).unwrap_or_default()).ok_or_else(malformed)?;
            (Some(info), body)
        }
        None => (None, body),
    };
    let der = decode_base64(body).ok_or_else(malformed)?;
    let der = if encryption.is_none() && label.starts_with("PKCS7") { to_der(der) } else { der };
    Ok(Block { label: label.to_owned(), line, der, encryption })
}

/// `DEK-Info: NAME,HEX`, then the body.
fn dek_info(text: &str) -> Option<((String, Vec<u8>), &str)> {
    let value = text.strip_prefix("DEK-Info:")?.trim_start();
    let end = value.find(char::is_whitespace)?;
    let (info, body) = value.split_at_checked(end)?;
    let (name, iv) = info.split_once(',')?;
    let digits: Option<Vec<u8>> =
        iv.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let iv = digits?.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect();
    Some(((name.to_owned(), iv), body))
}

/// Base64 with white space anywhere; `None` for other characters and for nothing at all.
fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    if compact.is_empty() {
        return None;
    }
    BASE64.decode(compact.as_slice()).ok().map(Zeroizing::new)
}

/// A block for DER without markers, labelled by its shape.
fn from_der(der: &[u8]) -> Option<Block> {
    let der = to_der(Zeroizing::new(der.to_vec()));
    let mut outer = Reader::new(&der);
    let mut fields = outer.sequence().ok()?;
    outer.end().ok()?;
    let first = fields.any().ok()?;
    let label = match (first.tag, fields.peek()) {
        (tag::SEQUENCE, Some(tag::SEQUENCE)) => "CERTIFICATE",
        (tag::SEQUENCE, Some(tag::OCTET_STRING)) => "ENCRYPTED PRIVATE KEY",
        (tag::OID, _) => "PKCS7",
        (tag::INTEGER, _) => "PRIVATE KEY",
        _ => return None,
    };
    Some(Block { label: label.to_owned(), line: 1, der, encryption: None })
}

/// Definite lengths, if the input is BER that can be brought to DER.
fn to_der(input: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    ber::to_der(&input).unwrap_or(input)
}
