//! `guid` and `uniqueString` (§10.2, §10.7), bit for bit as Azure computes them, and `newGuid`.

use super::{ANY, FunctionEntry, eager, printed};
use crate::evaluate::{Environment, Phase};
use crate::fault::{Evaluated, fault};
use serde_json::Value;
use sha1::{Digest, Sha1};

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("guid", 1, ANY, |_, a| Ok(guid(&joined(&a)).into())),
    eager("uniqueString", 1, ANY, |_, a| Ok(unique_string(joined(&a).as_bytes()).into())),
    eager("newGuid", 0, 0, new_guid),
];

fn joined(arguments: &[Value]) -> String {
    arguments.iter().map(printed).collect::<Vec<_>>().join("-")
}

const NAMESPACE: [u8; 16] =
    [0x11, 0xfb, 0x06, 0xfb, 0x71, 0x2d, 0x4d, 0xdd, 0x98, 0xc7, 0xe7, 0x1b, 0xbd, 0x58, 0x88, 0x30];

/// A name-based UUID, version 5 (RFC 9562 §5.5).
fn guid(name: &str) -> String {
    let digest = Sha1::new().chain_update(NAMESPACE).chain_update(name).finalize();
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    uuid(bytes, 5)
}

fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A random UUID: from the deployment's entropy and the place that asks.
fn new_guid(environment: &Environment<'_>, _: Vec<Value>) -> Evaluated<Value> {
    if environment.phase != Phase::Default {
        return fault("\"newGuid\" may be used only in the default value of a parameter");
    }
    let digest = Sha1::new()
        .chain_update(environment.frame.scope.entropy)
        .chain_update(environment.asked_for())
        .finalize();
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    Ok(uuid(bytes, 4).into())
}

const C1: u32 = 0x239b_961b;
const C2: u32 = 0xab0e_9789;

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn mix(word: u32, first: u32, turn: u32, second: u32) -> u32 {
    word.wrapping_mul(first).rotate_left(turn).wrapping_mul(second)
}

fn finish(mut hash: u32) -> u32 {
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// The 64-bit Murmur variant of §10.7, as 13 characters of five bits each.
fn unique_string(bytes: &[u8]) -> String {
    let (mut h1, mut h2) = (0_u32, 0_u32);
    let mut blocks = bytes.chunks_exact(8);
    for block in &mut blocks {
        let (low, high) = block.split_at(4);
        h1 = (h1 ^ mix(word(low), C1, 15, C2)).rotate_left(19).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x561c_cd1b);
        h2 = (h2 ^ mix(word(high), C2, 17, C1)).rotate_left(13).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x0bca_a747);
    }
    let tail = blocks.remainder();
    let (low, high) = tail.split_at(tail.len().min(4));
    h1 ^= mix(word(low), C1, 15, C2);
    h2 ^= mix(word(high), C2, 17, C1);
    // Lengths are those of template strings, far below 4 GiB.
    let len = bytes.len() as u32;
    h1 = (h1 ^ len).wrapping_add(h2 ^ len);
    h2 = (h2 ^ len).wrapping_add(h1);
    (h1, h2) = (finish(h1), finish(h2));
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    let mut hash = u64::from(h2) << 32 | u64::from(h1);
    let mut text = String::with_capacity(13);
    for _ in 0..13 {
        let index = usize::try_from(hash >> 59).unwrap_or_default();
        text.push(char::from(b"abcdefghijklmnopqrstuvwxyz234567"[index]));
        hash <<= 5;
    }
    text
}
